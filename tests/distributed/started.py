"""Runs of several processes for the tests, and the program that they run.

``python -m tests.distributed.started '{"folder": …}'`` trains under whatever launcher started it.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent

LIMIT = 120.0
"""Seconds that a run may take."""


def has_mpi() -> bool:
    """Whether NumPy's group can be joined here."""
    return find_spec("mpi4py") is not None and (BIN / "mpiexec").exists()


def command_of(backend: str, size: int, program: list[str], port: int | None = None) -> list[str]:
    """What starts a Python program in ``size`` processes; in one without a launcher."""
    if size == 1:
        return [sys.executable, *program]
    if backend == "mlx":
        port = port or 20_000 + (os.getpid() * 97 + int(time.time() * 10)) % 8_000
        return [
            *(str(BIN / "mlx.launch"), "-n", str(size), "--starting-port", str(port), "--"),
            *(sys.executable, *program),
        ]
    return [str(BIN / "mpiexec"), "-n", str(size), sys.executable, "-m", "mpi4py", *program]


@dataclass
class Ended:
    """A run that has ended: its exit status, what it printed, and how long it took."""

    code: int
    text: str
    seconds: float
    left: list[int]
    """Processes of the run that did not end with it."""


def run(
    backend: str,
    size: int,
    program: list[str],
    limit: float = LIMIT,
    port: int | None = None,
    **environment: str,
) -> Ended:
    """Start a program in several processes and wait for its end."""
    begin = time.monotonic()
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "DTGCNN_RUN": str(begin), **environment}
    process = subprocess.Popen(
        command_of(backend, size, program, port),
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        text, _ = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        text = f"no end within {limit:.0f} s"
    deadline = time.monotonic() + 5.0
    while (left := _alive(str(begin))) and time.monotonic() < deadline:
        time.sleep(0.1)
    for pid in (*left, process.pid):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    process.wait()
    return Ended(process.returncode, text, time.monotonic() - begin, left)


def _alive(mark: str) -> list[int]:
    """The processes that have ``mark`` in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes()
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if f"DTGCNN_RUN={mark}".encode() in environment and state != "Z":
            found.append(int(folder.name))
    return found


def train(given: dict[str, Any]) -> None:
    """Train as ``given`` says and write digests of what came out of it, on the first process."""
    from dtgcnn import DTGCNN, Callback, EarlyStopping, Trainer, TripletDataset, load_ops
    from dtgcnn.array.distributed import joined
    from dtgcnn.array.tree import flatten

    class Trouble(Callback):
        """What goes wrong on one of the processes after some steps."""

        every_process = True

        def on_batch_begin(self, trainer: Any, batch: Any, batch_idx: int) -> None:
            rank = trainer.world.rank
            if (rank, trainer.global_step) != (given.get("rank"), given.get("step")):
                return
            trouble = given.get("trouble")
            if trouble in ("SIGKILL", "SIGSTOP"):
                os.kill(os.getpid(), getattr(signal, trouble))
            elif trouble == "SIGINT":
                raise KeyboardInterrupt
            elif trouble == "end":
                sys.exit(0)
            elif trouble == "order":
                trainer.world.barrier("a way of its own")
            elif trouble == "error":
                raise ValueError("this process has trouble")

    folder = Path(given["folder"])
    ops = load_ops(given.get("backend", "numpy"))
    world = joined(ops)
    rank = world.rank
    rng = np.random.default_rng(1 if given.get("other_data") == rank else 0)
    labels = np.arange(120) % 6
    x = rng.normal(size=(6, 12))[labels] + rng.normal(size=(120, 12))
    settings = {
        **{"input_dim": 12, "hidden_dims": (16, 16), "output_dim": 8, "graph_k_neighbors": 4},
        **{"num_epochs": 3, "process_timeout": 30.0, "num_threads": 1},
        **given.get("settings", {}),
    }
    if given.get("other_settings") == rank:
        settings["learning_rate"] = 0.5
    model = DTGCNN(ops=ops, **settings)
    if given.get("other_version") == rank:
        made_with = model.made_with()
        model.made_with = lambda: {**made_with, "dtgcnn": "0.0.1"}  # type: ignore[method-assign]
    data = TripletDataset.from_arrays(x.astype(np.float32), labels.tolist())
    loader, val_loader = data.create_dataloaders(24, 0.8, 0, 4)
    callbacks: list[Callback] = [EarlyStopping("val_loss", 50), Trouble()]
    trainer = Trainer(
        model,
        train_loader=loader,
        val_loader=val_loader,
        callbacks=callbacks,
        progress=False,
        keep_best=False,
        state_dir=folder / "state",
        save_every_n_steps=3,
    )
    trainer.train(resume=given.get("resume", False))
    if rank == 0:
        trees = {"params": model.params, "state": model.state}
        digest = hashlib.sha256()
        for name, leaf in flatten(trees).items():
            digest.update(name.encode() + np.ascontiguousarray(ops.to_numpy(leaf)).tobytes())
        digest.update(model.encode(x[:7]).tobytes())
        timeless = [{k: v for k, v in e.items() if k != "seconds"} for e in trainer.history]
        told = {"bits": digest.hexdigest(), "history": timeless, "steps": trainer.global_step}
        (folder / "out.json").write_text(json.dumps(told))


if __name__ == "__main__":
    train(json.loads(sys.argv[1]))
