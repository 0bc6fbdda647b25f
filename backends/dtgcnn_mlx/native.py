"""Functions of ``dtgcnn.array.numerics`` in few operations of MLX, with gradients of their own.

``mx.compile`` makes equal expressions one, and a value that is read twice ends a fused kernel. So
what is cheap to compute again is written in another form where it is needed again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import mlx.core as mx

__all__ = ["cut", "gather_sum", "l2_normalize", "norm_gelu", "relu", "row_distance"]

_EPS = 1e-12
_PIECES = 10
"""``mx.split`` makes so many by one operation, and of more one by one."""

_ROOT_HALF, _DENSITY = 0.7071067811865476, 0.3989422804014327


def relu(x: Any) -> Any:
    """``x`` where positive, else 0, with a gradient of 0 at 0."""
    return mx.maximum(x, 0.0)


def gather_sum(x: Any, indices: Any, weights: Any) -> Any:
    """``out_i = Σ_k weights_ik · x[indices_ik]``, as one product for each i."""
    return mx.squeeze(weights[:, None] @ mx.take(x, mx.stop_gradient(indices), axis=0), axis=1)


def cut(x: Any, bounds: Sequence[int]) -> list[Any]:
    """The entries of a vector from each of ``bounds`` to the next."""
    found: list[Any] = []
    while len(bounds) > 2:  # the last piece of a split is what is left
        inner = bounds[1:-1][: _PIECES - 1]
        *whole, x = mx.split(x, [stop - bounds[0] for stop in inner])
        found, bounds = found + whole, bounds[len(inner) :]
    return [*found, x]


@mx.custom_function
def _unit(x: Any) -> Any:
    squares = mx.sum(x * x, axis=-1, keepdims=True)
    zero = squares <= _EPS
    inverse = mx.where(zero, 0.0, 1.0 / mx.sqrt(mx.where(zero, 1.0, squares)))
    return x * inverse, squares


@_unit.vjp
def _unit_vjp(x: Any, cotangents: Any, outputs: Any) -> Any:
    g, (y, squares) = cotangents[0], outputs
    inverse = mx.where(squares > _EPS, mx.rsqrt(squares), 0.0)
    return inverse * (g - y * mx.sum(g * y, axis=-1, keepdims=True))


def l2_normalize(x: Any) -> Any:
    """Rows at unit length; a zero row stays zero, with a zero gradient."""
    outputs: Any = _unit(x)
    return outputs[0]


@mx.custom_function
def row_distance(a: Any, b: Any) -> Any:
    """Euclidean distance of matching rows, 0 with gradient 0 of equal ones."""
    difference = a - b
    squares = mx.sum(difference * difference, axis=-1)
    equal = squares <= _EPS
    return mx.where(equal, 0.0, mx.sqrt(mx.where(equal, 1.0, squares)))


@row_distance.vjp
def _row_distance_vjp(rows: Any, g: Any, d: Any) -> Any:
    (a, b), equal = rows, d == 0.0
    slope = mx.where(equal, 0.0, g / mx.where(equal, 1.0, d))[..., None]
    return (a + -b) * slope, (b - a) * slope


@cache
def _norm_gelu(eps: float, scale: float, drops: bool, adds: bool) -> Callable[..., Any]:
    @mx.custom_function
    def forward(x: Any, weight: Any, bias: Any, kept: Any, h: Any) -> Any:
        width = x.shape[-1]
        total = mx.sum(x, axis=-1, keepdims=True)
        squares = mx.sum(mx.square(x - total / width), axis=-1, keepdims=True)
        inverse = mx.rsqrt(squares / width + eps) / width
        y = (x * width - total) * inverse * weight + bias
        out = y * (0.5 * scale) * (1.0 + mx.erf(y * _ROOT_HALF))
        out = mx.where(kept, out, 0.0) if drops else out
        return out + h if adds else out, total, inverse

    @forward.vjp
    def backward(given: Any, cotangents: Any, outputs: Any) -> Any:
        (x, weight, bias, kept, h), (_, total, inverse) = given, outputs
        width, column = x.shape[-1], weight[:, None]
        normal = (x - total / width) * (inverse * width)
        y = normal * weight + bias
        slope = 0.5 * (1.0 + mx.erf(y * _ROOT_HALF)) + y * mx.exp(-0.5 * y * y) * _DENSITY
        g = cotangents[0] * slope
        g = g * (kept.astype(x.dtype) * scale) if drops else g
        scaled = g * normal
        mean, along = g @ column, scaled @ column
        dx = inverse * (g * weight * width - mean - normal * along)
        of_h = cotangents[0] if adds else mx.zeros_like(h)
        return dx, mx.sum(scaled, axis=0), mx.sum(g, axis=0), mx.zeros_like(kept), of_h

    return forward


def norm_gelu(x: Any, weight: Any, bias: Any, eps: float, kept: Any, scale: float, h: Any) -> Any:
    """``gelu(layer_norm(x))``, times ``scale`` where ``kept`` holds and 0 elsewhere, plus ``h``."""
    drops, adds = kept is not None, h is not None
    kept, h = (kept if drops else mx.array(True)), (h if adds else mx.array(0.0))
    return _norm_gelu(eps, scale if drops else 1.0, drops, adds)(x, weight, bias, kept, h)[0]
