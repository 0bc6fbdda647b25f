"""Backends that are wrong on purpose, and the check that must reject each."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from autograd.extend import defvjp, primitive
from autograd.tracer import getval
from dtgcnn_numpy import NumpyOps, native, primitives


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


class HalvesStayFull(NumpyOps):
    """``half_matmul`` that computes in float32."""

    def half_matmul(self, x: Any, weight: Any, precision: str) -> Any:
        return x @ weight


class OtherHalf(NumpyOps):
    """``half_matmul`` that takes bfloat16 whatever is asked for."""

    def half_matmul(self, x: Any, weight: Any, precision: str) -> Any:
        return native.half_matmul(x, weight, "bfloat16")


class UnroundedProduct(NumpyOps):
    """``half_matmul`` that rounds its factors and not the product."""

    def half_matmul(self, x: Any, weight: Any, precision: str) -> Any:
        return self._rounded(x, precision) @ self._rounded(weight, precision)

    def _rounded(self, x: Any, precision: str) -> Any:
        return native.half_matmul(x, np.eye(x.shape[1], dtype=getval(x).dtype), precision)


class ClampedHalves(NumpyOps):
    """``half_matmul`` that gives float16's largest number where it should overflow."""

    def half_matmul(self, x: Any, weight: Any, precision: str) -> Any:
        return _clamped(x, weight, precision)


def _largest_at_most(x: Any, precision: str) -> Any:
    return np.clip(x, -65504.0, 65504.0).astype(x.dtype) if precision == "float16" else x


@primitive
def _clamped(x: Any, weight: Any, precision: str) -> Any:
    out = native.half_matmul(
        _largest_at_most(x, precision), _largest_at_most(weight, precision), precision
    )
    return _largest_at_most(out, precision)


defvjp(
    _clamped,
    lambda ans, x, weight, precision: lambda g: _clamped(g, weight.T, precision),
    lambda ans, x, weight, precision: lambda g: _clamped(x.T, g, precision),
    None,
)


@primitive
def _full_gradient(x: Any, weight: Any, precision: str) -> Any:
    return native.half_matmul(x, weight, precision)


defvjp(
    _full_gradient,
    lambda ans, x, weight, precision: lambda g: g @ weight.T,
    lambda ans, x, weight, precision: lambda g: x.T @ g,
    None,
)


class GradientsStayFull(NumpyOps):
    """``half_matmul`` whose value is right, and whose gradient is computed in float32."""

    half_matmul = staticmethod(_full_gradient)


class NanIsFinite(NumpyOps):
    """``isfinite`` that looks for infinity alone."""

    def isfinite(self, x: Any) -> Any:
        return np.abs(getval(x)) != np.inf


class CheckpointOfArraysOnly(NumpyOps):
    """``checkpoint`` that differentiates arrays, and takes a dict for a constant."""

    def checkpoint(self, fn: Any) -> Any:
        def again(*args: Any) -> Any:
            return fn(*(_map(getval, a) if isinstance(a, dict) else a for a in args))

        return again


class CheckpointDropsTheRest(NumpyOps):
    """``checkpoint`` that gives zeros for what is returned beside the first array."""

    def checkpoint(self, fn: Any) -> Any:
        def again(*args: Any) -> Any:
            out = fn(*args)
            if not isinstance(out, tuple):
                return out
            return out[0], *(_map(lambda x: 0.0 * x, rest) for rest in out[1:])

        return again


