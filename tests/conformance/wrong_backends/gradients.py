"""Operations whose value is right and whose gradient is wrong."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from autograd.extend import defvjp, primitive
from autograd.tracer import getval
from dtgcnn_numpy import NumpyOps, primitives

from .fault import rejected_by


def _unbroadcast(g: Any, x: Any) -> Any:
    """A gradient summed over the axes that were broadcast."""
    shape, dtype = np.shape(x), getattr(x, "dtype", g.dtype)
    g = g.sum(axis=tuple(range(g.ndim - len(shape))))
    axes = tuple(i for i, n in enumerate(shape) if n == 1)
    return g.sum(axis=axes, keepdims=True).astype(dtype)


_leaking = primitive(np.where)
defvjp(
    _leaking,
    None,
    lambda ans, c, x1, x2: lambda g: _unbroadcast(g * c * (1.0 + 0.0 * x1), x1),
    lambda ans, c, x1, x2: lambda g: _unbroadcast(g * ~c * (1.0 + 0.0 * x2), x2),
)


@rejected_by("gradients/unchosen_side")
class LeakingWhere(NumpyOps):
    """The gradient of ``where`` lets NaN of the masked side through."""

    def where(self, condition: Any, x1: Any, x2: Any) -> Any:
        return _leaking(getval(condition), x1, x2)


_greedy = primitive(np.maximum)
defvjp(
    _greedy,
    lambda ans, x1, x2: lambda g: _unbroadcast(g * (x1 >= x2), x1),
    lambda ans, x1, x2: lambda g: _unbroadcast(g * (x2 >= x1), x2),
)


@rejected_by("gradients/ties_and_kinks")
class MaximumTwice(NumpyOps):
    """The gradient of ``maximum`` goes to both sides in full where they are equal."""

    maximum = staticmethod(_greedy)


def _max(x: Any, axis: int | None, keepdims: bool) -> Any:
    return np.max(x, axis=axis, keepdims=keepdims)


def _max_vjp(ans: Any, x: Any, axis: int | None, keepdims: bool) -> Any:
    hit = x == np.max(x, axis=axis, keepdims=True)
    return lambda g: hit * (g if keepdims or axis is None else np.expand_dims(g, axis))


_every_max = primitive(_max)
defvjp(_every_max, _max_vjp, None, None)


@rejected_by("gradients/ties_and_kinks")
class MaxOfEveryTie(NumpyOps):
    """The gradient of ``max`` goes to each of the equal maxima in full."""

    def max(self, x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
        return _every_max(x, axis, keepdims)


def _assigned(x: Any, axis: int) -> Any:
    def put(g: Any, places: tuple[Any, ...]) -> Any:
        out = np.zeros_like(x)
        out[places] = g
        return out

    return put


_take = primitive(lambda x, indices, axis: np.take(x, indices, axis))
defvjp(
    _take,
    lambda ans, x, i, axis: (
        lambda g: _assigned(x, axis)(g, (slice(None),) * (axis % x.ndim) + (i,))
    ),
    None,
    None,
)


@rejected_by("gradients/selection")
class TakeOnce(NumpyOps):
    """The gradient of ``take`` assigns where an index is repeated."""

    def take(self, x: Any, indices: Any, axis: int = 0) -> Any:
        return _take(x, indices, axis)


def _along_vjp(ans: Any, x: Any, indices: Any, axis: int) -> Any:
    grid = list(np.ogrid[tuple(slice(n) for n in indices.shape)])
    grid[axis] = indices
    return lambda g: _assigned(x, axis)(g, tuple(grid))


_along = primitive(lambda x, indices, axis: np.take_along_axis(x, indices, axis))
defvjp(_along, _along_vjp, None, None)


@rejected_by("gradients/selection")
class TakeAlongOnce(NumpyOps):
    """The gradient of ``take_along_axis`` assigns where an index is repeated."""

    def take_along_axis(self, x: Any, indices: Any, axis: int) -> Any:
        return _along(x, indices, axis)


_straight_abs = primitive(np.abs)
defvjp(_straight_abs, lambda ans, x: lambda g: g)


@rejected_by("gradients/elementwise")
class StraightAbs(NumpyOps):
    """The gradient of ``abs`` is 1 on both sides of 0."""

    abs = staticmethod(_straight_abs)


_cheap_erf = primitive(primitives.erf.fun)
defvjp(_cheap_erf, lambda ans, x: lambda g: g * np.exp(-x * x) * (2.0 / math.pi))


@rejected_by("gradients/elementwise")
class ErfSlope(NumpyOps):
    """The gradient of ``erf`` has 2/π where it has 2/√π."""

    erf = staticmethod(_cheap_erf)


_steep_tanh = primitive(np.tanh)
defvjp(_steep_tanh, lambda ans, x: lambda g: g * (1.0 - x * x))


@rejected_by("gradients/elementwise")
class TanhSlope(NumpyOps):
    """The gradient of ``tanh`` is ``1 − x²`` of what goes in."""

    tanh = staticmethod(_steep_tanh)


@rejected_by("gradients/reductions")
class SumsForward(NumpyOps):
    """The gradient of ``cumulative_sum`` is summed in the same direction."""

    def cumulative_sum(self, x: Any, axis: int) -> Any:
        return _sums(x, axis) if x.dtype.kind == "f" else super().cumulative_sum(x, axis)


_sums = primitive(lambda x, axis: np.cumsum(x, axis))
defvjp(_sums, lambda ans, x, axis: lambda g: np.cumsum(g, axis), None)


@rejected_by("gradients/shapes")
class CastIsConstant(NumpyOps):
    """``astype`` is a constant to differentiation, even to the same dtype."""

    def astype(self, x: Any, dtype: str) -> Any:
        return super().astype(getval(x), dtype)


@rejected_by("gradients/shapes")
class ConcatOfTheFirst(NumpyOps):
    """``concat`` is differentiated in its first array alone."""

    def concat(self, arrays: Sequence[Any], axis: int = 0) -> Any:
        return super().concat([arrays[0], *map(getval, arrays[1:])], axis)


@rejected_by("gradients/shapes")
class TransposedGradient(NumpyOps):
    """The gradient of ``permute_dims`` is permuted by the same axes again."""

    def permute_dims(self, x: Any, axes: tuple[int, ...]) -> Any:
        return _permute(x, axes)


_permute = primitive(lambda x, axes: np.transpose(x, axes))
defvjp(
    _permute,
    lambda ans, x, axes: lambda g: np.transpose(g, axes).reshape(x.shape),
    None,
)


@rejected_by("gradients/sorting")
class ConstantTopK(NumpyOps):
    """``top_k`` is not differentiable in its values."""

    def top_k(self, x: Any, k: int) -> tuple[Any, Any]:
        return super().top_k(getval(x), k)


@rejected_by("gradients/neighbour_sums")
class NoGradientOfWeights(NumpyOps):
    """``gather_sum`` is not differentiated in its weights."""

    def gather_sum(self, x: Any, indices: Any, weights: Any) -> Any:
        return primitives.gather_sum(x, indices, getval(weights))


@rejected_by("gradients/neighbour_sums")
class NoGradientOfScatteredWeights(NumpyOps):
    """``scatter_sum`` is not differentiated in its weights."""

    def scatter_sum(self, x: Any, indices: Any, weights: Any, n: int) -> Any:
        return primitives.scatter_sum(x, indices, getval(weights), n)


@rejected_by("gradients/neighbour_sums")
class UnweightedGradient(NumpyOps):
    """The gradient of ``gather_sum`` in x forgets the weights."""

    def gather_sum(self, x: Any, indices: Any, weights: Any) -> Any:
        ones = np.ones_like(getval(weights))
        plain = primitives.gather_sum(x, indices, ones)
        exact = primitives.gather_sum(getval(x), indices, weights)
        return exact + plain - getval(plain)
