"""Running the checks: a report for programs, and a table for people."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dtgcnn.backends import load_ops
from dtgcnn.ops import ArrayOps

from .comparison import ConformanceFailure
from .probe import Probe
from .registry import TIERS, Check, all_checks
from .tolerances import tolerance_of

__all__ = ["Report", "Result", "check_backend", "load", "perform"]


_LEGEND = "Worst errors, relative to the size of what is expected, and after the stroke the limit."


@dataclass(frozen=True)
class Result:
    """What came of one check; an error is None where nothing was compared."""

    check: Check
    failure: str | None
    value_error: float | None
    gradient_error: float | None
    seconds: float

    @property
    def passed(self) -> bool:
        return self.failure is None


@dataclass(frozen=True)
class Report:
    """What came of all checks of a backend."""

    backend: str
    device: str
    dtype: str
    results: tuple[Result, ...]

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return not self.failures

    @property
    def failures(self) -> tuple[Result, ...]:
        return tuple(result for result in self.results if not result.passed)

    def table(self) -> str:
        """A line for each tier, and then each failure in full."""
        columns = ("checks", "passed", "worst value error", "worst gradient error", "seconds")
        tiers = [tier for tier in TIERS if any(r.check.tier == tier for r in self.results)]
        count, seconds = len(self.results), sum(r.seconds for r in self.results)
        total = (count, count - len(self.failures), "", "", f"{seconds:.1f}")
        lines = [f"{self.backend} on {self.device}, {self.dtype}", "", _row("tier", *columns)]
        lines += [self._line(tier) for tier in tiers]
        lines += [_row("all", *total), "", _LEGEND]
        for r in self.failures:
            lines += ["", f"FAILED {r.check.id}: {r.check.promise}", f"  {r.failure}"]
        return "\n".join(lines)

    def _line(self, tier: str) -> str:
        results = [r for r in self.results if r.check.tier == tier]
        allowed = tolerance_of(self.dtype, tier)
        value = _shown([r.value_error for r in results], allowed.value.rtol)
        gradient = _shown([r.gradient_error for r in results], allowed.gradient.rtol)
        passed, seconds = sum(r.passed for r in results), sum(r.seconds for r in results)
        return _row(tier, len(results), passed, value, gradient, f"{seconds:.1f}")

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON's types."""
        checks = [
            {
                "id": r.check.id,
                "tier": r.check.tier,
                "promise": r.check.promise,
                "passed": r.passed,
                "failure": r.failure,
                "worst_value_error": r.value_error,
                "worst_gradient_error": r.gradient_error,
                "seconds": r.seconds,
            }
            for r in self.results
        ]
        about = {"backend": self.backend, "device": self.device, "dtype": self.dtype}
        return {**about, "passed": self.passed, "checks": checks}


def _row(tier: str, *cells: object) -> str:
    widths = (8, 8, 24, 24, 9)
    return f"{tier:12}" + "".join(f"{cell:>{width}}" for cell, width in zip(cells, widths))


def _shown(errors: Sequence[float | None], allowed: float) -> str:
    known = [error for error in errors if error is not None]
    if not known:
        return "-"
    return f"{max(known):.1e} / {allowed:.0e}" if max(known) > 0.0 else "exact"


def load(name: str, device: str | None = None) -> ArrayOps:
    """The backend of this name, with full float32 products.

    Raises:
        BackendError: it is unknown or cannot be loaded.
        ValueError: it refuses the device.
    """
    os.environ.setdefault("MLX_ENABLE_TF32", "0")
    return load_ops(name) if device is None else load_ops(name, device=device)


def perform(check: Check, probe: Probe) -> None:
    """Put the probe's backend to one check; a broken promise raises ``ConformanceFailure``."""
    with np.errstate(all="ignore"):  # the limits of log and division are asked for on purpose
        check.fn(probe)


def _result_of(check: Check, ops: ArrayOps) -> Result:
    begin, failure, probe = time.perf_counter(), None, Probe(ops, check.tier)
    try:
        perform(check, probe)
    except ConformanceFailure as error:
        failure = str(error)
    except Exception:
        failure = traceback.format_exc()
    seconds = time.perf_counter() - begin
    return Result(check, failure, probe.value_error, probe.gradient_error, seconds)


def check_backend(ops: ArrayOps, tiers: Sequence[str] | None = None) -> Report:
    """Put a backend to every check, or to those of some tiers.

    Raises:
        ValueError: a tier is unknown, or there are no tolerances for the backend's dtype.
    """
    for tier in tiers or ():
        if tier not in TIERS:
            raise ValueError(f"tiers must be among {', '.join(TIERS)}, received {tier!r}")
    tolerance_of(ops.dtype, TIERS[0])
    chosen = [c for c in all_checks() if tiers is None or c.tier in tiers]
    results = tuple(_result_of(check, ops) for check in chosen)
    return Report(ops.name, ops.device, ops.dtype, results)
