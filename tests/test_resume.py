"""A killed run goes on as if nothing had happened: the same bits at the end."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

STEPS, KILLS = 200, 20

RUN = textwrap.dedent(
    """
    import json, os, sys
    from pathlib import Path

    import numpy as np

    from dtgcnn import (
        DTGCNN, Callback, DTGCNNConfig, EarlyStopping, MetricsTracker, ModelCheckpoint, Trainer,
        TripletDataset,
    )
    from dtgcnn.tree import flatten

    folder, backend, last_step = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])

    class Killer(Callback):
        def on_batch_end(self, trainer, outputs, batch, batch_idx):
            if trainer.global_step == last_step:
                os.kill(os.getpid(), 9)

    rng = np.random.default_rng(0)
    labels = np.arange(96) % 6
    x = rng.normal(size=(6, 10))[labels] + rng.normal(size=(96, 10))
    dataset = TripletDataset.from_arrays(x.astype("float32"), labels)
    train_loader, val_loader = dataset.create_dataloaders(16, 0.8)
    config = DTGCNNConfig(
        input_dim=10, hidden_dims=(8, 8), output_dim=4, batch_size=16, graph_k_neighbors=3,
        num_epochs=200 // len(train_loader), dropout_rate=0.2, use_batch_norm=True,
        dynamic_graph_update_freq=3, mining_strategy="distance_weighted", target_margin=0.4,
        num_workers=1, mixed_precision="float16",
    )
    model = DTGCNN(config, backend=backend)
    tracker = MetricsTracker()
    kept = ModelCheckpoint(folder / "kept", save_top_k=2)
    trainer = Trainer(
        model, train_loader=train_loader, val_loader=val_loader, progress=False,
        callbacks=[kept, EarlyStopping(patience=1000), tracker, Killer()],
        state_dir=folder / "state", save_every_n_steps=3,
    )
    history = trainer.train(resume=True)
    leaves = flatten({"params": model.params, "state": model.state})
    np.savez(folder / "end.npz", **{k: model.ops.to_numpy(v) for k, v in leaves.items()})
    for metrics in history:
        del metrics["seconds"]
    stopping = trainer.callbacks[1]
    end = {
        "history": history, "tracked": tracker.metrics, "steps": trainer.global_step,
        "best": [stopping.best, stopping.best_epoch], "kept": [p.name for p in kept.paths],
    }
    (folder / "end.json").write_text(json.dumps(end))
    """
)


def run(folder: Path, backend: str, last_step: int) -> int:
    """Begin or resume the run in ``folder``, killed at ``last_step``; 0 lets it end."""
    command = [sys.executable, "-c", RUN, str(folder), backend, str(last_step)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode


def end_of(folder: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    """What a run came to: history, best so far and kept models; and the bits of its weights."""
    end = json.loads((folder / "end.json").read_text())
    return end, {name: leaf.tobytes() for name, leaf in np.load(folder / "end.npz").items()}


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
@pytest.mark.parametrize("backend", ["numpy", "mlx"])
def test_killed_at_twenty_random_steps(backend: str, tmp_path: Path) -> None:
    if backend == "mlx":
        pytest.importorskip("mlx.core")
    assert run(tmp_path / "whole", backend, 0) == 0
    expected, bits = end_of(tmp_path / "whole")
    assert expected["steps"] == STEPS
    steps = random.Random(backend).sample(range(1, STEPS), KILLS)
    with ThreadPoolExecutor(2) as pool:
        for step, end in zip(steps, pool.map(partial(killed_at, tmp_path, backend), steps)):
            assert end == (expected, bits), step


def killed_at(folder: Path, backend: str, step: int) -> tuple[dict[str, Any], dict[str, bytes]]:
    """What a run comes to that was killed at ``step`` and then resumed."""
    folder = folder / f"killed-{step}"
    assert run(folder, backend, step) == -signal.SIGKILL
    assert not (folder / "end.json").exists()
    assert run(folder, backend, 0) == 0
    return end_of(folder)
