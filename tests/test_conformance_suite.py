"""The conformance suite itself: it accepts the reference, and rejects backends that are wrong."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dtgcnn_conformance import all_checks, check_backend
from dtgcnn_conformance.__main__ import main
from dtgcnn_conformance.comparison import ConformanceFailure, compare
from dtgcnn_conformance.probe import Probe
from dtgcnn_conformance.registry import TIERS, check
from dtgcnn_conformance.runner import perform
from dtgcnn_conformance.tolerances import TOLERANCES, Tolerance
from dtgcnn_numpy import NumpyOps

from dtgcnn.backends import protocol_operations

from .wrong_backends import (
    WRONG,
    BiasedBits,
    CoarseErf,
    NoAux,
    NoGradientOfWeights,
    TanhGelu,
    UnstableSort,
)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_reference_is_accepted(dtype: str) -> None:
    report = check_backend(NumpyOps(dtype=dtype))
    assert report.passed, report.table()
    assert len(report.results) == len(all_checks())


@pytest.mark.parametrize(
    ("wrong", "tier", "name"), WRONG, ids=[f"{w.__name__}-{name}" for w, _, name in WRONG]
)
def test_a_wrong_backend_is_rejected(wrong: type[NumpyOps], tier: str, name: str) -> None:
    (chosen,) = (c for c in all_checks() if c.id == f"{tier}/{name}")
    perform(chosen, Probe(NumpyOps(), tier))
    with pytest.raises(ConformanceFailure):
        perform(chosen, Probe(wrong(), tier))


def test_a_report_names_what_failed() -> None:
    report = check_backend(BiasedBits(), ["random"])
    assert "random/random_bits" in [result.check.id for result in report.failures]
    assert "FAILED random/random_bits" in report.table()


@pytest.mark.parametrize("wrong", [CoarseErf, NoAux, NoGradientOfWeights, TanhGelu, UnstableSort])
def test_what_is_right_is_accepted(wrong: type[NumpyOps]) -> None:
    """A fault is found where it is, and not all over the suite."""
    report = check_backend(wrong(), ["ops", "random", "graph"])
    assert len(report.failures) <= 1, report.table()


class Recorder:
    """A backend that notes which of its names are used."""

    def __init__(self, ops: NumpyOps) -> None:
        self._ops = ops
        self.used: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        self.used.add(name)
        return getattr(self._ops, name)


def test_every_operation_is_checked() -> None:
    recorder = Recorder(NumpyOps())
    report = check_backend(recorder, ["ops", "gradients", "random"])  # type: ignore[arg-type]
    assert report.passed, report.table()
    assert set(protocol_operations()) - recorder.used == set()


def test_every_tier_has_checks_and_tolerances() -> None:
    checks = all_checks()
    assert {c.tier for c in checks} == set(TIERS)
    assert len({c.id for c in checks}) == len(checks)
    assert all(c.promise.endswith(".") for c in checks)
    for table in TOLERANCES.values():
        assert set(table) == set(TIERS)


def test_registering_needs_a_tier_a_promise_and_a_new_name() -> None:
    def nothing(probe: Any) -> None: ...

    def take(probe: Any) -> None:
        """A promise."""

    with pytest.raises(ValueError, match="tier must be one of"):
        check("speed")(take)
    with pytest.raises(ValueError, match="must state its promise"):
        check("ops")(nothing)
    with pytest.raises(ValueError, match="defined twice"):
        check("ops")(take)


@pytest.mark.parametrize(
    ("actual", "message"),
    [
        (np.ones((2, 2), np.float32), r"the shape is \(2, 2\), expected \(2,\)"),
        (np.ones(2), "the dtype is float64, expected float32"),
        (np.array([1.0, 1.1], np.float32), r"element \(1,\) is 1.1\d*, expected 1.0, off by 0.1"),
        (np.array([np.nan, 1.0], np.float32), r"element \(0,\) is nan, expected 1.0, off by inf"),
    ],
)
def test_a_failure_names_what_is_wrong(actual: Any, message: str) -> None:
    with pytest.raises(ConformanceFailure, match=f"exp: .*{message}"):
        compare("exp", actual, np.ones(2), "float32", Tolerance(1e-6, 1e-6))


def test_the_worst_error_is_relative_to_the_limit() -> None:
    actual = np.array([1.0 + 2.0**-20, 0.0], np.float32)
    error = compare("x", actual, np.array([1.0, 0.0]), "float32", Tolerance(1e-5, 1e-5))
    assert error == pytest.approx(2.0**-20 / 2.0)


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "report.json"
    assert main(["--backend", "numpy", "--tier", "random", "--json", str(path)]) == 0
    assert "random" in capsys.readouterr().out
    report = json.loads(path.read_text())
    assert report["passed"]
    assert {c["tier"] for c in report["checks"]} == {"random"}


@pytest.mark.parametrize(
    "arguments", [["--backend", "none"], ["--backend", "numpy", "--device", "tpu"]]
)
def test_a_backend_that_cannot_be_loaded(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert "cannot load the backend" in capsys.readouterr().err


def test_a_failing_backend_ends_in_1(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = BiasedBits()
    monkeypatch.setattr("dtgcnn_conformance.__main__.load", lambda name, device: wrong)
    assert main(["--backend", "biased", "--tier", "random"]) == 1


def test_an_unknown_tier_is_refused() -> None:
    with pytest.raises(ValueError, match="tiers must be among"):
        check_backend(NumpyOps(), ["speed"])


@pytest.mark.parametrize(("backend", "outcome"), [("numpy", "passed"), ("absent", "failed")])
def test_pytest_runs_the_same_checks(backend: str, outcome: str, tmp_path: Path) -> None:
    """One test a check; a backend that is asked for and absent is a failure, not a skip."""
    options = ["-p", "dtgcnn_conformance.plugin", "-p", "no:cacheprovider", "--tb=no", "-q"]
    command = [sys.executable, "-m", "pytest", *options, "--pyargs", "dtgcnn_conformance"]
    run = subprocess.run(
        [*command, "--backend", backend], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert re.search(rf"^{len(all_checks())} {outcome} in", run.stdout, re.MULTILINE), run.stdout
    assert run.returncode == (0 if outcome == "passed" else 1)
