"""Running the checks."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Mapping, Sequence

import numpy as np

from dtgcnn.array.backends import load_ops
from dtgcnn.array.ops import ArrayOps

from .comparison import ConformanceFailure
from .probe import EXAMPLES, Probe
from .registry import TIERS, Check, all_checks
from .report import Report, Result
from .tolerances import tolerance_of

__all__ = ["check_backend", "declared_failures", "failure_of", "load", "perform"]


def load(name: str, device: str | None = None) -> ArrayOps:
    """The backend of this name, with full float32 products.

    Raises:
        BackendError: it is unknown or cannot be loaded.
        ValueError: it refuses the device.
    """
    os.environ.setdefault("MLX_ENABLE_TF32", "0")
    os.environ.setdefault("JAX_DEFAULT_MATMUL_PRECISION", "highest")
    return load_ops(name) if device is None else load_ops(name, device=device)


def perform(check: Check, probe: Probe) -> None:
    """Put the probe's backend to one check; a broken promise raises ``ConformanceFailure``."""
    with np.errstate(all="ignore"):  # the limits of log and division are asked for on purpose
        check.fn(probe)


def failure_of(check: Check, probe: Probe) -> str | None:
    """What the backend does not keep of the promise; None where it keeps it."""
    try:
        perform(check, probe)
    except ConformanceFailure as error:
        notes = getattr(error, "__notes__", ())  # of a drawn example
        return "\n  ".join([str(error), *(n for n in notes if not n.startswith(("Expl", " ")))])
    except Exception:
        return traceback.format_exc()
    return None


def declared_failures(ops: ArrayOps) -> Mapping[str, str]:
    """The checks that a backend declares to fail, and why: its ``expected_failures``, if any.

    Raises:
        ValueError: a check is unknown, or its reason is empty.
    """
    declared: Mapping[str, str] = getattr(ops, "expected_failures", {})
    known = {check.id for check in all_checks()}
    for identity, reason in declared.items():
        if identity not in known:
            raise ValueError(f"expected_failures names {identity!r}, and there is no such check")
        if not (isinstance(reason, str) and reason.strip()):
            raise ValueError(f"expected_failures must give a reason for {identity!r}")
    return declared


def check_backend(
    ops: ArrayOps,
    tiers: Sequence[str] | None = None,
    *,
    examples: int = EXAMPLES,
    seed: int = 0,
) -> Report:
    """Put a backend to every check, or to those of some tiers.

    Args:
        ops: the backend. Where it has an attribute ``expected_failures``, a dict of check ids to
            reasons, those must fail, and one that passes counts as a failure.
        tiers: which; None takes all.
        examples: how many drawn examples each property is tried on, beside those always tried.
        seed: of the drawn examples.

    Raises:
        ValueError: a tier is unknown, there are no tolerances for the backend's dtype, examples is
            below 1, or an expected failure has no reason or names no check.
    """
    for tier in tiers or ():
        if tier not in TIERS:
            raise ValueError(f"tiers must be among {', '.join(TIERS)}, received {tier!r}")
    if examples < 1:
        raise ValueError(f"examples must be at least 1, received {examples}")
    tolerance_of(ops.dtype, TIERS[0])
    declared = declared_failures(ops)

    def result_of(check: Check) -> Result:
        begin, probe = time.perf_counter(), Probe(ops, check.tier, examples=examples, seed=seed)
        failure, reason = failure_of(check, probe), declared.get(check.id)
        seconds = time.perf_counter() - begin
        errors = probe.value_error, probe.gradient_error
        return Result(check, failure, reason, *errors, seconds)

    chosen = [c for c in all_checks() if tiers is None or c.tier in tiers]
    return Report(ops.name, ops.device, ops.dtype, tuple(map(result_of, chosen)))
