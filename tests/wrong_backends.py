"""Backends that are wrong on purpose, and the check that must reject each."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from autograd.extend import defvjp, primitive
from autograd.tracer import getval
from dtgcnn_numpy import NumpyOps, primitives


class HighestIndexFirst(NumpyOps):
    """Ties of ``top_k`` the wrong way round."""

    def top_k(self, x: Any, k: int) -> tuple[Any, Any]:
        order = np.argsort(-getval(x)[..., ::-1], axis=-1, kind="stable")[..., :k]
        indices = (x.shape[-1] - 1 - order).astype(np.int32)
        return self.take_along_axis(x, indices, -1), indices


class UnstableSort(NumpyOps):
    """Equal values change their order."""

    def argsort(self, x: Any, axis: int = -1) -> Any:
        n = x.shape[axis]
        order = np.argsort(np.flip(getval(x), axis), axis=axis, kind="stable")
        return (n - 1 - order).astype(np.int32)


class LastDuplicateWins(NumpyOps):
    """``scatter_sum`` that assigns where it should add."""

    def scatter_sum(self, x: Any, indices: Any, weights: Any, n: int) -> Any:
        out = np.zeros((n, x.shape[1]), getval(x).dtype)
        out[indices] = getval(weights)[..., None] * getval(x)[:, None, :]
        return out


class BiasedBits(NumpyOps):
    """Random words whose lowest bit is always set."""

    def random_bits(self, key: Any, n: int) -> Any:
        return super().random_bits(key, n) | np.uint32(1)


class BitsOfTheCount(NumpyOps):
    """Random words of which the first depend on how many are drawn."""

    def random_bits(self, key: Any, n: int) -> Any:
        return super().random_bits(key, n + 2)[2:] if n > 200 else super().random_bits(key, n)


class DoubleSum(NumpyOps):
    """``sum`` that accumulates in float64 and stays there."""

    def sum(self, x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
        return self.astype(super().sum(x, axis, keepdims), "float64")


def coarse_erf(x: Any) -> Any:
    """Abramowitz & Stegun 7.1.25, good to 2.5e-5."""
    t = 1.0 / (1.0 + 0.47047 * np.abs(x))
    tail = t * (0.3480242 + t * (-0.0958798 + t * 0.7478556)) * np.exp(-x * x)
    return (np.sign(x) * (1.0 - tail)).astype(x.dtype)


_coarse = primitive(coarse_erf)
defvjp(_coarse, lambda ans, x: lambda g: g * (2.0 / math.sqrt(math.pi)) * np.exp(-x * x))


class CoarseErf(NumpyOps):
    """An approximation that is too coarse for float32."""

    erf = staticmethod(_coarse)


class TanhGelu(NumpyOps):
    """A native GELU that is the tanh approximation."""

    def gelu(self, x: Any) -> Any:
        inner = math.sqrt(2.0 / math.pi) * (x + 0.044715 * x * x * x)
        return 0.5 * x * (1.0 + self.tanh(inner))


class WhereByArithmetic(NumpyOps):
    """``where`` as a weighted sum: what is not chosen comes through as NaN."""

    def where(self, condition: Any, x1: Any, x2: Any) -> Any:
        dtype = x1.dtype if hasattr(x1, "dtype") else x2.dtype
        if dtype.kind != "f":
            return super().where(condition, x1, x2)
        chosen = condition.astype(dtype)
        return chosen * x1 + (1.0 - chosen) * x2


_leaking = primitive(np.where)
defvjp(
    _leaking,
    None,
    lambda ans, c, x1, x2: lambda g: _unbroadcast(g * c * (1.0 + 0.0 * x1), x1),
    lambda ans, c, x1, x2: lambda g: _unbroadcast(g * ~c * (1.0 + 0.0 * x2), x2),
)


def _unbroadcast(g: Any, x: Any) -> Any:
    """A gradient summed over the axes that were broadcast."""
    shape, dtype = np.shape(x), getattr(x, "dtype", g.dtype)
    g = g.sum(axis=tuple(range(g.ndim - len(shape))))
    axes = tuple(i for i, n in enumerate(shape) if n == 1)
    return g.sum(axis=axes, keepdims=True).astype(dtype)


class LeakingWhere(NumpyOps):
    """``where`` whose value is right, and whose gradient lets NaN through."""

    def where(self, condition: Any, x1: Any, x2: Any) -> Any:
        return _leaking(getval(condition), x1, x2)


class NothingStops(NumpyOps):
    """``stop_gradient`` that does nothing."""

    def stop_gradient(self, x: Any) -> Any:
        return x


class NoAux(NumpyOps):
    """``value_and_grad`` that drops aux."""

    def value_and_grad(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        full = super().value_and_grad(fn)

        def without(params: Any, *args: Any) -> Any:
            value, _, gradients = full(params, *args)
            return value, {}, gradients

        return without


class DoubleGradients(NumpyOps):
    """Gradients in float64, whatever the parameters are."""

    def value_and_grad(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        full = super().value_and_grad(fn)

        def widened(params: Any, *args: Any) -> Any:
            value, aux, gradients = full(params, *args)
            return value, aux, _map(lambda g: g.astype(np.float64), gradients)

        return widened


class NoGradientOfWeights(NumpyOps):
    """``gather_sum`` that is not differentiated in its weights."""

    def gather_sum(self, x: Any, indices: Any, weights: Any) -> Any:
        return primitives.gather_sum(x, indices, getval(weights))


class HalfPrecisionProducts(NumpyOps):
    """Nearest neighbours from similarities of ten bits, as reduced-precision products give."""

    def top_k(self, x: Any, k: int) -> tuple[Any, Any]:
        if x.ndim == 2 and x.dtype.kind == "f" and np.abs(getval(x)).max(initial=0.0) <= 1.001:
            x = (np.round(getval(x) * 1024) / 1024).astype(x.dtype)
        return super().top_k(x, k)


class ForgottenStep(NumpyOps):
    """A compiled function that keeps the first result for ever."""

    def compile(self, fn: Any) -> Any:
        kept: list[Any] = []

        def compiled(*args: Any) -> Any:
            if not kept:
                kept.append(fn(*args))
            return kept[0]

        return compiled


def _map(fn: Callable[[Any], Any], tree: Any) -> Any:
    return {k: _map(fn, v) for k, v in tree.items()} if isinstance(tree, dict) else fn(tree)


WRONG = {
    HighestIndexFirst: ("ops", "top_k_takes_the_lowest_index_first"),
    UnstableSort: ("ops", "argsort"),
    LastDuplicateWins: ("ops", "scatter_sum"),
    BiasedBits: ("random", "random_bits"),
    BitsOfTheCount: ("random", "many_random_bits"),
    DoubleSum: ("ops", "sum_"),
    CoarseErf: ("ops", "elementwise"),
    TanhGelu: ("gradients", "numerics_functions"),
    WhereByArithmetic: ("ops", "where"),
    LeakingWhere: ("gradients", "unchosen_side"),
    NothingStops: ("gradients", "stop_gradient"),
    NoAux: ("gradients", "aux_passes_through"),
    DoubleGradients: ("gradients", "gradients_have_the_form_of_params"),
    NoGradientOfWeights: ("gradients", "neighbour_sums"),
    HalfPrecisionProducts: ("graph", "nearest_neighbours"),
    ForgottenStep: ("training", "compiled_step"),
}
"""Each wrong backend, and the tier and check that must reject it."""
