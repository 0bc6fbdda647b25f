"""How far a backend may be from the float64 reference, in one table.

A value ``a`` agrees with the reference's ``e`` where ``|a − e| ≤ atol + rtol · |e|``. The error that
a report shows is ``|a − e| / (|e| + atol / rtol)``, so it may be at most ``rtol``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["TOLERANCES", "Tolerance", "TierTolerance", "tolerance_of"]


class Tolerance(NamedTuple):
    """The relative and the absolute part."""

    rtol: float
    atol: float


@dataclass(frozen=True)
class TierTolerance:
    """What a tier allows, and why."""

    value: Tolerance
    gradient: Tolerance
    reason: str


_EXACT = Tolerance(0.0, 0.0)

_FLOAT32 = {
    "ops": TierTolerance(
        Tolerance(4e-6, 4e-7),
        _EXACT,
        "a few units in the last place (6e-8) of vendors' exp, tanh and erf, and sums of some "
        "thousand terms in any order",
    ),
    "gradients": TierTolerance(
        Tolerance(1e-5, 2e-6),
        Tolerance(2e-5, 4e-6),
        "an operation or two and a weighted sum of up to 50 terms, which may cancel; the central "
        "difference itself is good to 1e-8",
    ),
    "random": TierTolerance(
        _EXACT, _EXACT, "bits are equal, and a uniform number is a multiple of 2⁻²⁴: no rounding"
    ),
    "graph": TierTolerance(
        Tolerance(5e-6, 5e-7),
        _EXACT,
        "a cosine is a dot product of two rounded unit rows; a weight is a quotient of small "
        "whole numbers and a square root",
    ),
    "layers": TierTolerance(
        Tolerance(2e-5, 4e-6),
        Tolerance(5e-5, 1e-5),
        "up to three layers: products over some 10 terms, and norms that divide by a deviation "
        "below 1",
    ),
    "losses": TierTolerance(
        Tolerance(1e-5, 1e-6),
        Tolerance(2e-5, 2e-6),
        "direct differences of rows lose nothing, and one hinge and one mean follow",
    ),
    "optimisers": TierTolerance(
        Tolerance(4e-6, 4e-7),
        _EXACT,
        "twenty steps of elementwise arithmetic on given gradients; a running mean forgets its "
        "rounding",
    ),
    "training": TierTolerance(
        Tolerance(5e-5, 5e-6),
        Tolerance(2e-4, 1e-5),
        "one whole step from equal state: graph, layers, mining, loss and their gradients",
    ),
}

_FLOAT64 = {
    tier: TierTolerance(
        Tolerance(entry.value.rtol * 1e-6, entry.value.atol * 1e-6),
        Tolerance(entry.gradient.rtol * 1e-6, entry.gradient.atol * 1e-6),
        "as in float32, and the tighter by 10⁶: two more digits are left to another order of sums",
    )
    for tier, entry in _FLOAT32.items()
}

TOLERANCES: dict[str, dict[str, TierTolerance]] = {"float32": _FLOAT32, "float64": _FLOAT64}

DIFFERENCES = Tolerance(2e-7, 2e-8)
"""The accuracy of a central difference of step 1e-5 in float64: an error of its square, and the
rounding of the value, 1e-16, over the step."""


def tolerance_of(dtype: str, tier: str) -> TierTolerance:
    """What ``tier`` allows to a backend that computes in ``dtype``.

    Raises:
        ValueError: there is no table for this dtype.
    """
    if dtype not in TOLERANCES:
        known = ", ".join(TOLERANCES)
        raise ValueError(f"the backend's dtype must be one of {known}, received {dtype!r}")
    return TOLERANCES[dtype][tier]
