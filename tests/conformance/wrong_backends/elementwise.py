"""Wrong elementwise functions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from autograd.extend import defvjp, primitive
from autograd.tracer import getval
from dtgcnn_numpy import NumpyOps

from .fault import rejected_by


def _coarse_erf(x: Any) -> Any:
    """Abramowitz & Stegun 7.1.25, good to 2.5e-5."""
    t = 1.0 / (1.0 + 0.47047 * np.abs(x))
    tail = t * (0.3480242 + t * (-0.0958798 + t * 0.7478556)) * np.exp(-x * x)
    return (np.sign(x) * (1.0 - tail)).astype(x.dtype)


_coarse = primitive(_coarse_erf)
defvjp(_coarse, lambda ans, x: lambda g: g * (2.0 / math.sqrt(math.pi)) * np.exp(-x * x))


@rejected_by("ops/elementwise")
class CoarseErf(NumpyOps):
    """``erf`` is an approximation too coarse for float32."""

    erf = staticmethod(_coarse)


@rejected_by("ops/elementwise")
class EvenErf(NumpyOps):
    """``erf`` has the same value on both sides of 0."""

    def erf(self, x: Any) -> Any:
        return super().erf(self.abs(x))


@rejected_by("ops/elementwise")
class ClampedExp(NumpyOps):
    """``exp`` is cut at 80, where it should go on to infinity."""

    def exp(self, x: Any) -> Any:
        return super().exp(-self.maximum(-x, -80.0))


@rejected_by("ops/elementwise")
class LogOfALittleMore(NumpyOps):
    """``log`` adds 10⁻⁷, so that 0 has one."""

    def log(self, x: Any) -> Any:
        return super().log(x + 1e-7)


@rejected_by("ops/elementwise")
class RootOfALittleMore(NumpyOps):
    """``sqrt`` adds 10⁻¹², so that its gradient at 0 is finite."""

    def sqrt(self, x: Any) -> Any:
        return super().sqrt(x + 1e-12)


@rejected_by("ops/elementwise")
class ClippedTanh(NumpyOps):
    """``tanh`` is held 10⁻⁵ away from 1."""

    def tanh(self, x: Any) -> Any:
        return super().tanh(x) * (1.0 - 1e-5)


@rejected_by("ops/elementwise")
class FloatAbs(NumpyOps):
    """``abs`` of whole numbers gives floats."""

    def abs(self, x: Any) -> Any:
        out = super().abs(x)
        return out.astype(self.dtype) if out.dtype.kind == "i" else out


@rejected_by("ops/isfinite", "losses/squared_error_of_targets", "training/several_tasks_together")
class NanIsFinite(NumpyOps):
    """``isfinite`` looks for infinity alone."""

    def isfinite(self, x: Any) -> Any:
        return np.abs(getval(x)) != np.inf


@rejected_by("ops/isfinite")
class LargeIsInfinite(NumpyOps):
    """``isfinite`` is false from 10³⁸ on."""

    def isfinite(self, x: Any) -> Any:
        return np.abs(getval(x)) < 1e38


@rejected_by("ops/maximum")
class MaximumOfFloats(NumpyOps):
    """``maximum`` of whole numbers and a scalar gives floats."""

    def maximum(self, x1: Any, x2: Any) -> Any:
        return super().maximum(x1, float(x2) if isinstance(x2, int) else x2)


@rejected_by("ops/where", "losses/squared_error_of_targets", "training/steps_that_overflow")
class WhereByArithmetic(NumpyOps):
    """``where`` is a weighted sum: what is not chosen comes through as NaN."""

    def where(self, condition: Any, x1: Any, x2: Any) -> Any:
        dtype = x1.dtype if hasattr(x1, "dtype") else x2.dtype
        if dtype.kind != "f":
            return super().where(condition, x1, x2)
        chosen = condition.astype(dtype)
        return chosen * x1 + (1.0 - chosen) * x2
