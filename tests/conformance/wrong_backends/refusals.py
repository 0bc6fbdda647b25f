"""Backends that accept what they must refuse."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from dtgcnn_numpy import NumpyOps

from .fault import rejected_by


@rejected_by("errors/unknown_options")
class AnyDevice(NumpyOps):
    """A device that there is none of is taken for the CPU."""

    def __init__(self, device: str = "cpu", dtype: str = "float32") -> None:
        super().__init__("cpu", dtype)


@rejected_by("errors/unknown_dtypes")
class AnyDtype(NumpyOps):
    """``zeros`` takes a dtype that there is none of for its own."""

    def zeros(self, shape: tuple[int, ...], dtype: str | None = None) -> Any:
        known = dtype in ("float32", "float64", "int32", "uint32", "bool")
        return super().zeros(shape, dtype if known else None)


@rejected_by("errors/memory_that_runs_out")
class AllIsMemory(NumpyOps):
    """``out_of_memory`` holds for every error."""

    def out_of_memory(self, error: Exception) -> bool:
        return True


@rejected_by("errors/more_than_a_row_holds")
class AsManyAsThereAre(NumpyOps):
    """``top_k`` gives fewer where the row is shorter than k."""

    def top_k(self, x: Any, k: int) -> tuple[Any, Any]:
        return super().top_k(x, min(k, x.shape[-1]))


@rejected_by("errors/axes_out_of_range")
class AxesGoRound(NumpyOps):
    """``sum`` along axis 2 of a matrix is that along axis 0."""

    def sum(self, x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
        return super().sum(x, axis if axis is None else axis % x.ndim, keepdims)


@rejected_by("errors/other_sizes")
class ReshapeCuts(NumpyOps):
    """``reshape`` to a smaller size drops the rest."""

    def reshape(self, x: Any, shape: tuple[int, ...]) -> Any:
        size = int(np.prod(shape))
        if -1 in shape or size >= x.size:
            return super().reshape(x, shape)
        return super().reshape(super().reshape(x, (-1,))[:size], shape)


@rejected_by("errors/other_sizes")
class ConcatCuts(NumpyOps):
    """``concat`` of rows cuts the wider arrays."""

    def concat(self, arrays: Sequence[Any], axis: int = 0) -> Any:
        if axis == 0 and all(a.ndim == 2 for a in arrays):
            width = min(a.shape[1] for a in arrays)
            arrays = [a[:, :width] for a in arrays]
        return super().concat(arrays, axis)


@rejected_by("errors/gradients_of_what_is_no_scalar")
class GradientOfTheSum(NumpyOps):
    """``value_and_grad`` of an array differentiates its sum."""

    def value_and_grad(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        def summed(*args: Any) -> Any:
            value, aux = fn(*args)
            return (self.sum(value) if value.ndim else value), aux

        return super().value_and_grad(summed)
