"""The suite's options for pytest, where pytest is asked to run the suite and nowhere else.

A plugin by entry point, as pytest reads a package's ``conftest.py`` only after the command line
where the package is named by ``--pyargs``: too late for an option.
"""

from __future__ import annotations

import pytest

__all__ = ["pytest_load_initial_conftests"]


def pytest_load_initial_conftests(args: list[str], parser: pytest.Parser) -> None:
    """Add ``--backend`` and its like to a command line that names the suite."""
    if not any(argument.startswith("dtgcnn_conformance") for argument in args):
        return
    group = parser.getgroup("dtgcnn_conformance", "the conformance suite of dtgcnn")
    add = group.addoption
    add("--backend", default="numpy", metavar="NAME", help="the backend under test (numpy)")
    add("--device", metavar="D", help="the backend's device, such as cpu or gpu")
    add("--examples", type=int, metavar="N", help="drawn examples for each property (25)")
    add("--seed", type=int, default=0, metavar="N", help="of the drawn examples (0)")
