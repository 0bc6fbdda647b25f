"""Training in stages: frozen parts keep every bit, and a killed run goes on where it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtgcnn import (
    DTGCNN,
    Callback,
    DTGCNNConfig,
    EarlyStopping,
    ProgressiveTrainer,
    Stage,
    Trainer,
    TripletDataset,
)
from dtgcnn.array.tree import flatten
from dtgcnn.callbacks import SaveEveryEpoch
from dtgcnn.losses import SupConLoss
from dtgcnn.optim import make_optimizer
from dtgcnn.training.progressive import guide_stages

from ..conftest import PLAIN, STARTS, blobs

# Decay would move weights that get no gradient, and batch norm has running statistics.
CONFIG = DTGCNNConfig(**{**PLAIN, "use_batch_norm": True, "weight_decay": 0.5, "num_epochs": 1})
STAGES = (
    Stage("head", 2, 1e-3, lambda name: name.startswith("gcn.")),
    Stage("convolutions", 3, 5e-4, lambda name: name.startswith("head.")),
    Stage("all", 2, 1e-3),
)


def loaders() -> tuple[Any, Any]:
    return TripletDataset.from_arrays(*blobs()).create_dataloaders(24, 0.8)


def leaves(model: DTGCNN) -> dict[str, Any]:
    """Parameters and running statistics by name, on the host."""
    tree = {**model.params, "state": model.state}
    return {name: np.array(model.ops.to_numpy(leaf)) for name, leaf in flatten(tree).items()}


def moved(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    return {name for name in before if not np.array_equal(before[name], after[name])}


def names(model: DTGCNN, *prefixes: str) -> set[str]:
    return {name for name in leaves(model) if name.startswith(prefixes)}


class Watch(Callback):
    """Keeps what each stage began and ended with, its rates, and fails at step ``fatal`` of all."""

    def __init__(self, fatal: int = 0) -> None:
        self.begun: list[dict[str, Any]] = []
        self.ended: list[dict[str, Any]] = []
        self.rates: list[list[float]] = []
        self.steps, self.fatal = 0, fatal

    def on_train_begin(self, trainer: Trainer) -> None:
        self.begun.append(leaves(trainer.model))
        self.rates.append([])

    def on_batch_end(self, trainer: Trainer, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.steps += 1
        self.rates[-1].append(outputs["learning_rate"])
        if self.steps == self.fatal:
            raise InterruptedError

    def on_train_end(self, trainer: Trainer) -> None:
        self.ended.append(leaves(trainer.model))


def test_frozen_parts_do_not_move_by_one_bit(backend: str) -> None:
    model, watch = DTGCNN(CONFIG, backend=backend), Watch()
    trainer = ProgressiveTrainer(model, stages=STAGES, callbacks=[watch], progress=False)
    histories = trainer.train_progressive(*loaders())
    assert [len(history) for history in histories] == [2, 3, 2]
    assert trainer.histories == histories
    first, second, third = map(moved, watch.begun, watch.ended)
    assert first == names(model, "head.")
    # The bias before a batch norm has no gradient but rounding, and decays from 0.
    biases = {"gcn.0.linear.bias", "gcn.1.linear.bias"}
    assert second | biases == names(model, "gcn.", "state.")
    assert third | biases == names(model, "gcn.", "head.", "state.")
    peaks = [max(rates) for rates in watch.rates]
    assert peaks == pytest.approx([1e-3, 5e-4, 1e-3])
    assert model.frozen == frozenset()
    assert model.config == CONFIG.replace(batch_size=24)


def test_a_loss_of_ones_own_in_every_stage() -> None:
    def loss(ops: Any, embeddings: Any, batch: Any) -> Any:
        return ops.sum(embeddings * embeddings), {"own": ops.sum(embeddings)}

    trainer = ProgressiveTrainer(
        DTGCNN(CONFIG, backend="numpy"), stages=STAGES, progress=False, loss=loss
    )
    histories = trainer.train_progressive(*loaders())
    assert all("own" in metrics for history in histories for metrics in history)


@pytest.mark.parametrize("loss", [None, SupConLoss(0.3)])
def test_what_is_given_takes_every_stages_place(backend: str, loss: Any) -> None:
    model, watch = DTGCNN(CONFIG, backend=backend), Watch()
    given = {"loss": loss, "optimizer": make_optimizer("sgd", weight_decay=0.0)}
    trainer = ProgressiveTrainer(
        model,
        stages=STAGES,
        callbacks=[watch],
        progress=False,
        scheduler=lambda step: 0.05 / (1 + step),
        **given,
    )
    histories = trainer.train_progressive(*loaders())
    for rates in watch.rates:
        assert rates == pytest.approx([0.05 / (1 + step) for step in range(len(rates))])
    assert moved(watch.begun[0], watch.ended[0]) == names(model, "head.")

    stage = Trainer(
        DTGCNN(CONFIG, backend=backend),
        CONFIG.replace(num_epochs=2),
        callbacks=[own := Watch()],
        progress=False,
        scheduler=lambda step: 0.05 / (1 + step),
        **given,
    )
    stage.model.freeze(lambda name: name.startswith("gcn."))
    history = stage.train(*loaders())
    assert [entry["loss"] for entry in histories[0]] == [entry["loss"] for entry in history]
    assert not moved(own.ended[0], watch.ended[0])


def test_a_stage_has_its_share_of_the_warmup() -> None:
    for settings in ({"warmup_epochs": 4.0}, {"warmup_steps": 12}):
        config, watch = CONFIG.replace(num_epochs=8, **settings), Watch()
        stages = (Stage("short", 2, 1e-3), Stage("whole", 8, 1e-3))
        model = DTGCNN(config, backend="numpy")
        trainer = ProgressiveTrainer(model, stages=stages, callbacks=[watch], progress=False)
        trainer.train_progressive(*loaders())
        for rates in watch.rates:
            assert rates.index(max(rates)) == pytest.approx(len(rates) / 2, abs=1)
        assert model.config == config.replace(batch_size=24)


def test_the_guides_stages() -> None:
    config = CONFIG.replace(num_epochs=50, learning_rate=2e-4)
    stages = guide_stages(config)
    assert [(s.epochs, s.learning_rate) for s in stages] == [(5, 1e-3), (10, 5e-4), (50, 2e-4)]
    model = DTGCNN(config, backend="numpy")
    for stage, frozen in zip(stages, ("gcn.", "head."), strict=False):
        assert stage.frozen is not None
        assert set(filter(stage.frozen, flatten(model.params))) == names(model, frozen)
    assert stages[2].frozen is None


def test_the_guides_methods() -> None:
    """The guide's snippet, with fewer epochs."""
    model, watch = DTGCNN(CONFIG, backend="numpy"), Watch()
    trainer = ProgressiveTrainer(model, CONFIG, callbacks=[watch], progress=False)
    train_loader, val_loader = loaders()
    model.freeze_gcn_layers()
    trainer.train_stage(train_loader, val_loader, epochs=1, lr=1e-3)
    model.unfreeze_gcn_layers()
    model.freeze_embedding_layer()
    trainer.train_stage(train_loader, val_loader, epochs=1, lr=5e-4)
    model.unfreeze_all()
    history = trainer.train_stage(
        train_loader, val_loader, epochs=CONFIG.num_epochs, lr=CONFIG.learning_rate
    )
    changes = list(map(moved, watch.begun, watch.ended))
    assert not changes[0] & names(model, "gcn.", "state.")
    assert not changes[1] & names(model, "head.")
    assert {"head.weight", "gcn.0.linear.weight", "state.gcn.1.norm.var"} <= changes[2]
    assert "val_loss" in history[-1]


