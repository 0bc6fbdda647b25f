"""``python -m dtgcnn_conformance --backend NAME``: put a backend to the checks.

The exit status is 0 where all passed, 1 where any failed, and 2 where the backend cannot be loaded.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from dtgcnn.backends import BackendError

from .registry import TIERS
from .runner import check_backend, load


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m dtgcnn_conformance",
        description="Put a backend of dtgcnn to the conformance checks.",
    )
    parser.add_argument("--backend", required=True, metavar="NAME", help="a registered backend")
    parser.add_argument(
        "--tier", nargs="+", choices=TIERS, metavar="T", help=f"only these: {', '.join(TIERS)}"
    )
    parser.add_argument("--device", metavar="D", help="the backend's device, such as cpu or gpu")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report there too")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line, and return its exit status."""
    options = _parser().parse_args(arguments)
    try:
        ops = load(options.backend, options.device)
    except (BackendError, ValueError) as error:
        print(f"cannot load the backend: {error}", file=sys.stderr)
        return 2
    report = check_backend(ops, options.tier)
    print(report.table())
    if options.json is not None:
        options.json.write_text(json.dumps(report.to_dict(), indent=2) + "\n", encoding="utf-8")
    return 0 if report.passed else 1


if __name__ == "__main__":
    sys.exit(main())
