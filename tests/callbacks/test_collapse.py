"""The warning of embeddings that have fallen together: its rule, a real collapse, and silence."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dtgcnn import DTGCNN, DTGCNNConfig, Trainer, TripletDataset
from dtgcnn.callbacks import CollapseWatch, ProgressBar
from dtgcnn.training.training_state import TrainingState

from ..conftest import PLAIN, blobs


def epoch(
    loss: float, active: float = 1.0, distance: float = 0.01, **kw: float
) -> dict[str, float]:
    figures = {"loss": loss, "active_fraction": active, "mean_negative_distance": distance}
    return {**figures, "valid_triplets": 24.0, **kw}


def warned(
    caplog: pytest.LogCaptureFixture, epochs: list[dict[str, float]], **settings: Any
) -> list[int]:
    """The epochs after which a warning came, each time of a callback made anew."""
    trainer: Any = SimpleNamespace(config=DTGCNNConfig(input_dim=8, **settings), history=[])
    after = []
    for number, figures in enumerate(epochs, 1):
        trainer.history.append({**figures, "epoch": float(number)})
        caplog.clear()
        CollapseWatch().on_epoch_end(trainer, trainer.history[-1])
        after += [number] * len(caplog.records)
    return after


def test_two_epochs_in_a_row_at_the_margin_are_reported_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    at = epoch(0.204)
    assert warned(caplog, [epoch(0.3), at, at, at]) == [3]
    assert warned(caplog, [at, epoch(0.3), at, epoch(0.3)]) == []
    assert warned(caplog, [at, at, epoch(0.1), at, at]) == [2]
    for other in (
        epoch(0.207),  # more than 3% above
        epoch(0.193),
        epoch(0.204, active=0.98),
        epoch(0.204, distance=0.3),  # hard triplets of a space that is not collapsed
        {"loss": 0.204},  # no metrics of triplets
        epoch(math.nan),
    ):
        assert warned(caplog, [other] * 4) == []


def test_the_warning_says_what_was_seen_and_what_to_do(caplog: pytest.LogCaptureFixture) -> None:
    warned(caplog, [epoch(0.204, active=0.995)] * 2, triplet_margin=0.2)
    said = caplog.text
    assert "epoch 2: the embeddings have fallen together" in said
    assert "the loss, now 0.2040, is what identical embeddings give at a margin of 0.2" in said
    assert "99.5% of the triplets are active" in said
    assert "--set loss=supcon" in said
    assert "more steps" in said
    assert "smaller learning_rate" in said


@pytest.mark.parametrize(
    ("settings", "loss"),
    [
        ({"triplet_margin": 0.5}, 0.5),
        ({"soft_margin": True}, math.log1p(math.exp(0.2))),
        ({"loss": "focal"}, (1 - math.exp(-0.2)) ** 2 * 0.2),
        ({"loss": "batch_all"}, 0.2),
        ({"loss_reduction": "sum"}, 24 * 0.2),
    ],
)
def test_each_loss_is_held_against_what_identical_embeddings_give(
    settings: dict[str, Any], loss: float, caplog: pytest.LogCaptureFixture
) -> None:
    assert warned(caplog, [epoch(loss)] * 2, **settings) == [2]
    assert warned(caplog, [epoch(1.1 * loss)] * 2, **settings) == []


def test_a_margin_that_moves_is_that_of_the_epoch(caplog: pytest.LogCaptureFixture) -> None:
    moving = [epoch(0.3, margin=0.3), epoch(0.35, margin=0.35)]
    assert warned(caplog, moving, target_margin=0.5) == [2]


@pytest.mark.parametrize("loss", ["supcon", "info_nce", "multi_similarity", "circle"])
def test_losses_without_a_margin_are_not_watched(
    loss: Any, caplog: pytest.LogCaptureFixture
) -> None:
    assert warned(caplog, [epoch(0.2)] * 3, loss=loss) == []


@pytest.mark.parametrize("name", ["tolerance", "min_active"])
def test_arguments_out_of_range_are_named(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be above 0 and below 1, received 1.5"):
        CollapseWatch(**{name: 1.5})


def trainer_of(epochs: int, mixed_up: bool = False, **kw: Any) -> Trainer:
    x, labels = blobs()
    if mixed_up:  # nothing can be learnt
        labels = np.random.default_rng(1).permutation(labels)
    train, _ = TripletDataset.from_arrays(x, labels).create_dataloaders(24, 0.8)
    own = {k: kw.pop(k) for k in ("loss", "state_dir") if k in kw}
    model = DTGCNN(backend="numpy", **{**PLAIN, **kw})
    return Trainer(model, train_loader=train, epochs=epochs, progress=False, **own)


HARD = {"mixed_up": True, "learning_rate": 0.05, "mining_strategy": "batch_hard"}


def test_a_training_that_collapses_is_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    trainer = trainer_of(40, **HARD)
    with caplog.at_level(logging.WARNING, "dtgcnn"):
        trainer.train()
    assert trainer.history[-1]["embedding_spread"] < 0.02
    assert [r.getMessage().count("have fallen together") for r in caplog.records] == [1]


def test_a_training_that_learns_is_not(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "dtgcnn"):
        trainer_of(15).train()
    assert caplog.records == []


def test_the_trainer_adds_one_for_a_loss_with_a_margin() -> None:
    def watches(trainer: Trainer, *given: CollapseWatch) -> list[CollapseWatch]:
        hooks = trainer._hooks(given, None)
        return [hook for hook in hooks if isinstance(hook, CollapseWatch)]

    mine = CollapseWatch(tolerance=0.1)
    assert len(watches(trainer_of(1))) == 1
    assert watches(trainer_of(1), mine) == [mine]
    own = trainer_of(1, loss=lambda ops, embeddings, batch: ops.sum(embeddings))
    assert watches(own) == []
    x, labels = blobs()
    train, _ = TripletDataset.from_arrays(x, labels).create_dataloaders(24, 0.8)
    pairs = DTGCNN(backend="numpy", **{**PLAIN, "loss": "supcon"})
    assert watches(Trainer(pairs, train_loader=train, progress=False)) == []


def test_saved_states_do_not_know_of_it_and_resume_without(tmp_path: Path) -> None:
    trainer_of(1, state_dir=tmp_path).train()
    state = TrainingState.latest(tmp_path)
    assert state is not None
    assert state.callbacks == []  # as those of versions that had none
    resumed = trainer_of(1, state_dir=tmp_path)
    resumed.train(callbacks=[CollapseWatch(tolerance=0.1), ProgressBar()], resume=True)
    assert len(resumed.history) == 1
