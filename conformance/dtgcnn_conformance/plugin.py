"""The option ``--backend``, for ``pytest -p dtgcnn_conformance.plugin``.

pytest reads a package's ``conftest.py`` only after the command line where the package is named by
``--pyargs``: too late for an option.
"""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Name the backend; the reference where none is named."""
    parser.addoption(
        "--backend", default="numpy", metavar="NAME", help="the dtgcnn backend under test (numpy)"
    )
