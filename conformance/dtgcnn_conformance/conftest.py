"""The option ``--backend`` of ``pytest --pyargs dtgcnn_conformance``."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Name the backend, the reference where none is named."""
    parser.addoption(
        "--backend", default="numpy", metavar="NAME", help="the backend under test (numpy)"
    )


@pytest.fixture(scope="session")
def backend_name(request: pytest.FixtureRequest) -> str:
    """The backend that was asked for."""
    name: str = request.config.getoption("--backend")
    return name