def test_a_stage_helps() -> None:
    model = DTGCNN(CONFIG.replace(weight_decay=0.0), backend="numpy")
    stages = [Stage("head", 8, 1e-2, STAGES[0].frozen), Stage("gcn", 8, 3e-3, STAGES[1].frozen)]
    first, second = ProgressiveTrainer(model, stages=stages, progress=False).train_progressive(
        *loaders()
    )
    assert first[-1]["loss"] < 0.9 * first[0]["loss"]
    assert second[-1]["loss"] < 0.9 * second[0]["loss"]
    assert second[0]["loss"] < first[0]["loss"]


def run(
    folder: Path, backend: str = "numpy", fatal: int = 0, start: str = "none"
) -> tuple[dict[str, Any], list[list[dict[str, float]]], int]:
    """Begin or resume a staged run, that fails at step ``fatal``: its end and steps taken."""
    model, watch = DTGCNN(CONFIG.replace(start=start), backend=backend), Watch(fatal)
    early = EarlyStopping(patience=1, min_delta=0.02)  # ends the second stage before its time
    trainer = ProgressiveTrainer(
        model,
        stages=STAGES,
        callbacks=[SaveEveryEpoch(folder / "model"), early, watch],
        progress=False,
        state_dir=folder / "state",
    )
    histories = trainer.train_progressive(*loaders(), resume=True)
    return leaves(model), timeless(histories), watch.steps


