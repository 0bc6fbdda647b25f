"""The conformance suite itself: it accepts the reference, and rejects backends that are wrong."""

from __future__ import annotations

import functools
import inspect
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import CodeType
from typing import Any, ClassVar

import numpy as np
import pytest
from dtgcnn_conformance import all_checks, check_backend
from dtgcnn_conformance.__main__ import main
from dtgcnn_conformance.comparison import ConformanceFailure, compare, require
from dtgcnn_conformance.probe import Probe, Reference
from dtgcnn_conformance.registry import TIERS, Check, check
from dtgcnn_conformance.runner import failure_of, perform
from dtgcnn_conformance.tolerances import TOLERANCES, Tolerance
from dtgcnn_numpy import NumpyOps
from hypothesis.strategies import integers

from dtgcnn.array import numerics
from dtgcnn.array.backends import protocol_operations

from .wrong_backends import FAULTS, Fault, rejecting_check
from .wrong_backends.differentiation import NoAux
from .wrong_backends.elementwise import CoarseErf
from .wrong_backends.gradients import NoGradientOfWeights
from .wrong_backends.native_forms import TanhGelu
from .wrong_backends.neighbour_sums import BiasedBits
from .wrong_backends.selection import UnstableSort


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_reference_is_accepted(dtype: str) -> None:
    report = check_backend(NumpyOps(dtype=dtype))
    assert report.passed, report.table()
    assert len(report.results) == len(all_checks())


@functools.cache
def accept(chosen: Check) -> None:
    """Hold the right backend to a check, once."""
    perform(chosen, Probe(NumpyOps(), chosen.tier))


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f"{f.name}: {f.what}")
@pytest.mark.filterwarnings("ignore:Output seems independent of input")
def test_a_wrong_backend_is_rejected(fault: Fault) -> None:
    """That no earlier tier sees it is held by ``python -m tests.conformance.wrong_backends``."""
    checks = [c for c in all_checks() if c.id in fault.checks]
    assert len(checks) == len(fault.checks)
    with fault.backend() as wrong:
        for chosen in checks:
            accept(chosen)
            with pytest.raises(ConformanceFailure):
                perform(chosen, Probe(wrong, chosen.tier))


def test_a_right_backend_is_not_rejected() -> None:
    right = Fault("NumpyOps", "nothing", ("random/random_bits",), NumpyOps)
    assert rejecting_check(right, right.earlier_tiers) is None


def test_there_are_many_wrong_backends() -> None:
    assert len(FAULTS) >= 280
    assert len({(fault.name, fault.what) for fault in FAULTS}) == len(FAULTS)
    assert {fault.tier for fault in FAULTS} == set(TIERS)


def test_a_report_names_what_failed() -> None:
    report = check_backend(BiasedBits(), ["random"])
    assert "random/random_bits" in [result.check.id for result in report.failures]
    assert "FAILED random/random_bits" in report.table()


@pytest.mark.parametrize("wrong", [CoarseErf, NoAux, NoGradientOfWeights, TanhGelu, UnstableSort])
def test_what_is_right_is_accepted(wrong: type[NumpyOps]) -> None:
    """A fault is found where it is, by a case and a property, not all over the suite."""
    report = check_backend(wrong(), ["ops", "random", "graph"])
    assert len(report.failures) <= 2, report.table()


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


CORE = {
    "array": ("half_precision", "numerics", "random", "tree"),
    "losses": ("batch_all", "contrastive", "mining", "objective", "triplet"),
    "model": (
        *("bank", "bank_changes", "embedding_bag", "graph", "heads", "input_rows", "layers"),
        *("leading", "network", "start", "voters"),
    ),
    "optim": ("optimizers",),
    "training": ("accumulation", "step"),
}
"""The modules of the core's rooms that compute with a backend's arrays, and with nothing else."""

NO_ARRAYS = {
    "array.numerics.native",
    "array.random.derive_key",
    "losses.triplet.AdaptiveMarginScheduler.step",
}
"""What computes with Python's numbers alone, or with functions."""


