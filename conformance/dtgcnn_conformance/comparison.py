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


def describe(x: Any) -> str:
    """``float32 (3, 4)`` for an array, its value for anything else."""
    if isinstance(x, np.ndarray):
        return f"{x.dtype.name} {x.shape}"
    return repr(x)


def compare(
    what: str, actual: Any, expected: Any, dtype: str, tolerance: Tolerance, slack: Any = 0.0
) -> float:
    """Hold a host array to the expected one, and return the worst error.

    Args:
        what: the operation and its arguments, for the message.
        actual: what the backend computed, as a host array.
        expected: what it should be. Floats are compared within the tolerance, others exactly.
        dtype: the name of the floating dtype that is expected of floats.
        tolerance: the relative and the absolute part.
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
    if expected.dtype.kind != "f":
        tolerance = Tolerance(0.0, 0.0)
    return _worst_error(what, actual, expected, tolerance, slack)


def _worst_error(
    what: str, actual: Any, expected: Any, tolerance: Tolerance, slack: Any
) -> float:
    """The largest error, relative to ``|expected| + (atol + slack) / rtol``."""
    if expected.size == 0:
        return 0.0
    a, e = actual.astype(np.float64), expected.astype(np.float64)
    with np.errstate(invalid="ignore"):
        off = np.where((a == e) | (np.isnan(a) & np.isnan(e)), 0.0, np.abs(a - e))
        off = np.where(np.isnan(off), np.inf, off)
        limit = tolerance.atol + tolerance.rtol * np.where(np.isfinite(e), np.abs(e), 0.0) + slack
        share = np.where(off == 0.0, 0.0, off / np.maximum(limit, np.finfo(np.float64).tiny))
    worst = np.unravel_index(np.argmax(share), share.shape)
    if share[worst] > 1.0:
        place = tuple(int(i) for i in worst)
        rest = f"; {int((share > 1.0).sum())} of {share.size} elements are off"
        raise ConformanceFailure(
            f"{what}: {actual.dtype.name} {actual.shape}: element {place} is {actual[worst]!r}, "
            f"expected {expected[worst]!r}, off by {off[worst]:.3g} where {limit[worst]:.3g} is "
            f"allowed (rtol {tolerance.rtol:g}, atol {tolerance.atol:g}){rest}"
        )
    return float(share[worst]) * tolerance.rtol
