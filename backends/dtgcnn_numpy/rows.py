"""Functions of rows, each with its gradient: several passes over what a processor's cache holds, in
blocks of rows over threads, and one entry in autograd's record."""

from __future__ import annotations

from typing import Any

import numpy as np
from autograd.extend import defvjp, defvjp_argnums, primitive

from .erf import erf
from .pool import blocks, each

__all__ = ["l2_normalize", "norm_gelu", "row_distance"]

_NUMBERS = 1 << 16
"""Numbers of a block: a few arrays of as many stay in the cache, and its work outweighs a thread's
wait for the interpreter's lock."""

_SQRT_HALF = 0.7071067811865476
_INV_SQRT_2PI = 0.3989422804014327
_EPS = 1e-12


def _blocks(x: Any) -> list[slice]:
    return blocks(len(x), max(1, _NUMBERS // max(x.shape[1], 1)))


def norm_gelu(x: Any, weight: Any, bias: Any, eps: float, kept: Any, scale: float, h: Any) -> Any:
    """``gelu(layer_norm(x))``, times ``scale`` where ``kept`` holds and 0 elsewhere, plus ``h``."""
    return _norm_gelu(x, weight, bias, h, eps, kept, scale, {})


@primitive
def _norm_gelu(
    x: Any,
    weight: Any,
    bias: Any,
    h: Any,
    eps: float,
    kept: Any,
    scale: float,
    held: dict[str, Any],
) -> Any:
    """``held`` takes what the gradient needs again."""
    out, normed, cdf = (np.empty_like(x) for _ in range(3))
    deviation = np.empty((len(x), 1), x.dtype)

    def work(rows: slice) -> None:
        given, own = x[rows], normed[rows]
        np.subtract(given, given.mean(axis=-1, keepdims=True), out=own)
        variance = np.einsum("nd,nd->n", own, own)[:, None] / x.shape[-1]
        deviation[rows] = 1.0 / np.sqrt(variance + eps)
        own *= deviation[rows]
        y = np.multiply(own, weight, out=out[rows])
        y += bias
        share = cdf[rows]
        share[...] = erf(y * _SQRT_HALF)
        share += 1.0
        share *= 0.5
        y *= share
        if kept is not None:
            y *= kept[rows] * x.dtype.type(scale)
        if h is not None:
            y += h[rows]

    each(work, _blocks(x))
    held.update(normed=normed, cdf=cdf, deviation=deviation)
    return out


def _norm_gelu_vjp(argnums: Any, ans: Any, args: Any, kwargs: Any) -> Any:
    x, weight, bias, _, _, kept, scale, held = args

    def vjp(g: Any) -> Any:
        parts = _blocks(x)
        gx = np.empty_like(x)
        height = parts[0].stop if parts else 1
        of_weight, of_bias = (np.zeros((len(parts), x.shape[1]), x.dtype) for _ in range(2))

        def work(rows: slice) -> None:
            normed, out = held["normed"][rows], gx[rows]
            y = normed * weight
            y += bias
            slope = y * y
            slope *= -0.5
            np.exp(slope, out=slope)
            slope *= y
            slope *= _INV_SQRT_2PI
            slope += held["cdf"][rows]
            slope *= g[rows]
            if kept is not None:
                slope *= kept[rows] * x.dtype.type(scale)
            part = rows.start // height
            np.einsum("nd,nd->d", slope, normed, out=of_weight[part])
            np.sum(slope, axis=0, out=of_bias[part])
            np.multiply(slope, weight, out=out)
            along = np.einsum("nd,nd->n", out, normed)[:, None] / x.shape[-1]
            out -= out.mean(axis=-1, keepdims=True)
            out -= np.multiply(normed, along, out=y)
            out *= held["deviation"][rows]

        each(work, parts)
        found = gx, of_weight.sum(axis=0), of_bias.sum(axis=0), g
        return tuple(found[i] for i in argnums)

    return vjp


defvjp_argnums(_norm_gelu, _norm_gelu_vjp)


def l2_normalize(x: Any) -> Any:
    """Rows at unit length; a zero row stays zero, with a zero gradient."""
    return _l2_normalize(x, {})


@primitive
def _l2_normalize(x: Any, held: dict[str, Any]) -> Any:
    squares = (x * x).sum(axis=-1, keepdims=True)
    zero = squares <= _EPS
    squares[zero] = 1.0
    held["inverse"] = inverse = 1.0 / np.sqrt(squares)
    inverse[zero] = 0.0
    return x * inverse


def _l2_normalize_vjp(ans: Any, x: Any, held: dict[str, Any]) -> Any:
    def vjp(g: Any) -> Any:
        out = ans * (g * ans).sum(axis=-1, keepdims=True)
        np.subtract(g, out, out=out)
        out *= held["inverse"]
        return out

    return vjp


defvjp(_l2_normalize, _l2_normalize_vjp, None)


def row_distance(a: Any, b: Any) -> Any:
    """Euclidean distance of matching rows, by direct differences; of equal rows 0, and its
    gradient."""
    return _row_distance(a, b, {})


@primitive
def _row_distance(a: Any, b: Any, held: dict[str, Any]) -> Any:
    held["difference"] = difference = a - b
    squares = (difference * difference).sum(axis=-1)
    return np.sqrt(np.where(squares <= _EPS, squares.dtype.type(0), squares))


def _row_distance_vjp(sign: float) -> Any:
    def vjp_of(ans: Any, a: Any, b: Any, held: dict[str, Any]) -> Any:
        def vjp(g: Any) -> Any:
            equal = ans == 0.0
            share = sign * np.where(equal, 0.0, g / np.where(equal, 1.0, ans))
            return held["difference"] * share[..., None].astype(ans.dtype)

        return vjp

    return vjp_of


defvjp(_row_distance, _row_distance_vjp(1.0), _row_distance_vjp(-1.0), None)
