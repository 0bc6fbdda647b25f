"""Which check is the first to reject a wrong backend."""

from __future__ import annotations

from collections.abc import Sequence

from dtgcnn_conformance.probe import EXAMPLES, Probe
from dtgcnn_conformance.registry import TIERS, all_checks
from dtgcnn_conformance.runner import failure_of

from .core import reached
from .fault import Fault

__all__ = ["rejecting_check"]

EARLIER_EXAMPLES = 5
"""On how many examples a property is tried in tiers before the one where a fault lies."""


def rejecting_check(fault: Fault, tiers: Sequence[str] = TIERS) -> str | None:
    """The id of a check that rejects the fault, in the first of the tiers in which one does.

    In the tier where the fault lies, the check that it names comes first. Checks that never call a
    function of the core cannot see its faults, nor can those that gather nothing see those of a
    group: they are left out.
    """
    checks = sorted(all_checks(), key=lambda c: (TIERS.index(c.tier), c.id not in fault.checks))
    with fault.backend() as ops:
        for check in checks:
            if check.tier not in tiers:
                continue
            if hasattr(ops, "local_group") and check.tier != "groups":
                continue
            if fault.target is not None and fault.target not in reached(check.tier)[check.id]:
                continue
            examples = EARLIER_EXAMPLES if check.tier in fault.earlier_tiers else EXAMPLES
            if failure_of(check, Probe(ops, check.tier, examples=examples)) is not None:
                return check.id
    return None
