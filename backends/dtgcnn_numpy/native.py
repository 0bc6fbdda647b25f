"""Native forms of functions of ``dtgcnn.array.numerics``.

What the gradient needs again is computed beside the primitive, and handed to it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from autograd.extend import defvjp, primitive
from autograd.tracer import getval

from .erf import erf

__all__ = ["gelu", "half_matmul", "layer_norm", "squared_distances"]

_SQRT_HALF = 0.7071067811865476
_INV_SQRT_2PI = 0.3989422804014327
_SAME = 1e-13
"""Rows whose squared distance is a smaller share of their squared lengths are equal in float32."""


def gelu(x: Any) -> Any:
    """``x Φ(x)``; its gradient takes the same ``Φ(x)``."""
    cdf = erf(getval(x) * _SQRT_HALF)
    cdf += 1.0
    cdf *= 0.5
    return _gelu(x, cdf)


@primitive
def _gelu(x: Any, cdf: Any) -> Any:
    return x * cdf


def _gelu_vjp(ans: Any, x: Any, cdf: Any) -> Any:
    def vjp(g: Any) -> Any:
        slope = np.asarray(x * x)  # a 0-d product is a scalar
        slope *= -0.5
        np.exp(slope, out=slope)
        slope *= x
        slope *= _INV_SQRT_2PI
        slope += cdf
        slope *= g
        return slope

    return vjp


defvjp(_gelu, _gelu_vjp, None)


@primitive
def half_matmul(x: Any, weight: Any, precision: str) -> Any:
    """``x @ weight``, operands and result rounded to half precision, summed in the own dtype."""
    return _rounded(_rounded(x, precision) @ _rounded(weight, precision), precision)


defvjp(
    half_matmul,
    lambda ans, x, weight, precision: lambda g: half_matmul(g, weight.T, precision),
    lambda ans, x, weight, precision: lambda g: half_matmul(x.T, g, precision),
    None,
)


def _rounded(x: Any, precision: str) -> Any:
    """``x`` rounded to half precision, to nearest with ties to even, in its own dtype."""
    with np.errstate(over="ignore", under="ignore"):
        if precision == "float16":
            return x.astype(np.float16).astype(x.dtype)
        bits = x.astype(np.float32).view(np.uint32)  # bfloat16 is the upper half of float32
    upper = (bits + (0x7FFF + (bits >> 16 & 1))) & np.uint32(0xFFFF0000)
    rounded = upper.view(np.float32).astype(x.dtype)
    return np.where(np.isfinite(x), rounded, x)


def layer_norm(x: Any, weight: Any, bias: Any, eps: float) -> Any:
    """``(x − mean) / √(var + eps) · weight + bias`` over the last axis; its gradient takes the same
    standardised rows."""
    return _layer_norm(x, weight, bias, *_standardise(getval(x), eps))


def _standardise(x: Any, eps: float) -> tuple[Any, Any]:
    centred = x - x.mean(axis=-1, keepdims=True)
    variance = np.einsum("...d,...d->...", centred, centred)[..., None] / x.shape[-1]
    scale = 1.0 / np.sqrt(variance + eps)
    centred *= scale
    return centred, scale


@primitive
def _layer_norm(x: Any, weight: Any, bias: Any, normed: Any, scale: Any) -> Any:
    out = normed * weight
    out += bias
    return out


def _layer_norm_vjp_x(ans: Any, x: Any, weight: Any, bias: Any, normed: Any, scale: Any) -> Any:
    def vjp(g: Any) -> Any:
        gw = g * weight
        along = np.einsum("...d,...d->...", gw, normed)[..., None] / x.shape[-1]
        gw -= gw.mean(axis=-1, keepdims=True)
        gw -= normed * along
        gw *= scale
        return gw

    return vjp


def _layer_norm_vjp_weight(
    ans: Any, x: Any, weight: Any, bias: Any, normed: Any, scale: Any
) -> Any:
    def vjp(g: Any) -> Any:
        width = x.shape[-1]
        return np.einsum("nd,nd->d", g.reshape(-1, width), normed.reshape(-1, width))

    return vjp


defvjp(
    _layer_norm,
    _layer_norm_vjp_x,
    _layer_norm_vjp_weight,
    lambda ans, x, *rest: lambda g: g.reshape(-1, x.shape[-1]).sum(axis=0),
    None,
    None,
)


def squared_distances(x: Any) -> Any:
    """(B, B) squared distances of rows, never differentiated: by direct differences in float64; of
    float32 by the expanded formula in float64, where rows that are equal in float32 give 0."""
    x = getval(x)
    if x.dtype == np.float64:
        return np.array([np.square(x - row).sum(axis=1) for row in x]).reshape(len(x), len(x))
    wide = x.astype(np.float64)  # in which the expanded formula keeps near rows apart
    squares = np.einsum("nd,nd->n", wide, wide)
    lengths = squares[:, None] + squares
    out = wide @ wide.T
    out *= -2.0
    out += lengths
    lengths *= _SAME
    out[out <= lengths] = 0.0
    return out.astype(x.dtype)
