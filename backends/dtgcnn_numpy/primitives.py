"""Differentiable operations that autograd lacks, upcasts to float64, or computes slowly.

Each keeps the dtype it is given, in the value and in the gradient.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from autograd.extend import defvjp, primitive
from scipy.sparse import csr_array
from scipy.special import erf as _erf

__all__ = ["erf", "gather_sum", "gelu", "layer_norm", "max_", "scatter_sum", "take"]
__all__ += ["take_along_axis"]

_SQRT_HALF = 0.7071067811865476
_INV_SQRT_2PI = 0.3989422804014327


def _lists_to_csr(indices: Any, weights: Any, columns: int) -> Any:
    """The (N, columns) matrix whose row i holds ``weights[i]`` at ``indices[i]``."""
    n, k = indices.shape
    offsets = np.arange(0, n * k + 1, k, dtype=np.int32)
    return csr_array((weights.reshape(-1), indices.reshape(-1), offsets), shape=(n, columns))


@primitive  # type: ignore[misc]
def gather_sum(x: Any, indices: Any, weights: Any) -> Any:
    if indices.size == 0:
        return np.zeros((indices.shape[0], x.shape[1]), x.dtype)
    return _lists_to_csr(indices, weights, x.shape[0]) @ x


@primitive  # type: ignore[misc]
def scatter_sum(x: Any, indices: Any, weights: Any, n: int) -> Any:
    if indices.size == 0:
        return np.zeros((n, x.shape[1]), x.dtype)
    return _lists_to_csr(indices, weights, n).T @ x


@primitive  # type: ignore[misc]
def _list_dots(a: Any, b: Any, indices: Any) -> Any:
    """``out_ik = a_i · b[indices_ik]``, one list column at a time: no (N, K, D) array."""
    columns = [np.einsum("nd,nd->n", a, b[indices[:, k]]) for k in range(indices.shape[1])]
    return np.stack(columns, axis=1) if columns else np.zeros(indices.shape, a.dtype)


defvjp(
    gather_sum,
    lambda ans, x, indices, weights: lambda g: scatter_sum(g, indices, weights, x.shape[0]),
    None,
    lambda ans, x, indices, weights: lambda g: _list_dots(g, x, indices),
)
defvjp(
    scatter_sum,
    lambda ans, x, indices, weights, n: lambda g: gather_sum(g, indices, weights),
    None,
    lambda ans, x, indices, weights, n: lambda g: _list_dots(x, g, indices),
    None,
)


@primitive  # type: ignore[misc]
def take(x: Any, indices: Any, axis: int) -> Any:
    return np.take(x, indices, axis=axis)


def _take_vjp(ans: Any, x: Any, indices: Any, axis: int) -> Any:
    shape, axis = x.shape, axis % x.ndim

    def vjp(g: Any) -> Any:
        flat = indices.reshape(-1)
        places = tuple(range(axis, axis + indices.ndim))
        rest = tuple(i for i in range(g.ndim) if i not in places)
        rows = g.transpose(places + rest).reshape(flat.size, -1)
        ones = np.ones(flat.size, rows.dtype)
        offsets = np.arange(flat.size + 1, dtype=np.int32)
        chosen = csr_array((ones, flat, offsets), shape=(flat.size, shape[axis]))
        others = shape[:axis] + shape[axis + 1 :]
        return np.moveaxis((chosen.T @ rows).reshape(shape[axis], *others), 0, axis)

    return vjp


defvjp(take, _take_vjp, None, None)


@primitive  # type: ignore[misc]
def take_along_axis(x: Any, indices: Any, axis: int) -> Any:
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


@primitive  # type: ignore[misc]
def max_(x: Any, axis: int | None, keepdims: bool) -> Any:
    return np.max(x, axis=axis, keepdims=keepdims)


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


@primitive  # type: ignore[misc]
def erf(x: Any) -> Any:
    return _erf(x)


defvjp(erf, lambda ans, x: lambda g: g * (2.0 * _INV_SQRT_2PI / _SQRT_HALF) * np.exp(-x * x))


@primitive  # type: ignore[misc]
def gelu(x: Any) -> Any:
    return x * _normal_cdf(x)


def _normal_cdf(x: Any) -> Any:
    cdf = _erf(x * _SQRT_HALF)
    cdf += 1.0
    cdf *= 0.5
    return cdf


def _gelu_vjp(ans: Any, x: Any) -> Any:
    def vjp(g: Any) -> Any:
        density = x * x
        density *= -0.5
        np.exp(density, out=density)
        density *= x
        density *= _INV_SQRT_2PI
        density += _normal_cdf(x)
        density *= g
        return density

    return vjp


defvjp(gelu, _gelu_vjp)


@primitive  # type: ignore[misc]
def layer_norm(x: Any, weight: Any, bias: Any, eps: float) -> Any:
    normed, _ = _standardise(x, eps)
    normed *= weight
    normed += bias
    return normed


def _standardise(x: Any, eps: float) -> tuple[Any, Any]:
    centred = x - x.mean(axis=-1, keepdims=True)
    variance = np.einsum("...d,...d->...", centred, centred)[..., None] / x.shape[-1]
    scale = 1.0 / np.sqrt(variance + eps)
    centred *= scale
    return centred, scale


def _layer_norm_vjp_x(ans: Any, x: Any, weight: Any, bias: Any, eps: float) -> Any:
    def vjp(g: Any) -> Any:
        normed, scale = _standardise(x, eps)
        gw = g * weight
        along = np.einsum("...d,...d->...", gw, normed)[..., None] / x.shape[-1]
        gw -= gw.mean(axis=-1, keepdims=True)
        normed *= along
        gw -= normed
        gw *= scale
        return gw

    return vjp


def _layer_norm_vjp_weight(ans: Any, x: Any, weight: Any, bias: Any, eps: float) -> Any:
    def vjp(g: Any) -> Any:
        normed, _ = _standardise(x, eps)
        width = x.shape[-1]
        return np.einsum("nd,nd->d", g.reshape(-1, width), normed.reshape(-1, width))

    return vjp


defvjp(
    layer_norm,
    _layer_norm_vjp_x,
    _layer_norm_vjp_weight,
    lambda ans, x, weight, bias, eps: lambda g: g.reshape(-1, x.shape[-1]).sum(axis=0),
    None,
)