def timeless(histories: list[list[dict[str, float]]]) -> list[list[dict[str, float]]]:
    return [[{k: v for k, v in e.items() if k != "seconds"} for e in h] for h in histories]


# Three steps an epoch: inside the first stage, at the end of its last epoch, early and late in the
# stages after it.
@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("fatal", [2, 6, 7, 11, -2])
def test_a_killed_run_is_resumed_in_its_stage(
    tmp_path: Path, fatal: int, start: str, backend: str
) -> None:
    whole, histories, total = run(tmp_path / "whole", backend, start=start)
    fatal = fatal if fatal > 0 else total + fatal
    assert [len(history) for history in histories] != [2, 3, 2], "a stage is to end early"
    with pytest.raises(InterruptedError):
        run(tmp_path / "cut", backend, fatal, start)
    resumed, again, steps = run(tmp_path / "cut", backend, start=start)
    assert not moved(whole, resumed)
    assert again == histories
    finished = 3 * ((fatal - 1) // 3)  # whole epochs are not taken again
    assert steps == total - finished
    assert run(tmp_path / "cut", backend, start=start)[1:] == (histories, 0)


def test_a_run_that_died_between_stages_is_resumed(tmp_path: Path) -> None:
    class Dies(ProgressiveTrainer):
        def train_stage(self, *args: Any, **rest: Any) -> Any:
            if self.histories:
                raise InterruptedError
            return super().train_stage(*args, **rest)

    def trainer(kind: type[ProgressiveTrainer], folder: str, watch: Watch) -> ProgressiveTrainer:
        model = DTGCNN(CONFIG, backend="numpy")
        return kind(
            model,
            stages=STAGES,
            callbacks=[watch],
            progress=False,
            state_dir=tmp_path / folder,
        )

    whole = trainer(ProgressiveTrainer, "whole", Watch())
    whole.train_progressive(*loaders())
    with pytest.raises(InterruptedError):
        trainer(Dies, "cut", Watch()).train_progressive(*loaders())
    watch = Watch()
    resumed = trainer(ProgressiveTrainer, "cut", watch)
    resumed.train_progressive(*loaders(), resume=True)
    assert watch.steps == 3 * (3 + 2)
    assert not moved(leaves(whole.model), leaves(resumed.model))


def test_what_cannot_be_trained_is_refused_before_any_work(tmp_path: Path) -> None:
    model, watch = DTGCNN(CONFIG, backend="numpy"), Watch()
    model.freeze(lambda name: name == "head.bias")

    def trainer(*stages: Stage) -> ProgressiveTrainer:
        return ProgressiveTrainer(model, stages=stages, callbacks=[watch], progress=False)

    with pytest.raises(ValueError, match="the stage 'none' freezes every parameter"):
        trainer(STAGES[0], Stage("none", 1, 1e-3, lambda name: True)).train_progressive(*loaders())
    with pytest.raises(ValueError, match="predicate must hold for one parameter or more of gcn"):
        trainer(STAGES[0], Stage("x", 1, 1e-3, lambda name: False)).train_progressive(*loaders())
    assert watch.begun == []
    assert model.frozen == {"head.bias"}
    with pytest.raises(ValueError, match="stages must name one stage or more, received none"):
        trainer()
    model.freeze(lambda name: True)
    with pytest.raises(ValueError, match="every parameter is frozen: there is nothing to train"):
        Trainer(model, train_loader=loaders()[0], progress=False).train()


def test_a_stage_that_fails_leaves_config_and_frozen_as_they_were() -> None:
    model = DTGCNN(CONFIG, backend="numpy")
    model.freeze(lambda name: name == "gcn.0.linear.bias")
    trainer = ProgressiveTrainer(model, stages=STAGES, callbacks=[Watch(2)], progress=False)
    with pytest.raises(InterruptedError):
        trainer.train_progressive(*loaders())
    assert model.frozen == {"gcn.0.linear.bias"}
    assert model.config.learning_rate == CONFIG.learning_rate
    assert model.config.num_epochs == CONFIG.num_epochs


def test_a_stage_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="epochs must be at least 1, received 0"):
        Stage("none", 0, 1e-3)
    with pytest.raises(ValueError, match="learning_rate must be above 0, received 0"):
        Stage("still", 1, 0.0)
