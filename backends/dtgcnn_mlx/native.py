"""Functions of ``dtgcnn.array.numerics`` in few operations of MLX, with gradients of their own.

``mx.compile`` makes equal expressions one, and a value that is read twice ends a fused kernel. So
what is cheap to compute again is written in another form where it is needed again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import mlx.core as mx

__all__ = ["cut", "l2_normalize", "norm_gelu", "relu", "row_distance"]

_EPS = 1e-12
_PIECES = 10
"""``mx.split`` makes so many by one operation, and of more one by one."""

_ROOT_HALF, _DENSITY = 0.7071067811865476, 0.3989422804014327


def relu(x: Any) -> Any:
    """``x`` where positive, else 0, with a gradient of 0 at 0."""
    return mx.maximum(x, 0.0)


def cut(x: Any, bounds: Sequence[int]) -> list[Any]:
    """The entries of a vector from each of ``bounds`` to the next."""
    groups = [bounds[i : i + _PIECES + 1] for i in range(0, len(bounds) - 1, _PIECES)]
    parts = mx.split(x, [group[0] for group in groups[1:]]) if len(groups) > 1 else [x]
    found: list[Any] = []
    for group, part in zip(groups, parts, strict=True):
        inner = [stop - group[0] for stop in group[1:-1]]
        found += mx.split(part, inner) if inner else [part]
    return found


@mx.custom_function
def _unit(x: Any) -> Any:
    squares = mx.sum(x * x, axis=-1, keepdims=True)
    zero = squares <= _EPS
    inverse = mx.where(zero, 0.0, 1.0 / mx.sqrt(mx.where(zero, 1.0, squares)))
    return x * inverse, inverse


@_unit.vjp
def _unit_vjp(x: Any, cotangents: Any, outputs: Any) -> Any:
    g, (y, inverse) = cotangents[0], outputs
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
def _norm_gelu(eps: float, scale: float, drops: bool) -> Callable[..., Any]:
    @mx.custom_function
    def forward(x: Any, weight: Any, bias: Any, kept: Any) -> Any:
        width = x.shape[-1]
        total = mx.sum(x, axis=-1, keepdims=True)
        squares = mx.sum(mx.square(x - total / width), axis=-1, keepdims=True)
        inverse = mx.rsqrt(squares / width + eps) / width
        y = (x * width - total) * inverse * weight + bias
        out = y * (0.5 * scale) * (1.0 + mx.erf(y * _ROOT_HALF))
        return mx.where(kept, out, 0.0) if drops else out, total, inverse

    @forward.vjp
    def backward(given: Any, cotangents: Any, outputs: Any) -> Any:
        (x, weight, bias, kept), (_, total, inverse) = given, outputs
        width, column = x.shape[-1], weight[:, None]
        normal = (x - total / width) * (inverse * width)
        y = normal * weight + bias
        slope = 0.5 * (1.0 + mx.erf(y * _ROOT_HALF)) + y * mx.exp(-0.5 * y * y) * _DENSITY
        g = cotangents[0] * slope
        g = g * (kept.astype(x.dtype) * scale) if drops else g
        scaled = g * normal
        mean, along = g @ column, scaled @ column
        dx = inverse * (g * weight * width - mean - normal * along)
        return dx, mx.sum(scaled, axis=0), mx.sum(g, axis=0), mx.zeros_like(kept)

    return forward


def norm_gelu(x: Any, weight: Any, bias: Any, eps: float, kept: Any, scale: float) -> Any:
    """``gelu(layer_norm(x))``, times ``scale`` where ``kept`` holds and 0 elsewhere."""
    if kept is None:
        return _norm_gelu(eps, 1.0, False)(x, weight, bias, mx.array(True))[0]
    return _norm_gelu(eps, scale, True)(x, weight, bias, kept)[0]
