"""How often a run is saved."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtgcnn import DTGCNN, Callback, SaveEveryEpoch, Trainer, TripletDataset
from dtgcnn.callbacks.pace import Pace
from dtgcnn.training.training_state import Place, TrainingState

from ..conftest import STARTS, blobs


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


def run(
    folder: Path,
    paced: bool = True,
    fatal: int = 0,
    start: str = "closed_form",
    more: Sequence[Callback] = (),
) -> tuple[Trainer, Watch]:
    dataset = TripletDataset.from_arrays(*blobs())
    train, _ = dataset.create_dataloaders(batch_size=24, train_split=1.0)
    saving = SaveEveryEpoch(folder / "model", paced=paced)
    watch = Watch(saving, folder / "state", fatal)
    trainer = Trainer(
        DTGCNN(backend="numpy", **STARTS[start]),
        train_loader=train,
        epochs=5,
        callbacks=[saving, watch, *more],
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


@pytest.mark.parametrize("start", STARTS)
def test_a_run_that_breaks_off_saves_its_last_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: str
) -> None:
    """Passed over or not: the same model and the same state to the byte."""
    _, watch = run(tmp_path / "paced", fatal=4, start=start)
    assert watch.seen[-1] == (1, 1)
    assert watch.saving.last_epoch == 3
    monkeypatch.setattr(Pace, "SHARE", math.inf)
    _, watch = run(tmp_path / "each", paced=False, fatal=4, start=start)
    assert watch.seen[-1] == (3, 3)
    models = [(tmp_path / name / "model" / "model.safetensors") for name in ("paced", "each")]
    assert models[0].read_bytes() == models[1].read_bytes()
    states = [TrainingState.latest(tmp_path / name / "state") for name in ("paced", "each")]
    one, other = (vars(state) for state in states)
    assert one["place"] == other["place"] == Place(4)
    assert len(one["history"]) == 3
    assert one["arrays"].keys() == other["arrays"].keys()
    for name, array in one["arrays"].items():
        np.testing.assert_array_equal(array, other["arrays"][name])
    whole, _ = run(tmp_path / "whole", start=start)
    resumed, watch = run(tmp_path / "paced", start=start)
    assert len(watch.seen) == 2
    x = blobs()[0]
    np.testing.assert_array_equal(resumed.model.encode(x), whole.model.encode(x))


def test_an_interrupt_of_a_save_leaves_the_epoch_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, calls = DTGCNN.save, []

    def interrupted(self: DTGCNN, *args: Any, **named: Any) -> Path:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return save(self, *args, **named)

    class Hurry(Callback):
        def on_epoch_begin(self, trainer: Any, epoch: int) -> None:
            if epoch == 4:
                trainer.callbacks[0].pace = Pace()

    monkeypatch.setattr(DTGCNN, "save", interrupted)
    saving = SaveEveryEpoch(tmp_path, paced=True)
    train, _ = TripletDataset.from_arrays(*blobs()).create_dataloaders(24, 1.0)
    model, hooks = DTGCNN(backend="numpy", **STARTS["closed_form"]), [saving, Hurry()]
    trainer = Trainer(model, train_loader=train, epochs=5, callbacks=hooks, progress=False)
    with pytest.raises(KeyboardInterrupt):
        trainer.train()
    assert (len(calls), saving.last_epoch) == (3, 3)


def test_what_went_wrong_is_told_though_nothing_can_be_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    class Fill(Callback):
        def on_epoch_begin(self, trainer: Any, epoch: int) -> None:
            if epoch == 3:
                monkeypatch.setattr(DTGCNN, "save", full)
                monkeypatch.setattr(TrainingState, "save", full)
                raise RuntimeError("the power went")

    with pytest.raises(RuntimeError, match="the power went"):
        run(tmp_path, more=[Fill()])
    monkeypatch.undo()
    assert DTGCNN.load(tmp_path / "model", backend="numpy").config.num_epochs == 5
