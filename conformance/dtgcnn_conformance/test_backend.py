"""The checks as tests, one for each.

``pytest -p dtgcnn_conformance.plugin --pyargs dtgcnn_conformance --backend NAME``
"""

from __future__ import annotations

import functools

import pytest

from dtgcnn.backends import BackendError
from dtgcnn.ops import ArrayOps

from .probe import Probe
from .registry import Check, all_checks
from .runner import load, perform


@functools.cache
def loaded(name: str) -> ArrayOps:
    """The backend, loaded once. One that was asked for and is absent is a failure, not a skip."""
    try:
        return load(name)
    except (BackendError, ValueError) as error:
        pytest.fail(f"cannot load the backend: {error}", pytrace=False)


@pytest.mark.parametrize("check", [pytest.param(c, id=c.id) for c in all_checks()])
def test_backend(check: Check, request: pytest.FixtureRequest) -> None:
    """The backend keeps the promise of the check."""
    name = request.config.getoption("--backend", default="numpy")
    perform(check, Probe(loaded(name), check.tier))
