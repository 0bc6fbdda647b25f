"""The checks as tests, one for each: ``pytest --pyargs dtgcnn_conformance --backend NAME``."""

from __future__ import annotations

import functools

import pytest

from dtgcnn.array.ops import ArrayOps
from dtgcnn.errors import BackendError

from .probe import EXAMPLES, Probe
from .registry import Check, all_checks
from .runner import declared_failures, load, perform


@functools.cache
def loaded(name: str, device: str | None) -> ArrayOps:
    """The backend, loaded once. One that was asked for and is absent is a failure, not a skip."""
    try:
        return load(name, device)
    except (BackendError, ValueError) as error:
        pytest.fail(f"cannot load the backend: {error}", pytrace=False)


@pytest.mark.parametrize("check", [pytest.param(c, id=c.id) for c in all_checks()])
def test_backend(check: Check, request: pytest.FixtureRequest) -> None:
    """The backend keeps the promise of the check, or breaks it as it declares."""
    option = request.config.getoption
    ops = loaded(option("--backend"), option("--device"))
    reason = declared_failures(ops).get(check.id)
    if reason is not None:
        request.applymarker(pytest.mark.xfail(reason=reason, strict=True))
    examples = option("--examples") or EXAMPLES
    perform(check, Probe(ops, check.tier, examples=examples, seed=option("--seed")))
