"""How far a backend may be from the float64 reference, in one table.

A value ``a`` agrees with the reference's ``e`` where ``|a − e| ≤ atol · s + rtol · |e|``. The scale
``s`` is 1 for single operations. Where many operations follow each other, the terms of an element
may cancel: there ``s`` is the array's largest ``|e|``, or 1 where that is more. The error that a
report shows is ``|a − e| / (|e| + s · atol / rtol)``, so it may be at most ``rtol``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["DIFFERENCES", "HALF_PRODUCTS", "HALF_STEPS", "IN_PARTS", "LONG_SUMS", "RECOMPUTED"]
__all__ += ["TOLERANCES"]
__all__ += ["TierTolerance", "Tolerance", "tolerance_of"]


class Tolerance(NamedTuple):
    """The relative and the absolute part."""

    rtol: float
    atol: float


@dataclass(frozen=True)
class TierTolerance:
    """What a tier allows, and why."""

    value: Tolerance
    gradient: Tolerance
    scaled: bool
    """Whether ``s`` is the array's largest element."""
    reason: str


_EXACT = Tolerance(0.0, 0.0)

_FLOAT32 = {
    "ops": TierTolerance(
        Tolerance(4e-6, 1e-6),
        _EXACT,
        False,
        "some units in the last place (6e-8) of a vendor's exp, tanh and erf, and sums of 40 to "
        "4,000 terms of size 1 in any order",
    ),
    "gradients": TierTolerance(
        Tolerance(1e-5, 1e-6),
        Tolerance(1e-5, 1e-6),
        True,
        "an operation or two, and a weighted sum of up to 50 terms, which may cancel",
    ),
    "random": TierTolerance(
        _EXACT,
        _EXACT,
        False,
        "bits are equal, and a uniform number is a multiple of 2⁻²⁴: nothing is rounded",
    ),
    "graph": TierTolerance(
        Tolerance(4e-6, 4e-7),
        _EXACT,
        True,
        "a cosine is a product of two rounded unit rows; a weight is a quotient of small whole "
        "numbers and a square root",
    ),
    "layers": TierTolerance(
        Tolerance(2e-5, 4e-6),
        Tolerance(5e-5, 1e-5),
        True,
        "up to three layers: products of some 10 terms, and norms that divide by deviations "
        "below 1",
    ),
    "losses": TierTolerance(
        Tolerance(4e-6, 4e-7),
        Tolerance(1e-5, 1e-6),
        True,
        "direct differences of rows lose nothing, and one hinge and one mean follow",
    ),
    "optimisers": TierTolerance(
        Tolerance(4e-6, 4e-7),
        _EXACT,
        False,
        "twenty steps of elementwise arithmetic on given gradients; a running mean forgets its "
        "rounding",
    ),
    "training": TierTolerance(
        Tolerance(2e-5, 2e-6),
        Tolerance(5e-5, 5e-6),
        True,
        "one whole step from equal numbers: graph, layers, mining, loss and their gradients",
    ),
    "groups": TierTolerance(
        _EXACT,
        _EXACT,
        False,
        "arrays are sent as they are, and sums are added in the order of the parts",
    ),
    "determinism": TierTolerance(
        Tolerance(1e-6, 1e-6),
        _EXACT,
        False,
        "an embedding of unit length, of whose sums a GPU may take the terms in another order; on "
        "a CPU the same bits",
    ),
    "errors": TierTolerance(_EXACT, _EXACT, False, "nothing is computed"),
}

_FINER = 1e-7
"""float64 rounds 5e8 times finer than float32. A fiftieth of that is left to constants that a
library knows to 16 digits only, and to squares of small deviations."""


def _finer(tolerance: Tolerance) -> Tolerance:
    return Tolerance(tolerance.rtol * _FINER, tolerance.atol * _FINER)


_FLOAT64 = {
    tier: TierTolerance(_finer(entry.value), _finer(entry.gradient), entry.scaled, entry.reason)
    for tier, entry in _FLOAT32.items()
}

TOLERANCES: dict[str, dict[str, TierTolerance]] = {"float32": _FLOAT32, "float64": _FLOAT64}

DIFFERENCES = Tolerance(2e-7, 2e-8)
"""The accuracy of a central difference of step 1e-5 in float64: an error of its square, and the
rounding of the value, 1e-16, over the step. A gradient is held to it where its own is finer."""


IN_PARTS = {"float32": 1e-5, "float64": 1e-12}
"""How far the gradient of a batch taken in parts may be from that of the whole, as a share of an
array's largest element: sums over rows in another order."""

RECOMPUTED = {"float32": 1e-6, "float64": 1e-13}
"""The same of a gradient whose hidden values are computed again: on a CPU it is the same bits, and
a GPU may add in another order."""

LONG_SUMS = {"float32": 2e-5, "float64": 1e-13}
"""How far a sum of many equal terms may be off, as a share of it: a running total in blocks of a
thousand rounds each time in the same direction, and no more than one level of blocks does so."""

_UNIT = {"float16": 2.0**-11, "bfloat16": 2.0**-8}
"""The unit roundoff of each half precision."""


def _half_product(unit: float) -> TierTolerance:
    allowed = Tolerance(1.25 * unit, 1e-6)
    reason = "factors are rounded alike, sums are float32's, and the product is rounded once"
    return TierTolerance(allowed, allowed, True, reason)


def _half_step(unit: float) -> TierTolerance:
    reason = (
        "a hidden value that float32 leaves beside the middle of two halves may be rounded to the "
        "other one, which is an error of two units in that value alone"
    )
    return TierTolerance(
        Tolerance(2.0 * unit, unit), Tolerance(2.0 * unit, 0.02 * unit), True, reason
    )


HALF_PRODUCTS = {name: _half_product(unit) for name, unit in _UNIT.items()}
"""What a single product in half precision is allowed, to backends of any dtype."""

HALF_STEPS = {name: _half_step(unit) for name, unit in _UNIT.items()}
"""The same of training steps with such products."""


def tolerance_of(dtype: str, tier: str) -> TierTolerance:
    """What ``tier`` allows to a backend that computes in ``dtype``.

    Raises:
        ValueError: there is no table for this dtype.
    """
    if dtype not in TOLERANCES:
        known = ", ".join(TOLERANCES)
        raise ValueError(f"the backend's dtype must be one of {known}, received {dtype!r}")
    return TOLERANCES[dtype][tier]
