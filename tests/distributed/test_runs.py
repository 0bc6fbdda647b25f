"""A run of several processes has the bits of a run of one."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from .started import Ended, has_mpi, run

mpi = pytest.mark.skipif(not has_mpi(), reason="mpi4py or mpiexec is not installed")
BACKENDS = [
    pytest.param("numpy", marks=mpi),
    pytest.param("mlx", marks=[pytest.mark.mlx, pytest.mark.xdist_group("ring")]),
]


def trained(folder: Path, backend: str, size: int, **given: Any) -> tuple[Ended, Any]:
    folder.mkdir(exist_ok=True)
    told = json.dumps({"folder": str(folder), "backend": backend, **given})
    ended = run(backend, size, ["-m", "tests.distributed.started", told])
    out = folder / "out.json"
    return ended, json.loads(out.read_text()) if out.exists() else None


@pytest.mark.parametrize("backend", BACKENDS)
def test_any_number_of_processes_gives_the_same_bits(backend: str, tmp_path: Path) -> None:
    if backend == "mlx":
        pytest.importorskip("mlx.core")
    settings = {"batch_parts": 6, "dropout_rate": 0.2, "use_batch_norm": backend == "numpy"}
    results = []
    for size in (1, 2, 3):
        folder = tmp_path / str(size)
        ended, told = trained(folder, backend, size, settings=settings)
        assert told is not None, ended.text
        assert not ended.left
        results.append(told)
    assert results[0] == results[1] == results[2]
    assert results[0]["steps"] == 12


@mpi
@pytest.mark.parametrize(
    "settings",
    [
        {"mixed_precision": "bfloat16"},
        {"loss": "supcon", "start": "none"},
        {"propagation_hops": 2, "bank_size": 50},
    ],
    ids=str,
)
def test_other_kinds_of_training(settings: dict[str, Any], tmp_path: Path) -> None:
    settings = {**settings, "batch_parts": 2}
    told = [trained(tmp_path / str(n), "numpy", n, settings=settings)[1] for n in (1, 2)]
    assert told[0] == told[1] is not None


@mpi
def test_the_parts_are_those_of_the_first_run(tmp_path: Path) -> None:
    """Begun by two processes without a setting, it has two parts on any number of them."""
    whole = trained(tmp_path / "whole", "numpy", 1, settings={"batch_parts": 2})[1]
    for size in (1, 3):
        folder = tmp_path / str(size)
        ended, told = trained(folder, "numpy", 2, trouble="SIGKILL", rank=1, step=5)
        assert told is None
        assert ended.code != 0
        ended, told = trained(folder, "numpy", size, resume=True)
        assert told == whole, ended.text


@mpi
def test_a_run_of_one_process_is_not_shared(tmp_path: Path) -> None:
    trained(tmp_path / "a", "numpy", 1, trouble="SIGKILL", rank=0, step=5)
    ended, told = trained(tmp_path / "a", "numpy", 2, resume=True)
    assert told is None
    assert "batch_parts must be at least 2 for 2 processes to share a step" in ended.text


@pytest.mark.parametrize("backend", BACKENDS)
def test_killed_and_resumed(backend: str, tmp_path: Path) -> None:
    """At a point drawn anew for each, on either rank, and resumed on 1, 2 and 3 processes."""
    if backend == "mlx":
        pytest.importorskip("mlx.core")
    draw = random.Random(backend)
    settings = {"batch_parts": 3, "dropout_rate": 0.2}
    whole = trained(tmp_path / "whole", backend, 1, settings=settings)[1]
    for size, after in ((2, 3), (3, 2)) if backend == "numpy" else ((2, 1),):
        folder = tmp_path / f"{size}-{after}"
        killed = {"trouble": "SIGKILL", "rank": draw.randrange(size), "step": draw.randrange(12)}
        ended, told = trained(folder, backend, size, settings=settings, **killed)
        assert told is None, killed
        assert not ended.left, killed
        ended, told = trained(folder, backend, after, settings=settings, resume=True)
        assert told == whole, (killed, ended.text)
