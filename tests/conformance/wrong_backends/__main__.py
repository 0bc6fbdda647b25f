"""``python -m tests.conformance.wrong_backends``: every wrong backend, and what rejects it."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

from dtgcnn_conformance.registry import TIERS

from . import FAULTS, rejecting_check


def _rejecting_check(number: int) -> str | None:
    warnings.simplefilter("ignore")  # a wrong gradient may leave nothing to differentiate
    return rejecting_check(FAULTS[number])


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line for each wrong backend; 1 where one is not rejected in its own tier."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.conformance.wrong_backends", description=__doc__
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes")
    jobs = parser.parse_args(arguments).jobs
    order = sorted(range(len(FAULTS)), key=lambda i: TIERS.index(FAULTS[i].tier))
    right = 0
    with ProcessPoolExecutor(jobs) as pool:
        for number, check in zip(order, pool.map(_rejecting_check, order)):
            fault = FAULTS[number]
            found = check is not None and check.partition("/")[0] == fault.tier
            right += found
            verdict = check or "NOT REJECTED"
            shown = verdict if found else f"{verdict}, expected {fault.checks[0]}"
            print(f"{fault.name:40} {fault.what:75} {shown}", flush=True)
    where = "each in the tier where its fault lies"
    print(f"\n{right} of {len(FAULTS)} wrong backends are rejected, {where}")
    return 0 if right == len(FAULTS) else 1


if __name__ == "__main__":
    sys.exit(main())
