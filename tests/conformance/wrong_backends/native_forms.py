"""Wrong native forms of functions of ``dtgcnn.array.numerics``."""

from __future__ import annotations

import math
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.extend import defvjp, primitive
from autograd.tracer import getval
from dtgcnn_numpy import NumpyOps, native, rows, threefry

from .fault import rejected_by


@rejected_by(
    "gradients/half_products", "training/steps_in_half_precision", "training/steps_that_overflow"
)
class HalvesStayFull(NumpyOps):
    """``half_matmul`` computes in float32."""

    def half_matmul(self, x: Any, weight: Any, precision: str) -> Any:
        return x @ weight


@rejected_by("gradients/half_products", "training/steps_in_half_precision")
class OtherHalf(NumpyOps):
    """``half_matmul`` takes bfloat16 whatever is asked for."""

    def half_matmul(self, x: Any, weight: Any, precision: str) -> Any:
        return native.half_matmul(x, weight, "bfloat16")


@rejected_by("gradients/half_products")
class UnroundedProduct(NumpyOps):
    """``half_matmul`` rounds its factors and not the product."""

    def half_matmul(self, x: Any, weight: Any, precision: str) -> Any:
        return self._rounded(x, precision) @ self._rounded(weight, precision)

    def _rounded(self, x: Any, precision: str) -> Any:
        return native.half_matmul(x, np.eye(x.shape[1], dtype=getval(x).dtype), precision)


@rejected_by("gradients/half_range", "training/steps_that_overflow")
class ClampedHalves(NumpyOps):
    """``half_matmul`` gives float16's largest number where it should overflow."""

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


@rejected_by("gradients/half_gradients", "gradients/half_range")
class GradientsStayFull(NumpyOps):
    """The gradient of ``half_matmul`` is computed in float32."""

    half_matmul = staticmethod(_full_gradient)


@rejected_by("gradients/numerics_functions")
class TanhGelu(NumpyOps):
    """A native GELU is the tanh approximation."""

    def gelu(self, x: Any) -> Any:
        inner = math.sqrt(2.0 / math.pi) * (x + 0.044715 * x * x * x)
        return 0.5 * x * (1.0 + self.tanh(inner))


@rejected_by("gradients/numerics_functions")
class NormOfTheSample(NumpyOps):
    """A native layer norm divides by the unbiased deviation."""

    def layer_norm(self, x: Any, weight: Any, bias: Any, eps: float) -> Any:
        centred = x - anp.mean(x, axis=-1, keepdims=True)
        variance = anp.sum(centred * centred, axis=-1, keepdims=True) / (x.shape[-1] - 1)
        return centred / anp.sqrt(variance + eps) * weight + bias


@rejected_by("gradients/numerics_functions")
class ExpandedDistances(NumpyOps):
    """Native squared distances come from ``|a|² + |b|² − 2ab`` in float32."""

    def squared_distances(self, x: Any) -> Any:
        squares = np.sum(x * x, axis=1)
        return np.maximum(squares[:, None] + squares - 2.0 * (x @ x.T), 0.0)


@rejected_by("gradients/numerics_functions")
class PiecesOfOneLength(NumpyOps):
    """``cut`` makes pieces of one length."""

    def cut(self, x: Any, stops: Any) -> Any:
        size = -(-x.shape[0] // len(stops))
        return [x[size * i : size * (i + 1)] for i in range(len(stops))]


@rejected_by("gradients/numerics_functions")
class NothingAddedInReverse(NumpyOps):
    """The gradient of ``norm_gelu`` forgets what is added."""

    def norm_gelu(self, *given: Any) -> Any:
        return rows.norm_gelu(*given[:-1], getval(given[-1]))


@rejected_by("random/bernoulli", "random/draws_of_any_shape")
class TheSmallestDraws(NumpyOps):
    """``bernoulli`` takes the smallest draws in place of the largest."""

    def bernoulli(self, key: Any, p: float, shape: tuple[int, ...]) -> Any:
        return ~threefry.bernoulli(key, 1.0 - p, shape)
