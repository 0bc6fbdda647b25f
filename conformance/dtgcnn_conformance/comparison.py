"""Comparing a result with what is expected: shape, dtype, and the worst element."""

from __future__ import annotations

from typing import Any

import numpy as np

from .tolerances import Tolerance

__all__ = ["ConformanceFailure", "compare", "describe", "require"]


class ConformanceFailure(AssertionError):
    """A promise of the protocol that the backend does not keep."""


def require(holds: bool, message: str) -> None:
    """Fail with ``message`` unless the condition holds."""
    if not holds:
        raise ConformanceFailure(message)


def describe(x: Any, dtype: str) -> str:
    """``float32 (3, 4)`` for a host array, floats in ``dtype``; its value for anything else."""
    if isinstance(x, (np.ndarray, np.generic)):
        return f"{dtype if x.dtype.kind == 'f' else x.dtype.name} {x.shape}"
    return repr(x)


def compare(
    what: str,
    actual: Any,
    expected: Any,
    dtype: str,
    tolerance: Tolerance,
    scaled: bool = False,
    slack: Any = 0.0,
) -> float:
    """Hold a host array to the expected one, and return the worst error.

    Args:
        what: the operation and its arguments, for the message.
        actual: what the backend computed, as a host array.
        expected: what it should be. Floats are compared within the tolerance, others exactly.
        dtype: the name of the floating dtype that is expected of floats.
        tolerance: the relative and the absolute part.
        scaled: whether the absolute part is for an array whose largest element is 1.
        slack: a further absolute part, a number or one for each element.

    Raises:
        ConformanceFailure: naming the shapes or dtypes that differ, or the worst element.
    """
    expected = np.asarray(expected)
    wanted = dtype if expected.dtype.kind == "f" else expected.dtype.name
    require(isinstance(actual, np.ndarray), f"{what}: to_numpy gave {type(actual).__name__}")
    require(
        actual.shape == expected.shape,
        f"{what}: the shape is {actual.shape}, expected {expected.shape}",
    )
    require(
        actual.dtype.name == wanted, f"{what}: the dtype is {actual.dtype.name}, expected {wanted}"
    )
    if expected.size == 0:
        return 0.0
    if expected.dtype.kind != "f":
        tolerance = Tolerance(0.0, 0.0)
    a, e = actual.astype(np.float64), expected.astype(np.float64)
    limit = _limit(e, tolerance, scaled) + slack
    off = _distance(a, e)
    share = np.where(off == 0.0, 0.0, off / np.maximum(limit, np.finfo(np.float64).tiny))
    worst = np.unravel_index(np.argmax(share), share.shape)
    if share[worst] > 1.0:
        place = tuple(int(i) for i in worst)
        raise ConformanceFailure(
            f"{what}: {actual.dtype.name} {actual.shape}: element {place} is {actual[worst]}, "
            f"expected {expected[worst]}, off by {off[worst]:.3g} where {limit[worst]:.3g} is "
            f"allowed (rtol {tolerance.rtol:g}, atol {tolerance.atol:g}); "
            f"{int((share > 1.0).sum())} of {share.size} elements are off"
        )
    return float(share[worst]) * tolerance.rtol


def _limit(e: Any, tolerance: Tolerance, scaled: bool) -> Any:
    """How far each element may be off."""
    size = np.where(np.isfinite(e), np.abs(e), 0.0)
    scale = max(1.0, float(size.max())) if scaled else 1.0
    return tolerance.atol * scale + tolerance.rtol * size


def _distance(a: Any, e: Any) -> Any:
    """``|a − e|``: 0 of equal infinities and of two NaN, infinite where one alone is not finite."""
    with np.errstate(invalid="ignore"):
        off = np.where((a == e) | (np.isnan(a) & np.isnan(e)), 0.0, np.abs(a - e))
    return np.where(np.isnan(off), np.inf, off)
