"""The error function. SciPy's takes 15 ns for a float32 number, most of a training step's time."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy

__all__ = ["erf"]

_TOP = [-2.72614225801306e-10, 2.77068142495902e-08, -2.10102402082508e-06, -5.69250639462346e-05]
_TOP += [-7.34990630326855e-04, -2.95459980854025e-03, -1.60960333262415e-02]
_BOTTOM = [-1.45660718464996e-05, -2.13374055278905e-04, -1.68282697438203e-03]
_BOTTOM += [-7.37332916720468e-03, -1.42647390514189e-02]

_BLOCK = 32768
"""Numbers taken at a time: few enough to stay in the processor's cache."""


def erf(x: Any) -> Any:
    """The error function: in float32 within 5e-7, by Eigen's and XLA's rational function in x²."""
    if x.dtype != np.float32:
        return scipy.special.erf(x)
    out = np.empty(x.shape, np.float32)
    numbers, results = x.reshape(-1), out.reshape(-1)
    for start in range(0, x.size, _BLOCK):
        z = np.clip(numbers[start : start + _BLOCK], -4.0, 4.0)
        square = z * z
        z *= _polynomial(_TOP, square)
        np.divide(z, _polynomial(_BOTTOM, square), out=results[start : start + _BLOCK])
    return out


def _polynomial(coefficients: list[float], x: Any) -> Any:
    """Horner's rule, the highest power first."""
    value = x * coefficients[0]
    value += coefficients[1]
    for coefficient in coefficients[2:]:
        value *= x
        value += coefficient
    return value
