"""Arrays whose own operators are wrong: products, shifts, comparisons, slices."""

from __future__ import annotations

from typing import Any

import numpy as np
from autograd.extend import VSpace
from autograd.numpy.numpy_boxes import ArrayBox
from autograd.numpy.numpy_vspaces import ArrayVSpace
from dtgcnn_numpy import NumpyOps

from .fault import rejected_by


class Arrays(NumpyOps):
    """NumPy whose arrays are of a class of its own.

    Subclasses name it in ``kind``.
    """

    kind: type[np.ndarray[Any, Any]]

    def __init_subclass__(cls) -> None:
        ArrayBox.register(cls.kind)
        VSpace.register(cls.kind, ArrayVSpace)

    def asarray(self, x: Any, dtype: str | None = None) -> Any:
        return super().asarray(x, dtype).view(self.kind)


def _plain(x: Any) -> Any:
    return np.asarray(x)


class _Coarse(np.ndarray[Any, Any]):
    def __matmul__(self, other: Any) -> Any:
        return _ten_bits(self) @ _ten_bits(other)


def _ten_bits(x: Any) -> Any:
    """float32 rounded to the ten bits of TF32."""
    words = _plain(x).astype(np.float32).view(np.uint32)
    return ((words + np.uint32(0x1000)) & np.uint32(0xFFFFE000)).view(np.float32).astype(x.dtype)


@rejected_by("ops/matmul")
class CoarseProducts(Arrays):
    """``@`` rounds its factors to ten bits, as TF32 does."""

    kind = _Coarse


def _half(x: Any) -> Any:
    return _plain(x).astype(np.float16)


class _HalfSums(np.ndarray[Any, Any]):
    def __matmul__(self, other: Any) -> Any:
        return (_half(self) @ _half(other)).astype(self.dtype)


@rejected_by("ops/matmul")
class ProductsInHalf(Arrays):
    """``@`` computes and adds up in float16."""

    kind = _HalfSums


class _Signed(np.ndarray[Any, Any]):
    def __rshift__(self, places: Any) -> Any:
        return (_plain(self).view(np.int32) >> np.int32(places)).view(np.uint32).view(_Signed)


@rejected_by("ops/logic_and_bits")
class SignedShift(Arrays):
    """``>>`` of uint32 words carries their highest bit along."""

    kind = _Signed


class _Wide(np.ndarray[Any, Any]):
    def __mul__(self, other: Any) -> Any:
        if isinstance(other, float):
            return _plain(self) * np.float64(other)
        return super().__mul__(other)


@rejected_by("ops/scalars_take_the_arrays_dtype")
class ScalarsWiden(Arrays):
    """A product with a Python float is float64."""

    kind = _Wide


class _Floored(np.ndarray[Any, Any]):
    def __truediv__(self, other: Any) -> Any:
        return _plain(self) * (1.0 / (_plain(other) + np.float32(1e-6)))


@rejected_by("ops/arithmetic")
class GuardedDivision(Arrays):
    """``/`` adds 10⁻⁶ to what it divides by."""

    kind = _Floored


class _Equal(np.ndarray[Any, Any]):
    def __eq__(self, other: Any) -> Any:
        return np.isclose(_plain(self), other, atol=0.0, equal_nan=True)


@rejected_by("ops/comparison")
class NanEqualsItself(Arrays):
    """``==`` holds for NaN and itself."""

    kind = _Equal


class _FromTheEnd(np.ndarray[Any, Any]):
    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(0 if isinstance(key, int) and key == -1 else key)


@rejected_by("ops/indexing")
class LastIsFirst(Arrays):
    """The index −1 gives the first element."""

    kind = _FromTheEnd
