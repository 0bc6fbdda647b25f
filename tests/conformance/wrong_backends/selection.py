"""Wrong reductions, shapes, selection, sorting and sums over neighbour lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from autograd.tracer import getval, isbox
from dtgcnn_numpy import NumpyOps

from .fault import rejected_by


@rejected_by("ops/long_sums", "ops/long_means")
class RunningTotal(NumpyOps):
    """``sum`` of floats has one running total."""

    def sum(self, x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
        if getval(x).dtype.kind != "f" or getval(x).size == 0 or isbox(x):
            return super().sum(x, axis, keepdims)
        running = np.cumsum(x.reshape(-1) if axis is None else x, axis=axis or 0)
        total = np.take(running, [-1], axis=axis or 0)
        return total.reshape(np.sum(x, axis=axis, keepdims=keepdims).shape)


@rejected_by("ops/sum_")
class DoubleSum(NumpyOps):
    """``sum`` accumulates in float64 and stays there."""

    def sum(self, x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
        return self.astype(super().sum(x, axis, keepdims), "float64")


class _Counts(NumpyOps):
    """``sum`` of booleans in another dtype."""

    counts: str

    def sum(self, x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
        out = super().sum(x, axis, keepdims)
        return out.astype(self.counts) if x.dtype == np.bool_ else out


@rejected_by("ops/sum_")
class AnyForASum(_Counts):
    """``sum`` of booleans tells whether one holds."""

    counts = "bool"


@rejected_by("ops/sum_")
class FloatCounts(_Counts):
    """``sum`` of booleans is a float."""

    counts = "float32"


@rejected_by("ops/sum_")
class LongCounts(_Counts):
    """``sum`` of booleans counts in int64."""

    counts = "int64"


@rejected_by("ops/sum_")
class SumInHalf(NumpyOps):
    """``sum`` accumulates in float16."""

    def sum(self, x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
        if x.dtype.kind != "f":
            return super().sum(x, axis, keepdims)
        return super().sum(x.astype(np.float16), axis, keepdims).astype(x.dtype)


@rejected_by("ops/sum_")
class MeanOfNothing(NumpyOps):
    """``sum`` over an empty axis is NaN."""

    def sum(self, x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
        out = super().sum(x, axis, keepdims)
        return out * np.float32(np.nan) if x.size == 0 and x.dtype.kind == "f" else out


@rejected_by("ops/max_", "losses/cross_entropy_of_classes")
class MeanForAMaximum(NumpyOps):
    """``max`` over an axis is the mean, which is enough for a softmax of small numbers."""

    def max(self, x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
        return self.sum(x, axis, keepdims) / x.shape[axis or 0]


@rejected_by("ops/max_")
class MaximumAboveTheLowest(NumpyOps):
    """``max`` starts at the lowest finite number, so −∞ never comes out."""

    def max(self, x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
        out = super().max(x, axis, keepdims)
        return self.maximum(out, float(np.finfo(np.float32).min)) if x.dtype.kind == "f" else out


@rejected_by("ops/argmax")
class LastMaximum(NumpyOps):
    """``argmax`` takes the highest index among equals."""

    def argmax(self, x: Any, axis: int) -> Any:
        last = x.shape[axis] - 1
        return (last - np.argmax(np.flip(getval(x), axis), axis)).astype(np.int32)


@rejected_by("ops/argmax")
class LongArgmax(NumpyOps):
    """``argmax`` is int64."""

    def argmax(self, x: Any, axis: int) -> Any:
        return super().argmax(x, axis).astype(np.int64)


@rejected_by("ops/cumulative_sum")
class ExclusiveSum(NumpyOps):
    """``cumulative_sum`` leaves the element itself out."""

    def cumulative_sum(self, x: Any, axis: int) -> Any:
        return super().cumulative_sum(x, axis) - x


@rejected_by("ops/shapes")
class ColumnsFirst(NumpyOps):
    """``reshape`` goes through the array column by column."""

    def reshape(self, x: Any, shape: tuple[int, ...]) -> Any:
        return getval(x).reshape(shape, order="F")


@rejected_by("ops/shapes")
class InversePermutation(NumpyOps):
    """``permute_dims`` takes the inverse of the axes."""

    def permute_dims(self, x: Any, axes: tuple[int, ...]) -> Any:
        return super().permute_dims(x, tuple(int(i) for i in np.argsort(axes)))


@rejected_by("ops/shapes")
class ConcatOfRows(NumpyOps):
    """``concat`` ignores its axis."""

    def concat(self, arrays: Sequence[Any], axis: int = 0) -> Any:
        return super().concat(arrays)


@rejected_by("ops/take")
class TakeOfRows(NumpyOps):
    """``take`` takes a negative axis for the first."""

    def take(self, x: Any, indices: Any, axis: int = 0) -> Any:
        return super().take(x, indices, max(axis, 0))


@rejected_by("ops/take_along_axis")
class LastAxisAlone(NumpyOps):
    """``take_along_axis`` down the rows takes the first element of each column."""

    def take_along_axis(self, x: Any, indices: Any, axis: int) -> Any:
        return super().take_along_axis(x, indices if axis else 0 * indices, axis)


@rejected_by("ops/argsort")
class UnstableSort(NumpyOps):
    """``argsort`` changes the order of equal values."""

    def argsort(self, x: Any, axis: int = -1) -> Any:
        n = x.shape[axis]
        order = np.argsort(np.flip(getval(x), axis), axis=axis, kind="stable")
        return (n - 1 - order).astype(np.int32)


@rejected_by("ops/argsort")
class SortOfHalves(NumpyOps):
    """``argsort`` compares in float16."""

    def argsort(self, x: Any, axis: int = -1) -> Any:
        values = getval(x)
        return super().argsort(values.astype(np.float16) if values.dtype.kind == "f" else x, axis)


@rejected_by("ops/top_k_takes_the_lowest_index_first")
class HighestIndexFirst(NumpyOps):
    """``top_k`` takes the highest index among equals."""

    def top_k(self, x: Any, k: int) -> tuple[Any, Any]:
        order = np.argsort(-getval(x)[..., ::-1], axis=-1, kind="stable")[..., :k]
        indices = (x.shape[-1] - 1 - order).astype(np.int32)
        return self.take_along_axis(x, indices, -1), indices


@rejected_by("ops/top_k_takes_the_lowest_index_first")
class PartitionOfLongRows(NumpyOps):
    """``top_k`` of rows longer than 1,000 forgets the rule of ties."""

    def top_k(self, x: Any, k: int) -> tuple[Any, Any]:
        values = getval(x)
        if values.shape[-1] <= 1000:
            return super().top_k(x, k)
        some = np.argpartition(-values, k - 1, axis=-1)[..., :k]
        order = np.argsort(-np.take_along_axis(values, some, -1), axis=-1)
        indices = np.take_along_axis(some, order, -1).astype(np.int32)
        return self.take_along_axis(x, indices, -1), indices


@rejected_by("ops/top_k")
class SecondLargestFirst(NumpyOps):
    """``top_k`` begins with the second largest."""

    def top_k(self, x: Any, k: int) -> tuple[Any, Any]:
        if k >= x.shape[-1]:
            return super().top_k(x, k)
        values, indices = super().top_k(x, k + 1)
        return values[..., 1:], indices[..., 1:]


@rejected_by("ops/top_k")
class AscendingTopK(NumpyOps):
    """``top_k`` ascends."""

    def top_k(self, x: Any, k: int) -> tuple[Any, Any]:
        values, indices = super().top_k(x, k)
        return values[..., ::-1], indices[..., ::-1]


@rejected_by("ops/top_k")
class TopKOfTheFirstMatrix(NumpyOps):
    """``top_k`` of a stack takes the first matrix's places for all."""

    def top_k(self, x: Any, k: int) -> tuple[Any, Any]:
        _, indices = super().top_k(x, k)
        if x.ndim > 2:
            indices = np.broadcast_to(indices[:1], indices.shape)
        return self.take_along_axis(x, indices, -1), indices


@rejected_by("ops/top_k")
class LongTopK(NumpyOps):
    """``top_k`` gives int64 indices."""

    def top_k(self, x: Any, k: int) -> tuple[Any, Any]:
        values, indices = super().top_k(x, k)
        return values, indices.astype(np.int64)


@rejected_by("ops/top_k", "graph/nearest_neighbours")
class HalfPrecisionProducts(NumpyOps):
    """``top_k`` of cosines compares ten bits, as reduced-precision products give them."""

    def top_k(self, x: Any, k: int) -> tuple[Any, Any]:
        if x.ndim == 2 and x.dtype.kind == "f" and np.abs(getval(x)).max(initial=0.0) <= 1.001:
            x = (np.round(getval(x) * 1024) / 1024).astype(x.dtype)
        return super().top_k(x, k)