def public_functions() -> dict[str, CodeType]:
    """The code of every public function, method and ``__call__`` of the core, by name."""
    found = {}
    for module in (f"{room}.{name}" for room, names in CORE.items() for name in names):
        home = import_module(f"dtgcnn.{module}")
        for name, thing in vars(home).items():
            if name.startswith("_") or getattr(thing, "__module__", None) != home.__name__:
                continue
            members = vars(thing).items() if inspect.isclass(thing) else [("", thing)]
            for member, fn in members:
                code = getattr(inspect.unwrap(fn) if callable(fn) else fn, "__code__", None)
                if code is not None and (member == "__call__" or not member.startswith("_")):
                    found[".".join(filter(None, (module, name, member)))] = code
    return found


def test_every_loss_miner_optimiser_and_layer_is_checked() -> None:
    """What the core has, some check runs: whoever adds a function adds a check."""
    seen: set[CodeType] = set()
    before = sys.gettrace()
    sys.settrace(lambda frame, event, argument: seen.add(frame.f_code))
    try:
        report = check_backend(NumpyOps(), examples=1)
    finally:
        sys.settrace(before)
    assert report.passed, report.table()
    never_run = {name for name, code in public_functions().items() if code not in seen}
    # The reference has these in a form of its own; other backends are checked by them.
    derived = (
        inspect.unwrap(fn) for name, fn in numerics.NATIVE.items() if hasattr(Reference, name)
    )
    native = {f"{fn.__module__}.{fn.__name__}".removeprefix("dtgcnn.") for fn in derived}
    assert never_run - native - NO_ARRAYS == set()


def test_every_tier_has_checks_and_tolerances() -> None:
    checks = all_checks()
    assert {c.tier for c in checks} == set(TIERS)
    assert len({c.id for c in checks}) == len(checks)
    assert all(c.promise.endswith(".") for c in checks)
    for table in TOLERANCES.values():
        assert set(table) == set(TIERS)


def unlisted(tier: str, folder: Path, listed: Sequence[str]) -> set[str]:
    """The modules of a tier's folder that register a check, and that the tier does not list."""
    modules = (path for path in folder.glob("*.py") if path.stem != "__init__")
    decorated = f'check("{tier}")'
    return {m.stem for m in modules if decorated in m.read_text(encoding="utf-8")} - set(listed)


def test_every_module_with_a_check_is_listed(tmp_path: Path) -> None:
    """A module that its tier does not list would silently not run."""
    for tier in TIERS:
        package = import_module(f"dtgcnn_conformance.{tier}")
        folder = Path(str(package.__file__)).parent
        assert unlisted(tier, folder, package.MODULES) == set()
        assert len(set(package.MODULES)) == len(package.MODULES)
        assert unlisted(tier, folder, package.MODULES[1:]) <= {package.MODULES[0]}
    (tmp_path / "forgotten.py").write_text('@check("ops")\ndef forgotten(probe): ...\n')
    assert unlisted("ops", tmp_path, ["functions"]) == {"forgotten"}


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
    (report,) = json.loads(path.read_text())["reports"]
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


def test_what_cannot_be_run_is_refused() -> None:
    with pytest.raises(ValueError, match="tiers must be among"):
        check_backend(NumpyOps(), ["speed"])
    with pytest.raises(ValueError, match="examples must be at least 1, received 0"):
        check_backend(NumpyOps(), ["random"], examples=0)
    with pytest.raises(SystemExit, match="2"):
        main(["--backend", "numpy", "--examples", "0"])


def test_several_backends_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--backend", "numpy", "numpy", "--tier", "random", "graph"]) == 0
    table = capsys.readouterr().out.rpartition("\n\n")[2].splitlines()
    assert table[0] == "| tier | numpy on cpu, float32 | numpy on cpu, float32 |"
    random = len([c for c in all_checks() if c.tier == "random"])
    assert table[2].startswith(f"| random | {random} of {random}: exact, - | {random} of")
    assert table[-1].startswith("| all | ")


