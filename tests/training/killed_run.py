"""A training run in a process that can be killed at a chosen point, for ``test_resume``.

``python -m tests.training.killed_run`` reads one JSON object a line, forks a process that does what
it asks, and answers with the process's exit status: so the libraries are imported once for many
runs.
"""

from __future__ import annotations

import json
import math
import os
import signal
import stat
import sys
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from dtgcnn import (
    DTGCNN,
    Callback,
    DTGCNNConfig,
    EarlyStopping,
    MetricsTracker,
    ModelCheckpoint,
    SaveEveryEpoch,
    Trainer,
    TripletDataset,
)
from dtgcnn.array.tree import flatten
from dtgcnn.callbacks.pace import Pace

calls: Counter[str] = Counter()
"""How often the run has come by each point at which it may be killed."""

CHANGES = ("fsync", "replace", "rename", "unlink", "mkdir")
"""Functions of ``os`` by which files are written."""


class Killed(Callback):
    """Kills the process after a step; counts them where it is not to be killed."""

    def __init__(self, point: str, number: int) -> None:
        self.point, self.number = point, number

    def on_batch_end(self, trainer: Trainer, outputs: Any, batch: Any, batch_idx: int) -> None:
        calls["step"] += 1
        if (self.point, self.number) == ("step", trainer.global_step):
            os.kill(os.getpid(), signal.SIGKILL)


def kill_in(name: str, point: str, number: int) -> None:
    """Let the ``number``-th call of ``os.<name>`` be the process's end. At ``torn`` in place of
    ``fsync`` it leaves half of the file on the disk."""
    real: Callable[..., Any] = getattr(os, name)
    own = {"torn": "fsync"}.get(point, point) == name

    def deadly(*arguments: Any, **options: Any) -> Any:
        calls[name] += 1
        if own and calls[name] == number:
            if point == "torn" and stat.S_ISREG(os.fstat(arguments[0]).st_mode):
                os.ftruncate(arguments[0], os.fstat(arguments[0]).st_size // 2)
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments, **options)

    setattr(os, name, deadly)


def train(folder: Path, backend: str, point: str, number: float) -> None:
    """Begin or resume the run in ``folder``, killed at the ``number``-th ``point``."""
    Pace.SHARE = math.inf  # the same saves in every run
    if point == "second":
        threading.Timer(number, os.kill, (os.getpid(), signal.SIGKILL)).start()
    for name in CHANGES:
        kill_in(name, point, int(number))
    rng = np.random.default_rng(0)
    labels = np.arange(96) % 6
    x = rng.normal(size=(6, 10))[labels] + rng.normal(size=(96, 10))
    dataset = TripletDataset.from_arrays(x.astype("float32"), labels)
    train_loader, val_loader = dataset.create_dataloaders(16, 0.8)
    config = DTGCNNConfig(
        input_dim=10,
        hidden_dims=(8, 8),
        output_dim=4,
        batch_size=16,
        graph_k_neighbors=3,
        num_epochs=100 // len(train_loader),
        dropout_rate=0.2,
        use_batch_norm=True,
        dynamic_graph_update_freq=3,
        mining_strategy="distance_weighted",
        target_margin=0.4,
        num_workers=1,
        mixed_precision="float16",
    )
    model = DTGCNN(config, backend=backend)
    tracker, stopping = MetricsTracker(), EarlyStopping(patience=1000)
    kept, last = ModelCheckpoint(folder / "kept", save_top_k=2), SaveEveryEpoch(folder / "last")
    trainer = Trainer(
        model,
        train_loader=train_loader,
        val_loader=val_loader,
        progress=False,
        callbacks=[kept, last, stopping, tracker, Killed(point, int(number))],
        state_dir=folder / "state",
        save_every_n_steps=3,
    )
    history = trainer.train(resume=True)
    leaves = flatten({"params": model.params, "state": model.state})
    np.savez(folder / "end.npz", **{k: model.ops.to_numpy(v) for k, v in leaves.items()})
    for metrics in history:
        del metrics["seconds"]
    end = {
        "history": history,
        "tracked": tracker.metrics,
        "steps": trainer.global_step,
        "best": [stopping.best, stopping.best_epoch],
        "kept": [path.name for path in kept.paths],
    }
    (folder / "calls.json").write_text(json.dumps(calls))
    (folder / "end.json").write_text(json.dumps(end))


def main() -> None:
    """Serve requests until there are no more."""
    for name in (
        "dtgcnn_numpy",
        "dtgcnn_mlx",
        "dtgcnn.storage.checkpoint",
        "dtgcnn.data.batches.prefetch",
    ):
        with suppress(ImportError):
            import_module(name)
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            try:
                train(Path(request.pop("folder")), **request)
            except BaseException:
                sys.excepthook(*sys.exc_info())
                os._exit(1)
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
