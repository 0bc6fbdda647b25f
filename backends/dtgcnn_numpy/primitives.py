"""Differentiable operations that autograd lacks, upcasts to float64, or computes slowly.

Each keeps the dtype it is given, in the value and in the gradient.
"""

from __future__ import annotations

import math
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.extend import defvjp, primitive
from autograd.numpy.numpy_vjps import unbroadcast_f
from autograd.tracer import getval

from .erf import erf as _erf
from .sparse import Sparse, from_lists, product, transposed

__all__ = ["erf", "gather_sum", "max_", "maximum", "scatter_sum", "sum_", "take"]
__all__ += ["take_along_axis", "where"]

_LONG, _BLOCK = 1024, 128
"""NumPy adds pairwise along what lies side by side in memory alone. Sums of more terms than the
first that do not are taken in blocks of the second."""

_TWO_OVER_ROOT_PI = 1.1283791670955126


def gather_sum(x: Any, indices: Any, weights: Any) -> Any:
    """``out_i = Σ_k weights_ik · x[indices_ik]``, as a product with a sparse matrix."""
    return _gather(x, weights, indices, from_lists(indices, getval(weights), x.shape[0]))


def scatter_sum(x: Any, indices: Any, weights: Any, n: int) -> Any:
    """``out_j = Σ_{ik: indices_ik = j} weights_ik · x_i``, its adjoint, for ``n`` rows j."""
    return _scatter(x, weights, indices, from_lists(indices, getval(weights), n))


@primitive
def _gather(x: Any, weights: Any, indices: Any, matrix: Any) -> Any:
    return product(matrix, x)


@primitive
def _scatter(x: Any, weights: Any, indices: Any, matrix: Any) -> Any:
    return product(transposed(matrix), x)


@primitive
def _list_dots(a: Any, b: Any, indices: Any) -> Any:
    """``out_ik = a_i · b[indices_ik]``, one list column at a time: no (N, K, D) array."""
    columns = [np.einsum("nd,nd->n", a, b[indices[:, k]]) for k in range(indices.shape[1])]
    return np.stack(columns, axis=1) if columns else np.zeros(indices.shape, a.dtype)


defvjp(
    _gather,
    lambda ans, x, weights, indices, matrix: lambda g: _scatter(g, weights, indices, matrix),
    lambda ans, x, weights, indices, matrix: lambda g: _list_dots(g, x, indices),
    None,
    None,
)
defvjp(
    _scatter,
    lambda ans, x, weights, indices, matrix: lambda g: _gather(g, weights, indices, matrix),
    lambda ans, x, weights, indices, matrix: lambda g: _list_dots(x, g, indices),
    None,
    None,
)


@primitive
def where(condition: Any, x1: Any, x2: Any) -> Any:
    """``x1`` where the condition holds, ``x2`` elsewhere; the gradient of the other is 0."""
    return np.where(condition, x1, x2)


defvjp(
    where,
    None,
    lambda ans, condition, x1, x2: unbroadcast_f(x1, lambda g: np.where(condition, g, 0)),
    lambda ans, condition, x1, x2: unbroadcast_f(x2, lambda g: np.where(condition, 0, g)),
)


@primitive
def maximum(x1: Any, x2: Any) -> Any:
    """The larger of two numbers; where they are equal each takes half of the gradient."""
    return np.maximum(x1, x2)


def _share(x: Any, other: Any, g: Any) -> Any:
    """The part of ``g`` that goes to ``x`` as the larger one; half of it where both are."""
    return np.where(x > other, g, np.where(x == other, 0.5 * g, 0))


defvjp(
    maximum,
    lambda ans, x1, x2: unbroadcast_f(x1, lambda g: _share(x1, x2, g)),
    lambda ans, x1, x2: unbroadcast_f(x2, lambda g: _share(x2, x1, g)),
)


