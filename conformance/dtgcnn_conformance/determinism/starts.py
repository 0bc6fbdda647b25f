"""What begins at a start, again and in other company; and a training that is interrupted."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from typing_extensions import override

from dtgcnn import DTGCNN, Trainer
from dtgcnn.array.ops import ArrayOps, HostArray, Tree
from dtgcnn.callbacks import Callback, TrainerView
from dtgcnn.data import TripletDataset
from dtgcnn.model import ENCODE_ROWS

from ..comparison import require
from ..layers.start import X, start_of
from ..probe import Probe, normal, to_device, to_host
from ..registry import check
from ..task import LABELS, VECTORS, config_of, model_of
from .repetition import hold, hold_again, hold_rows

STARTED: dict[str, Any] = {"start": "closed_form", "propagation_hops": 3}


def orders_of(count: int) -> dict[str, HostArray]:
    """Some rows of ``count``, alone, together and in other orders."""
    every = np.arange(count)
    orders = {"shuffled": np.random.default_rng(0).permutation(every), "backwards": every[::-1]}
    orders |= {f"of the first {n}": every[:n] for n in (2, 9, count - 1)}
    return orders | {f"of row {n} alone": every[n : n + 1] for n in (0, count // 2, count - 1)}


@check("determinism")
def a_start_does_not_depend_on_company(probe: Probe) -> None:
    """With ``by_rows`` a start and its gate are the same among as many rows, whichever they are."""
    start, height = start_of(probe.ops), ENCODE_ROWS
    rows = np.concatenate([X] * 7)[:height].astype(np.float32)
    rows = rows + np.linspace(0.0, 0.25, height, dtype=np.float32)[:, None]
    together = to_host(
        probe.ops, dict(zip("zg", start(probe.ops, probe.array(rows), by_rows=True)))
    )
    for what, order in orders_of(height).items():
        filled = np.concatenate([order, np.full(height - len(order), order[-1])])
        found = start(probe.ops, probe.array(rows[filled]), by_rows=True)
        for name, actual in zip("zg", found):
            host = probe.ops.to_numpy(actual)[: len(order)]
            hold_rows(probe, f"{what}, {name}", host, together[name][order])


@check("determinism")
def started_embeddings_do_not_depend_on_company(probe: Probe) -> None:
    """``encode`` from a start, with three hops, gives a row the same in any company."""
    new = normal(ENCODE_ROWS, VECTORS.shape[1], seed=9).astype(np.float32)
    rows = np.concatenate([VECTORS[30:50], VECTORS[30:34], new])
    for more in ({}, {"code_weight": 0.0}, {"start": "none"}):
        model = model_of(probe.ops, 40, **{**STARTED, **more})
        together = model.encode(rows)
        for what, order in orders_of(len(rows)).items():
            hold_rows(probe, f"{what}, {more}", model.encode(rows[order]), together[order])


def _loaders() -> Any:
    data = TripletDataset.from_arrays(VECTORS, [int(label) for label in LABELS])
    return data.create_dataloaders(batch_size=16, train_split=0.8, seed=1)


def _ended(ops: ArrayOps, trainer: Trainer) -> Tree:
    """What a training came to: the losses of every epoch, and the embeddings."""
    history = trainer.history
    figures = {name: np.array([h[name] for h in history]) for name in ("loss", "val_loss")}
    return to_device(ops, {**figures, "embeddings": trainer.model.encode(VECTORS)})


def _trainer(ops: ArrayOps, **options: Any) -> Trainer:
    model = DTGCNN(config_of(**STARTED, learning_rate=0.02), ops=ops)
    return Trainer(model, epochs=3, progress=False, **options)


@check("determinism")
def training_from_a_start_again(probe: Probe) -> None:
    """A training from a start has the same losses, and ends with the same best embeddings."""

    def trained(ops: ArrayOps) -> Tree:
        trainer = _trainer(ops)
        trainer.train(*_loaders())
        return _ended(ops, trainer)

    hold_again(probe, "a training from a start", trained)


class _Interrupted(Callback):
    """Ends a training in the midst of an epoch, once, as a keyboard does."""

    def __init__(self, epoch: int) -> None:
        self.epoch, self.times = epoch, 1

    @override
    def on_batch_end(self, trainer: TrainerView, outputs: Tree, batch: Any, batch_idx: int) -> None:
        if self.times and trainer.global_step > (self.epoch - 1) * trainer.steps_per_epoch:
            self.times -= 1
            raise KeyboardInterrupt


@check("determinism")
def resumed_training_again(probe: Probe) -> None:
    """A training that was interrupted and goes on ends as one that was not."""
    whole = _trainer(probe.ops)
    whole.train(*_loaders())
    expected = to_host(probe.ops, _ended(probe.ops, whole))
    for epoch in (1, 2):
        once = _Interrupted(epoch)
        with tempfile.TemporaryDirectory() as folder:
            options: dict[str, Any] = {"state_dir": Path(folder) / "state", "callbacks": [once]}
            with suppress(KeyboardInterrupt):
                _trainer(probe.ops, **options).train(*_loaders())
            require(once.times == 0, "the training was not interrupted")
            again = _trainer(probe.ops, **options)
            again.train(*_loaders(), resume=True)
        what = f"a training that goes on in epoch {epoch}"
        require(again.resumed, f"{what} goes on with nothing")
        for name in ("best_epoch", "start_metrics"):
            found, wanted = getattr(again, name), getattr(whole, name)
            require(found == wanted, f"{what}: {name} is {found}, expected {wanted}")
        hold(probe, what, _ended(probe.ops, again), expected)
