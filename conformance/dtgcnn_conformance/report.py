"""What came of the checks: for programs, and as tables for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .registry import TIERS, Check
from .tolerances import tolerance_of

__all__ = ["Report", "Result", "summary"]


_LEGEND = "Worst errors, relative to the size of what is expected, and after the stroke the limit."


@dataclass(frozen=True)
class Result:
    """What came of one check; an error is None where nothing was compared.

    ``failure`` says what failed, of a check that was declared to fail too; ``declared`` is the
    reason that was declared, None where none was.
    """

    check: Check
    failure: str | None
    declared: str | None
    value_error: float | None
    gradient_error: float | None
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether the backend keeps the promise."""
        return self.failure is None

    @property
    def expected(self) -> bool:
        """Whether that is what was to be: a pass, or a failure that was declared."""
        return self.passed == (self.declared is None)

    def lines(self) -> list[str]:
        """What there is to say of a check that did not simply pass."""
        title = f"{self.check.id}: {self.check.promise}"
        if self.declared is None:
            return ["", f"FAILED {title}", f"  {self.failure}"]
        if self.passed:
            return ["", f"FAILED {title}", f"  it passes, and is declared to fail: {self.declared}"]
        return ["", f"declared to fail: {title}", f"  {self.declared}"]


@dataclass(frozen=True)
class Report:
    """What came of all checks of a backend."""

    backend: str
    device: str
    dtype: str
    results: tuple[Result, ...]

    @property
    def passed(self) -> bool:
        """Whether every check came out as expected."""
        return not self.failures

    @property
    def failures(self) -> tuple[Result, ...]:
        """What did not: failures, and passes that were declared to fail."""
        return tuple(result for result in self.results if not result.expected)

    @property
    def tiers(self) -> list[str]:
        """The tiers of which there are results, in their order."""
        return [tier for tier in TIERS if self.of_tier(tier)]

    def of_tier(self, tier: str) -> list[Result]:
        """The results of one tier."""
        return [result for result in self.results if result.check.tier == tier]

    def table(self) -> str:
        """A line for each tier, and then each failure in full."""
        columns = ("checks", "passed", "worst value error", "worst gradient error", "seconds")
        count, passed = len(self.results), sum(r.passed for r in self.results)
        seconds = sum(r.seconds for r in self.results)
        lines = [f"{self.backend} on {self.device}, {self.dtype}", "", _row("tier", *columns)]
        lines += [self._line(tier) for tier in self.tiers]
        lines += [_row("all", count, passed, "", "", f"{seconds:.1f}"), "", _LEGEND]
        for result in self.results:
            if not (result.passed and result.expected):
                lines += result.lines()
        return "\n".join(lines)

    def _line(self, tier: str) -> str:
        results, allowed = self.of_tier(tier), tolerance_of(self.dtype, tier)
        value, gradient = (
            shown if error in (None, 0.0) else f"{shown} / {limit:.0e}"
            for (error, shown), limit in zip(
                _worst(results), (allowed.value.rtol, allowed.gradient.rtol)
            )
        )
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
                "declared": r.declared,
                "worst_value_error": r.value_error,
                "worst_gradient_error": r.gradient_error,
                "seconds": r.seconds,
            }
            for r in self.results
        ]
        about = {"backend": self.backend, "device": self.device, "dtype": self.dtype}
        return {**about, "passed": self.passed, "checks": checks}


def summary(reports: Sequence[Report]) -> str:
    """Backends side by side, as a table in Markdown: checks passed, and the worst errors of values
    and of gradients."""
    head = ["tier", *(f"{r.backend} on {r.device}, {r.dtype}" for r in reports)]
    tiers = [tier for tier in TIERS if any(r.of_tier(tier) for r in reports)]
    rows = [[tier, *(_cell(r.of_tier(tier)) for r in reports)] for tier in tiers]
    passed = (f"{sum(x.passed for x in r.results)} of {len(r.results)}" for r in reports)
    seconds = (f"{sum(x.seconds for x in r.results):.0f} s" for r in reports)
    rows.append(["all", *(f"{p}, {s}" for p, s in zip(passed, seconds))])
    lines = [" | ".join(row) for row in (head, ["---"] * len(head), *rows)]
    return "\n".join(f"| {line} |" for line in lines)


def _cell(results: Sequence[Result]) -> str:
    value, gradient = (shown for _, shown in _worst(results))
    return f"{sum(r.passed for r in results)} of {len(results)}: {value}, {gradient}"


def _worst(results: Sequence[Result]) -> tuple[tuple[float | None, str], ...]:
    """The worst error of values and of gradients, and how it is shown."""
    return _largest([r.value_error for r in results]), _largest([r.gradient_error for r in results])


def _largest(errors: Sequence[float | None]) -> tuple[float | None, str]:
    known = [error for error in errors if error is not None]
    if not known:
        return None, "-"
    return max(known), f"{max(known):.1e}" if max(known) > 0.0 else "exact"


def _row(tier: str, *cells: object) -> str:
    widths = (8, 8, 24, 24, 9)
    return f"{tier:12}" + "".join(f"{cell:>{width}}" for cell, width in zip(cells, widths))