class Declaring(BiasedBits):
    """A backend that says which checks it fails."""

    expected_failures: ClassVar[dict[str, str]] = {}


def declaring(reasons: dict[str, str]) -> Declaring:
    ops = Declaring()
    ops.expected_failures = reasons  # type: ignore[misc]
    return ops


def test_a_declared_failure_is_expected_and_shown_with_its_reason() -> None:
    failing = {r.check.id for r in check_backend(BiasedBits(), ["random"]).failures}
    report = check_backend(declaring(dict.fromkeys(failing, "its generator is broken")), ["random"])
    assert report.passed
    assert report.table().count("its generator is broken") == len(failing)
    excused = [c for c in report.to_dict()["checks"] if c["declared"]]
    assert {c["id"] for c in excused} == failing
    assert not any(c["passed"] for c in excused)


def test_a_declared_failure_that_passes_is_a_failure() -> None:
    report = check_backend(declaring({"ops/where": "not yet"}), ["ops"])
    assert not report.passed
    assert "FAILED ops/where" in report.table()
    assert "it passes, and is declared to fail: not yet" in report.table()


@pytest.mark.parametrize(
    ("reasons", "message"),
    [
        ({"ops/where": " "}, "must give a reason for 'ops/where'"),
        ({"ops/wheer": "a reason"}, "names 'ops/wheer', and there is no such check"),
    ],
)
def test_a_declared_failure_names_a_check_and_a_reason(
    reasons: dict[str, str], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        check_backend(declaring(reasons), ["random"])


def test_a_property_is_tried_on_drawn_examples() -> None:
    """As many as asked for, the same from the same seed, and a failure names the smallest."""

    def drawn(seed: int) -> list[int]:
        numbers: list[int] = []
        probe = Probe(NumpyOps(), "ops", examples=40, seed=seed)
        probe.for_all(lambda n: numbers.append(n), n=integers(0, 10**6))
        return numbers

    assert len(drawn(0)) == 40
    assert drawn(0) == drawn(0) != drawn(1)

    def small(n: int) -> None:
        require(n < 100, "it is large")

    large = Check("ops/small", "ops", "Small.", lambda probe: probe.for_all(small, n=integers(0)))
    failure = failure_of(large, Probe(NumpyOps(), "ops"))
    assert failure is not None
    assert "it is large" in failure
    assert "n=100" in failure


def pytest_at(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_nobody_elses_pytest_has_the_options(tmp_path: Path) -> None:
    """The plugin is in every pytest where dtgcnn is installed, and adds nothing to it."""
    (tmp_path / "conftest.py").write_text(
        "def pytest_addoption(parser): parser.addoption('--backend', default='mine')\n"
    )
    (tmp_path / "test_it.py").write_text(
        "import sys\n"
        "def test_it(request):\n"
        "    assert request.config.getoption('--backend') == 'mine'\n"
        "    assert 'dtgcnn_conformance.plugin' in sys.modules\n"
        "    assert 'dtgcnn_numpy' not in sys.modules\n"
    )
    run = pytest_at(tmp_path, "-p", "no:cacheprovider", "-q")
    assert run.returncode == 0, run.stdout


@pytest.mark.parametrize(("backend", "outcome"), [("numpy", "passed"), ("absent", "failed")])
def test_pytest_runs_the_same_checks(backend: str, outcome: str, tmp_path: Path) -> None:
    """One test a check; a backend that is asked for and absent is a failure, not a skip."""
    options = ["-p", "no:cacheprovider", "--tb=no", "-q", "--pyargs", "dtgcnn_conformance"]
    some = ("-k", "random or graph or errors", "--examples", "2")
    run = pytest_at(tmp_path, *options, "--backend", backend, *some)
    counts = re.search(rf"^(\d+) {outcome}, (\d+) deselected in", run.stdout, re.MULTILINE)
    assert counts is not None, run.stdout
    assert sum(map(int, counts.groups())) == len(all_checks())
    assert run.returncode == (0 if outcome == "passed" else 1)