class OneGradientBuffer(NumpyOps):
    """``value_and_grad`` that writes each parameter's gradient to the same memory every time."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._buffers: dict[Any, Any] = {}

    def value_and_grad(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        full = super().value_and_grad(fn)

        def buffered(params: Any, *args: Any) -> Any:
            value, aux, gradients = full(params, *args)
            return value, aux, self._write(gradients, ())

        return buffered

    def _write(self, tree: Any, path: tuple[str, ...]) -> Any:
        if isinstance(tree, dict):
            return {name: self._write(sub, (*path, name)) for name, sub in tree.items()}
        buffer = self._buffers.setdefault((path, tree.shape), np.empty_like(tree))
        buffer[...] = tree
        return buffer


class TruncatedNumbers(NumpyOps):
    """``asarray`` that rounds float64 towards zero."""

    def asarray(self, x: Any, dtype: str | None = None) -> Any:
        near = super().asarray(x, dtype)
        exact = np.asarray(x)
        if near.dtype != np.float32 or exact.dtype != np.float64:
            return near
        far = np.abs(near.astype(np.float64)) > np.abs(exact)
        return np.where(far, np.nextafter(near, np.float32(0.0)), near)


class HostInDecimals(NumpyOps):
    """``to_numpy`` that keeps eight decimal places."""

    def to_numpy(self, x: Any) -> Any:
        host = super().to_numpy(x)
        return np.round(host, 8) if host.dtype.kind == "f" else host


class UnshiftedMaximum(NumpyOps):
    """``max`` over an axis that is the mean, which is enough for a softmax of small numbers."""

    def max(self, x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
        return self.sum(x, axis, keepdims) / x.shape[axis or 0]


class WholeNumbers(NumpyOps):
    """``asarray`` that takes a 0-d array of a float for a whole number."""

    def asarray(self, x: Any, dtype: str | None = None) -> Any:
        out = super().asarray(x, dtype)
        return np.round(out) if out.ndim == 0 and out.dtype.kind == "f" else out


def _map(fn: Callable[[Any], Any], tree: Any) -> Any:
    return {k: _map(fn, v) for k, v in tree.items()} if isinstance(tree, dict) else fn(tree)


WRONG: tuple[tuple[type[NumpyOps], str, str], ...] = (
    (HighestIndexFirst, "ops", "top_k_takes_the_lowest_index_first"),
    (UnstableSort, "ops", "argsort"),
    (UnstableSort, "training", "difficulties_of_triplets"),
    (LastDuplicateWins, "ops", "scatter_sum"),
    (BiasedBits, "random", "random_bits"),
    (BiasedBits, "random", "normal"),
    (BitsOfTheCount, "random", "many_random_bits"),
    (TruncatedNumbers, "random", "normal"),
    (TruncatedNumbers, "layers", "initialisers"),
    (DoubleSum, "ops", "sum_"),
    (CoarseErf, "ops", "elementwise"),
    (TanhGelu, "gradients", "numerics_functions"),
    (WhereByArithmetic, "ops", "where"),
    (WhereByArithmetic, "losses", "squared_error_of_targets"),
    (WhereByArithmetic, "training", "steps_that_overflow"),
    (LeakingWhere, "gradients", "unchosen_side"),
    (NothingStops, "gradients", "stop_gradient"),
    (NoAux, "gradients", "aux_passes_through"),
    (DoubleGradients, "gradients", "gradients_have_the_form_of_params"),
    (NoGradientOfWeights, "gradients", "neighbour_sums"),
    (HalvesStayFull, "gradients", "half_products"),
    (HalvesStayFull, "training", "steps_in_half_precision"),
    (HalvesStayFull, "training", "steps_that_overflow"),
    (OtherHalf, "gradients", "half_products"),
    (OtherHalf, "training", "steps_in_half_precision"),
    (UnroundedProduct, "gradients", "half_products"),
    (ClampedHalves, "gradients", "half_range"),
    (ClampedHalves, "training", "steps_that_overflow"),
    (GradientsStayFull, "gradients", "half_gradients"),
    (GradientsStayFull, "gradients", "half_range"),
    (NanIsFinite, "losses", "squared_error_of_targets"),
    (NanIsFinite, "training", "several_tasks_together"),
    (UnshiftedMaximum, "losses", "cross_entropy_of_classes"),
    (WholeNumbers, "losses", "margin_of_the_batch"),
    (CheckpointOfArraysOnly, "training", "recomputed_layers"),
    (CheckpointDropsTheRest, "training", "recomputed_layers"),
    (OneGradientBuffer, "training", "cached_gradients"),
    (HostInDecimals, "training", "state_on_the_host"),
    (HalfPrecisionProducts, "graph", "nearest_neighbours"),
    (ForgottenStep, "training", "compiled_step"),
)
"""Each wrong backend, and the tier and a check that must reject it."""
