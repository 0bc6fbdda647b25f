"""``python -m dtgcnn_conformance --backend NAME``: put a backend to the checks.

Started several times by a launcher, it puts the launcher's engine to those of ``--tier groups``.

The exit status is 0 where all passed, 1 where any failed, and 2 where a backend cannot be loaded.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from dtgcnn.array.distributed import joined
from dtgcnn.errors import BackendError

from .registry import TIERS

try:
    from .probe import EXAMPLES
    from .report import summary
    from .runner import check_backend, load
except ModuleNotFoundError as error:
    if error.name != "hypothesis":
        raise
    print("the suite draws examples: pip install 'dtgcnn[conformance]'", file=sys.stderr)
    sys.exit(2)

TIMEOUT = 60.0
"""Seconds that a process of several waits for the others."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m dtgcnn_conformance",
        description="Put backends of dtgcnn to the conformance checks.",
    )
    add = parser.add_argument
    add("--backend", required=True, nargs="+", metavar="NAME", help="registered backends")
    add("--tier", nargs="+", choices=TIERS, metavar="T", help=f"only these: {', '.join(TIERS)}")
    add("--device", metavar="D", help="the backend's device, such as cpu or gpu")
    add(
        "--examples",
        type=int,
        default=EXAMPLES,
        metavar="N",
        help="drawn for each property (%(default)s)",
    )
    add("--seed", type=int, default=0, metavar="N", help="of the drawn examples (%(default)s)")
    add("--json", type=Path, metavar="FILE", help="write the reports there too")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, and return its exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.examples < 1:
        parser.error(f"--examples must be at least 1, received {options.examples}")
    try:
        backends = [load(name, options.device) for name in options.backend]
    except (BackendError, ValueError) as error:
        print(f"cannot load the backend: {error}", file=sys.stderr)
        return 2
    world = joined(backends[0], TIMEOUT)
    if not world.is_first:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - to the end
    reports = []
    for ops in backends:
        reports.append(
            check_backend(ops, options.tier, examples=options.examples, seed=options.seed)
        )
        print(reports[-1].table(), end="\n\n" if len(backends) > 1 else "\n", flush=True)
    if len(reports) > 1:
        print(summary(reports))
    if options.json is not None and world.is_first:
        told = json.dumps({"reports": [report.to_dict() for report in reports]}, indent=2)
        options.json.write_text(told + "\n", encoding="utf-8")
    return 0 if all(report.passed for report in reports) else 1


if __name__ == "__main__":
    sys.exit(main())
