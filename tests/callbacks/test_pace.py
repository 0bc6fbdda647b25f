"""How often a run is saved."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtgcnn import DTGCNN, Callback, SaveEveryEpoch, Trainer, TripletDataset
from dtgcnn.callbacks.pace import Pace
from dtgcnn.training.training_state import TrainingState

from ..conftest import SETTINGS, blobs


@pytest.fixture(autouse=True)
def an_hour_between(saved_after_each_epoch: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pace, "SHARE", 1e-9)


def test_it_is_due_again_once_saving_took_a_fortieth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pace, "SHARE", 1 / 40)
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    pace, saves = Pace(), 0
    while clock[0] < 1100.0:
        clock[0] += 0.25  # an epoch
        if pace.due:
            saves += 1
            with pace.saving():
                clock[0] += 0.5
    assert saves == 1 + int(1000.0 / (0.5 + 40 * 0.5 + 0.25))


class Watch(Callback):
    """Notes of which epoch state and model are as an epoch begins; breaks one off."""

    def __init__(self, saving: SaveEveryEpoch, states: Path, fatal: int) -> None:
        self.saving, self.states, self.fatal = saving, states, fatal
        self.seen: list[tuple[int, int]] = []

    def on_epoch_begin(self, trainer: Any, epoch: int) -> None:
        state = TrainingState.latest(self.states)
        assert state is not None
        self.seen.append((state.place.epoch - 1, self.saving.last_epoch))
        if epoch == self.fatal:
            raise InterruptedError


def run(folder: Path, paced: bool = True, fatal: int = 0) -> tuple[Trainer, Watch]:
    dataset = TripletDataset.from_arrays(*blobs())
    train, _ = dataset.create_dataloaders(batch_size=24, train_split=1.0)
    saving = SaveEveryEpoch(folder / "model", paced=paced)
    watch = Watch(saving, folder / "state", fatal)
    trainer = Trainer(
        DTGCNN(backend="numpy", **SETTINGS),
        train_loader=train,
        epochs=5,
        callbacks=[saving, watch],
        progress=False,
        state_dir=folder / "state",
    )
    try:
        trainer.train(resume=True)
    except InterruptedError:
        assert fatal
    return trainer, watch


@pytest.mark.parametrize("paced", [True, False])
def test_short_epochs_are_passed_over_but_not_the_end(tmp_path: Path, paced: bool) -> None:
    trainer, watch = run(tmp_path, paced)
    models = [0, 1, 1, 1, 1] if paced else [0, 1, 2, 3, 4]
    assert watch.seen == list(zip([0, 1, 1, 1, 1], models, strict=True))
    state = TrainingState.latest(tmp_path / "state")
    assert state is not None
    assert (state.place.epoch, watch.saving.last_epoch) == (6, 5)
    x = blobs()[0]
    saved = DTGCNN.load(tmp_path / "model", backend="numpy")
    np.testing.assert_array_equal(saved.encode(x), trainer.model.encode(x))


def test_a_run_that_broke_off_leaves_what_was_saved(tmp_path: Path) -> None:
    whole, _ = run(tmp_path / "whole")
    x = blobs()[0]
    _, watch = run(tmp_path / "cut", fatal=4)
    before = (tmp_path / "cut" / "model" / "model.safetensors").read_bytes()
    assert watch.seen[-1] == (1, 1)
    DTGCNN.load(tmp_path / "cut" / "model", backend="numpy")
    resumed, watch = run(tmp_path / "cut")
    assert watch.seen[0] == (1, 1)
    assert len(watch.seen) == 4
    assert (tmp_path / "cut" / "model" / "model.safetensors").read_bytes() != before
    np.testing.assert_array_equal(resumed.model.encode(x), whole.model.encode(x))
