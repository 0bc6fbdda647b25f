"""A killed run goes on as if nothing had happened: the same bits at the end."""

from __future__ import annotations

import json
import os
import random
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from queue import Queue
from typing import Any, TypeAlias

import numpy as np
import pytest

from dtgcnn import DTGCNN

from ..conftest import ROOT
from . import killed_run

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")

STEPS = 100

Kill: TypeAlias = tuple[str, float]
"""A point at which a run is killed, and the how-manieth of its kind."""

End: TypeAlias = tuple[dict[str, Any], dict[str, bytes]]
"""What a run came to: history, best so far and kept models; and the bits of its weights."""


class Server:
    """A process that forks runs, see ``killed_run``."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def run(self, folder: Path, backend: str, kill: Kill = ("never", 0)) -> int:
        """Begin or resume the run in ``folder``; returns its exit status."""
        request = {"folder": str(folder), "backend": backend, "point": kill[0], "number": kill[1]}
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())


@contextmanager
def server(errors: Path) -> Iterator[Server]:
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-m", killed_run.__name__]
    with (
        errors.open("w") as log,
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        ) as process,
    ):
        yield Server(process)
        assert process.stdin is not None
        process.stdin.close()


def end_of(folder: Path) -> End:
    end = json.loads((folder / "end.json").read_text())
    return end, {name: leaf.tobytes() for name, leaf in np.load(folder / "end.npz").items()}


def plan(dice: random.Random, calls: dict[str, int], seconds: float) -> list[list[Kill]]:
    """Twenty runs, each with the points at which it is killed, one after the other."""

    def at(point: str) -> Kill:
        return point, dice.randint(1, calls[{"torn": "fsync"}.get(point, point)])

    points = [*["step"] * 6, "fsync", "torn", "torn", "replace", "rename", "rename", "unlink"]
    once = [[at(point)] for point in points]
    any_time: list[list[Kill]] = [[("second", dice.uniform(0.1, 0.9) * seconds)] for _ in range(3)]
    # Killed again before it has saved anything, in its first save, and much later.
    again: list[list[Kill]] = [
        [("step", dice.randint(1, 3)), ("mkdir", 1)],
        [("torn", 1), ("torn", 1), at("step")],
        [("step", dice.randint(4, 49)), ("torn", 1), ("replace", 2)],
        [("step", dice.randint(4, 49)), ("step", dice.randint(50, 99))],
    ]
    return once + any_time + again


@pytest.mark.parametrize("backend", ["numpy", "mlx"])
def test_killed_at_twenty_random_points(backend: str, tmp_path: Path) -> None:
    if backend == "mlx":
        pytest.importorskip("mlx.core")
    seed = secrets.randbits(32)
    with ExitStack() as stack:
        servers: Queue[Server] = Queue()
        for number in range(2):
            servers.put(stack.enter_context(server(tmp_path / f"errors-{number}")))
        first, begin = servers.get(), time.perf_counter()
        assert first.run(tmp_path / "whole", backend) == 0, said(tmp_path)
        seconds = time.perf_counter() - begin
        servers.put(first)
        expected = end_of(tmp_path / "whole")
        assert expected[0]["steps"] == STEPS
        calls = json.loads((tmp_path / "whole" / "calls.json").read_text())
        kills = plan(random.Random(seed), calls, seconds)
        assert len(kills) == 20
        pool = stack.enter_context(ThreadPoolExecutor(2))
        work = partial(killed_and_resumed, tmp_path, backend, servers)
        for points, end in zip(kills, pool.map(work, range(20), kills), strict=True):
            assert end == expected, (seed, points)


def killed_and_resumed(
    folder: Path, backend: str, servers: Queue[Server], number: int, points: list[Kill]
) -> End:
    """What a run comes to that was killed at each of ``points`` and then resumed."""
    own, errors, folder = servers.get(), folder, folder / f"killed-{number}"
    try:
        for kill in points:
            status = own.run(folder, backend, kill)
            # By the clock, a run may have ended before it was to be killed.
            assert status == -signal.SIGKILL or (kill[0], status) == ("second", 0), said(errors)
        assert own.run(folder, backend) == 0, said(errors)
    finally:
        servers.put(own)
    end = end_of(folder)
    kept = sorted(path.name for path in (folder / "kept").iterdir())
    assert kept == sorted(end[0]["kept"]), points
    assert not list(folder.rglob(".*")), "what was half written is left"
    for path in (folder / "last", *(folder / "kept").iterdir()):
        assert DTGCNN.load(path, backend="numpy").bank is not None
    return end


def said(folder: Path) -> str:
    """What the processes wrote on standard error."""
    return "\n".join(path.read_text()[-3000:] for path in folder.glob("errors-*"))