def sum_(x: Any, axis: int | None, keepdims: bool) -> Any:
    """The sum of floats, with few roundings however many there are."""
    host = getval(x)
    if axis is None:
        apart = host.size > _LONG and not host.flags.forc
    else:
        apart = host.shape[axis] > _LONG and host.strides[axis] != host.itemsize
    return (_sum_in_blocks if apart else anp.sum)(x, axis=axis, keepdims=keepdims)


@primitive
def _sum_in_blocks(x: Any, axis: int | None, keepdims: bool) -> Any:
    if axis is None:
        joined: Any = np.ascontiguousarray(x)
        return joined.sum(keepdims=keepdims)
    while x.shape[axis] > _LONG:
        x = np.add.reduceat(x, range(0, x.shape[axis], _BLOCK), axis=axis)
    return x.sum(axis=axis, keepdims=keepdims)


def _spread(ans: Any, x: Any, axis: int | None, keepdims: bool) -> Any:
    shape = np.sum(x, axis=axis, keepdims=True).shape
    return lambda g: np.broadcast_to(np.reshape(g, shape), x.shape).copy()


defvjp(_sum_in_blocks, _spread, None, None)


@primitive
def take(x: Any, indices: Any, axis: int) -> Any:
    """Slices at ``indices``; the gradients of one slice are added by a sparse product."""
    return np.take(x, indices, axis=axis)


def _take_vjp(ans: Any, x: Any, indices: Any, axis: int) -> Any:
    shape, axis = x.shape, axis % x.ndim

    def vjp(g: Any) -> Any:
        flat = indices.reshape(-1)
        places = tuple(range(axis, axis + indices.ndim))
        rest = tuple(i for i in range(g.ndim) if i not in places)
        others = shape[:axis] + shape[axis + 1 :]
        rows = g.transpose(places + rest).reshape(flat.size, math.prod(others))
        ones = np.ones(flat.size, rows.dtype)
        offsets = np.arange(flat.size + 1, dtype=np.int32)
        chosen = Sparse(offsets, np.asarray(flat, np.int32), ones, shape[axis])
        summed = product(transposed(chosen), rows)
        return np.moveaxis(summed.reshape(shape[axis], *others), 0, axis)

    return vjp


defvjp(take, _take_vjp, None, None)


@primitive
def take_along_axis(x: Any, indices: Any, axis: int) -> Any:
    """The entry at each of ``indices`` along the axis; gradients of one entry are added."""
    return np.take_along_axis(x, indices, axis=axis)


def _take_along_axis_vjp(ans: Any, x: Any, indices: Any, axis: int) -> Any:
    shape, axis = x.shape, axis % x.ndim

    def vjp(g: Any) -> Any:
        grid = list(np.ogrid[tuple(slice(n) for n in indices.shape)])
        grid[axis] = indices
        out = np.zeros(shape, g.dtype)
        np.add.at(out, tuple(grid), g)
        return out

    return vjp


defvjp(take_along_axis, _take_along_axis_vjp, None, None)


@primitive
def max_(x: Any, axis: int | None, keepdims: bool) -> Any:
    """The maximum along the axis; entries that are equal to it share its gradient."""
    return x.max(axis=axis, keepdims=keepdims)


def _max_vjp(ans: Any, x: Any, axis: int | None, keepdims: bool) -> Any:
    def vjp(g: Any) -> Any:
        if axis is not None and not keepdims:
            value, g = np.expand_dims(ans, axis), np.expand_dims(g, axis)
        else:
            value = ans
        hit = (x == value).astype(g.dtype)
        return g * hit / hit.sum(axis=axis, keepdims=axis is not None)

    return vjp


defvjp(max_, _max_vjp, None, None)


@primitive
def erf(x: Any) -> Any:
    """The error function, with gradient ``2/√π · exp(−x²)``."""
    return _erf(x)


defvjp(erf, lambda ans, x: lambda g: g * _TWO_OVER_ROOT_PI * np.exp(-x * x))
