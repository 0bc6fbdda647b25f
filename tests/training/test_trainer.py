"""Training: it learns, it is reproducible, and it stops with a clear word when it cannot go on."""

from __future__ import annotations

import gc
import weakref
from functools import partial
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from dtgcnn import (
    DTGCNN,
    Callback,
    DTGCNNConfig,
    EarlyStopping,
    ModelCheckpoint,
    StopAfter,
    Trainer,
    TrainingError,
    TripletDataset,
)
from dtgcnn.array.tree import flatten
from dtgcnn.callbacks import TrainerView
from dtgcnn.config.config import LossName, MiningStrategy
from dtgcnn.data import Batch
from dtgcnn.evaluation.metrics import retrieval_metrics
from dtgcnn.training.step_inputs import TrainingInputs

from ..conftest import PLAIN, STARTS, blobs


def train(
    dataset: TripletDataset, base: str = "none", keep_best: bool = False, **settings: Any
) -> tuple[DTGCNN, Trainer]:
    """A model after its last epoch, unless the best is to be kept."""
    model = DTGCNN(backend="numpy", **{**STARTS[base], **settings})
    loaders = dataset.create_dataloaders(batch_size=24, train_split=0.8)
    trainer = Trainer(
        model,
        train_loader=loaders[0],
        val_loader=loaders[1],
        progress=False,
        keep_best=keep_best,
    )
    trainer.train()
    return model, trainer


@pytest.mark.parametrize("base", STARTS)
def test_held_out_rows_whose_classes_are_numbered_otherwise_are_refused(base: str) -> None:
    x, labels = blobs()
    names = np.array(["a", "b", "c", "d"])[labels]
    train_loader, _ = TripletDataset.from_arrays(x[::2], names[::2]).create_dataloaders(24, 1)
    some = names[1::2] != "a"
    other = TripletDataset.from_arrays(x[1::2][some], names[1::2][some])
    val_loader, _ = other.create_dataloaders(24, 1)
    trainer = Trainer(DTGCNN(backend="numpy", **STARTS[base]), progress=False)
    with pytest.raises(ValueError, match=r"of one dataset, .*: class 0 is 'b' in .*, and 'a' in"):
        trainer.train(train_loader, val_loader)
    assert trainer.global_step == 0, "before a step is taken"
    whole = TripletDataset.from_arrays(x[1::2], names[1::2])
    trainer.train(train_loader, whole.create_dataloaders(24, 1)[0])
    assert trainer.best_epoch is not None


@pytest.mark.parametrize("base", STARTS)
def test_held_out_rows_with_classes_beside_triplets_are_refused(base: str) -> None:
    red, green = ([f"{word} {i}" for i in range(9)] for word in ("red", "green"))
    triplets = TripletDataset.from_triplets([*zip(red, red[1:], green), (*green[:2], "red 0")])
    texts = TripletDataset.from_labelled(red + green, ["red"] * 9 + ["green"] * 9)
    trainer = Trainer(DTGCNN(backend="numpy", **STARTS[base]), progress=False)
    with pytest.raises(ValueError, match=r"must be triplets, as the training rows are: .* classes"):
        trainer.train(triplets.create_dataloaders(8, 1)[0], texts.create_dataloaders(8, 1)[0])


@pytest.mark.parametrize("base", STARTS)
@pytest.mark.parametrize("scope", ["bank", "batch"])
def test_training_helps_on_rows_it_has_not_seen(scope: str, base: str) -> None:
    x, labels = blobs(per_class=60)
    splits = ["test" if i % 3 == 0 else "train" for i in range(len(x))]
    dataset = TripletDataset.from_arrays(x, labels, splits)
    settings = {"num_epochs": 30, "learning_rate": 3e-3, "graph_scope": scope}
    model, trainer = train(dataset, base, base != "none", **settings)
    test, gallery = dataset.split_items("test"), dataset.split_items("train")

    def score(view: Any) -> float:
        figures = retrieval_metrics(view[test], labels[test], view[gallery], labels[gallery])
        return figures["map@r"]

    assert score(model.encode(x)) > score(x) + 0.1
    if base == "none":
        assert trainer.history[-1]["loss"] < 0.5 * trainer.history[0]["loss"]
    else:
        first = retrieval_metrics(
            model.started(x[test])[0], labels[test], model.started(x[gallery])[0], labels[gallery]
        )
        assert score(model.encode(x)) >= first["map@r"] - 0.01


def test_history_has_the_metrics_of_every_epoch(labelled: TripletDataset) -> None:
    _, trainer = train(labelled)
    names = {"loss", "gradient_norm", "active_fraction", "triplet_accuracy", "valid_triplets"}
    names |= {"mean_positive_distance", "mean_negative_distance", "val_loss"}
    assert [entry["epoch"] for entry in trainer.history] == [1.0, 2.0]
    assert names <= set(trainer.history[0])
    assert all(np.isfinite(list(entry.values())).all() for entry in trainer.history)


@pytest.mark.parametrize("base", STARTS)
def test_the_same_seed_gives_the_same_bits(
    labelled: TripletDataset, backend: str, base: str
) -> None:
    def params(**settings: Any) -> dict[str, Any]:
        config = DTGCNNConfig(device="cpu", **{**STARTS[base], "dropout_rate": 0.2, **settings})
        model = DTGCNN(config, backend=backend)
        loaders = labelled.create_dataloaders(batch_size=24, train_split=0.8)
        Trainer(
            model,
            train_loader=loaders[0],
            val_loader=loaders[1],
            progress=False,
            keep_best=False,  # which may be the start, whose head is 0
        ).train()
        return {name: model.ops.to_numpy(leaf) for name, leaf in flatten(model.params).items()}

    first, second, other = params(), params(), params(seed=1)
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert not any(np.array_equal(first[n], other[n]) for n in first if n.endswith("weight"))


def test_the_bank_is_frozen_between_refreshes(labelled: TripletDataset) -> None:
    every, rarely = (train(labelled, num_epochs=4, dynamic_graph_update_freq=f)[0] for f in (1, 4))
    weights = [flatten(model.params)["gcn.1.linear.weight"] for model in (every, rarely)]
    assert not np.array_equal(*weights)


@pytest.mark.parametrize("base", STARTS)
@pytest.mark.parametrize("strategy", get_args(MiningStrategy))
def test_triplets_are_learnt_by_every_strategy(triplet_file: Any, strategy: str, base: str) -> None:
    dataset = TripletDataset(triplet_file)
    settings = {"mining_strategy": strategy, "learning_rate": 3e-3, "num_epochs": 20}
    model, trainer = train(dataset, base, **settings)
    assert model.encoder is not None
    if base == "none":  # a start leaves little to lose
        assert trainer.history[-1]["loss"] < trainer.history[0]["loss"]
    a, p, n = (model.encode([dataset.texts[i] for i in column]) for column in dataset.triplets.T)
    closer = np.linalg.norm(a - p, axis=1) < np.linalg.norm(a - n, axis=1)
    assert closer.mean() > 0.9


def test_the_encoder_sees_the_training_side_only(text_file: Any) -> None:
    dataset = TripletDataset(text_file)
    model, trainer = train(dataset, num_epochs=1)
    assert trainer.train_loader is not None
    seen = [dataset.texts[i] for i in trainer.train_loader.items]
    again = type(model.encoder)(12).fit(seen)
    np.testing.assert_array_equal(model.encoder.encode(seen[:5]), again.encode(seen[:5]))


@pytest.mark.parametrize(
    "settings",
    [
        *({"mining_strategy": s} for s in get_args(MiningStrategy) if s != "explicit"),
        *({"loss": name} for name in get_args(LossName)),
        {"triplet_distance": "cosine", "triplet_swap": True},
        {"triplet_distance": "squared", "loss_reduction": "mean_active"},
        {"soft_margin": True},
        {"loss": "supcon", "uniformity_weight": 0.1},
    ],
    ids=str,
)
@pytest.mark.parametrize("base", STARTS)
def test_every_loss_and_mining_strategy_brings_classes_together(settings: Any, base: str) -> None:
    x, labels = blobs(per_class=40)
    dataset = TripletDataset.from_arrays(x, labels)
    epochs = 40 if base == "none" else 10
    model, trainer = train(dataset, base, num_epochs=epochs, learning_rate=3e-3, **settings)
    before = retrieval_metrics(x, labels)["map@r"]
    assert retrieval_metrics(model.encode(x), labels)["map@r"] > before + 0.1
    assert np.isfinite(trainer.history[-1]["val_loss"])


def test_explicit_triplets_need_triplets(labelled: TripletDataset) -> None:
    with pytest.raises(ValueError, match="'explicit' needs triplets, and the data are labelled"):
        train(labelled, mining_strategy="explicit")


@pytest.mark.parametrize(("optimizer", "rate"), [("adamw", 3e-3), ("adam", 3e-3), ("sgd", 0.1)])
def test_every_optimiser_learns(labelled: TripletDataset, optimizer: str, rate: float) -> None:
    _, trainer = train(labelled, optimizer=optimizer, learning_rate=rate, num_epochs=25)
    assert trainer.history[-1]["loss"] < 0.7 * trainer.history[0]["loss"]


def test_the_schedule_drives_the_learning_rate(labelled: TripletDataset) -> None:
    settings = {"scheduler": "step", "scheduler_step_size": 1, "scheduler_gamma": 0.5}
    _, trainer = train(labelled, num_epochs=3, warmup_epochs=0, learning_rate=0.01, **settings)
    rates = [entry["learning_rate"] for entry in trainer.history]
    assert rates == pytest.approx([0.01, 0.005, 0.0025])


def test_a_batch_without_triplets_is_refused(labelled: TripletDataset) -> None:
    loader, _ = labelled.create_dataloaders(batch_size=24)

    class Empty:
        dataset, items, labels = loader.dataset, loader.items, loader.labels
        batch_size, samples_per_class = 24, 4
        pseudo, nodes = loader.pseudo, loader.nodes

        def __len__(self) -> int:
            return 1

        def batches(self, epoch: int, *rest: object) -> Any:
            batch = next(iter(loader.batches(epoch)))
            yield Batch(batch.items, batch.labels, None, 0)

    model = DTGCNN(backend="numpy", **PLAIN)
    with pytest.raises(TrainingError, match="step 1 holds no valid triplet"):
        Trainer(model, train_loader=Empty(), progress=False).train()  # type: ignore[arg-type]


def test_a_loss_that_is_not_finite_stops_training(labelled: TripletDataset) -> None:
    loader, _ = labelled.create_dataloaders(batch_size=24)
    model = DTGCNN(backend="numpy", **PLAIN)
    model.params["head"]["bias"] = model.params["head"]["bias"] + np.float32(np.inf)
    trainer = Trainer(model, train_loader=loader, progress=False)
    with (
        np.errstate(all="ignore"),
        pytest.raises(TrainingError, match="the loss is nan at step 1 of epoch 1: lower"),
    ):
        trainer.train()


def test_k_must_be_below_the_batch_in_batch_scope(labelled: TripletDataset) -> None:
    with pytest.raises(ValueError, match="a batch has 24 nodes, received k = 24"):
        train(labelled, graph_scope="batch", graph_k_neighbors=24)


def test_vectors_of_another_width_are_refused(labelled: TripletDataset) -> None:
    with pytest.raises(ValueError, match=r"input_dim = 13\), received \(80, 12\)"):
        train(labelled, input_dim=13)


def test_a_config_of_another_model_is_refused() -> None:
    model = DTGCNN(backend="numpy", **PLAIN)
    with pytest.raises(ValueError, match=r"output_dim must be the model's 8, received 9"):
        Trainer(model, model.config.replace(output_dim=9))
    with pytest.raises(ValueError, match=r"initializer must be the model's 'xavier_uniform', rec"):
        Trainer(model, model.config.replace(initializer="he_normal"))


def test_the_training_settings_become_the_models(labelled: TripletDataset) -> None:
    loader, _ = labelled.create_dataloaders(batch_size=24)
    model = DTGCNN(backend="numpy", **PLAIN)
    config = model.config.replace(learning_rate=5e-3)
    Trainer(model, config, train_loader=loader, epochs=1, progress=False).train()
    assert (model.config.learning_rate, model.config.num_epochs) == (5e-3, 1)


def test_an_empty_loader_is_refused(labelled: TripletDataset) -> None:
    _, empty = labelled.create_dataloaders(batch_size=24, train_split=1.0)
    with pytest.raises(TrainingError, match="the training side has no batch"):
        Trainer(DTGCNN(backend="numpy", **PLAIN), progress=False).train(empty)


def test_a_loader_must_be_given() -> None:
    with pytest.raises(ValueError, match="train_loader must be given"):
        Trainer(DTGCNN(backend="numpy", **PLAIN)).train()


def test_a_gradient_that_is_not_finite_ends_training(
    labelled: TripletDataset, backend: str
) -> None:
    """The loss of the last step is finite, and the weights after it would not be."""

    def root_of_zero(ops: Any, embeddings: Any, batch: Any) -> Any:
        return ops.sqrt(0.0 * ops.sum(embeddings * embeddings))

    loader, _ = labelled.create_dataloaders(batch_size=80, train_split=1.0)
    assert len(loader) == 1
    model = DTGCNN(backend=backend, **{**PLAIN, "num_epochs": 1})
    trainer = Trainer(model, train_loader=loader, loss=root_of_zero, progress=False)
    with (
        np.errstate(all="ignore"),
        pytest.raises(TrainingError, match="the gradient's norm is nan at step 1 of epoch 1"),
    ):
        trainer.train()


def test_callbacks_are_called_in_order(labelled: TripletDataset) -> None:
    calls: list[str] = []

    class Recorder(Callback):
        def on_train_begin(self, trainer: Trainer) -> None:
            calls.append("begin")

        def on_epoch_begin(self, trainer: Trainer, epoch: int) -> None:
            calls.append(f"epoch {epoch}")

        def on_batch_begin(self, trainer: Trainer, batch: Any, batch_idx: int) -> None:
            self.batch, self.before = batch, trainer.model.params["head"]["bias"]
            calls.append(f"batch {batch_idx}")

        def on_batch_end(self, trainer: Trainer, outputs: Any, batch: Any, batch_idx: int) -> None:
            assert outputs["loss"] >= 0.0
            assert len(batch.items) == 24
            assert batch is self.batch
            assert not np.array_equal(trainer.model.params["head"]["bias"], self.before)
            calls.append(f"batch {batch_idx} ends")

        def on_validation_begin(self, trainer: Trainer) -> None:
            self.seen = trainer.model.encode(blobs()[0])
            calls.append("validation")

        def on_validation_end(self, trainer: Trainer, metrics: dict[str, float]) -> None:
            assert {"val_loss", "val_triplet_accuracy"} <= set(metrics)
            metrics["val_own"] = 1.0
            calls.append("validation ends")

        def on_epoch_end(self, trainer: Trainer, metrics: dict[str, float]) -> None:
            assert metrics is trainer.history[-1]
            assert metrics["val_own"] == 1.0
            np.testing.assert_array_equal(trainer.model.encode(blobs()[0]), self.seen)
            calls.append("epoch ends")

        def on_exception(self, trainer: Trainer, error: BaseException) -> None:
            calls.append("an error")

        def on_train_end(self, trainer: Trainer) -> None:
            calls.append("end")

    loader, val_loader = labelled.create_dataloaders(batch_size=24, train_split=0.6)
    model = DTGCNN(backend="numpy", **PLAIN)
    trainer = Trainer(model, train_loader=loader, val_loader=val_loader, progress=False)
    trainer.train(callbacks=[Recorder()])
    batches = [call for i in range(len(loader)) for call in (f"batch {i}", f"batch {i} ends")]
    ending = ["validation", "validation ends", "epoch ends"]
    epochs = [["epoch 1", *batches, *ending], ["epoch 2", *batches, *ending]]
    assert calls == ["begin", *epochs[0], *epochs[1], "end"]


def test_callbacks_of_a_generator_are_called(labelled: TripletDataset) -> None:
    loader, _ = labelled.create_dataloaders(batch_size=24)
    trainer = Trainer(DTGCNN(backend="numpy", **PLAIN), train_loader=loader, epochs=3)
    assert len(trainer.train(callbacks=filter(None, [None, StopAfter(1)]))) == 1


def test_what_is_no_loader_callback_or_loss_is_refused(labelled: TripletDataset) -> None:
    loader, _ = labelled.create_dataloaders(batch_size=24)
    model = DTGCNN(backend="numpy", **PLAIN)
    given: Any = labelled
    with pytest.raises(ValueError, match=r"train_loader must be a TripletLoader, .*TripletDataset"):
        Trainer(model).train(given)
    for given in (print, EarlyStopping):
        with pytest.raises(ValueError, match="callbacks must be Callback objects, received"):
            Trainer(model).train(loader, callbacks=[given])
    given = StopAfter(1)
    for refused in (Trainer(model).train, partial(Trainer, model)):
        with pytest.raises(ValueError, match="callbacks must be a list of Callback objects, rec"):
            refused(train_loader=loader, callbacks=given)
    given = "supcon"
    with pytest.raises(ValueError, match="loss must be a function, received 'supcon'"):
        Trainer(model, loss=given).train(loader)


@pytest.mark.parametrize("hook", [EarlyStopping, ModelCheckpoint])
def test_a_validation_metric_needs_a_validation_side(
    labelled: TripletDataset, hook: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    loader, _ = labelled.create_dataloaders(batch_size=24)
    trainer = Trainer(DTGCNN(backend="numpy", **PLAIN), train_loader=loader, callbacks=[hook()])
    with pytest.raises(ValueError, match=r"without a validation side, .* received 'val_loss'"):
        trainer.train()
    assert trainer.global_step == 0


@pytest.mark.parametrize("hops", [0, 2])
@pytest.mark.parametrize("base", STARTS)
def test_held_out_rows_are_started_and_linked_once(
    base: str, hops: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset, linked = TripletDataset.from_arrays(*blobs(per_class=30)), []
    linked_of = DTGCNN._linked

    def counted(self: DTGCNN, host_x: Any) -> Any:
        linked.append(len(host_x))
        return linked_of(self, host_x)

    monkeypatch.setattr(DTGCNN, "_linked", counted)
    monkeypatch.setattr("dtgcnn.training.trainer.calibrate", lambda *_: None)
    _, trainer = train(dataset, base, num_epochs=3, propagation_hops=hops)
    assert trainer.val_loader is not None
    assert linked == [len(trainer.val_loader.items)]
    assert trainer._held == {}
    again = trainer.validate(trainer.val_loader)  # of rows encoded anew
    assert {name: trainer.history[-1][f"val_{name}"] for name in again} == again
    assert base != "none" or len({entry["val_loss"] for entry in trainer.history}) == 3


def test_what_a_run_held_ends_with_it(labelled: TripletDataset) -> None:
    """Without waiting for the garbage collector: of many rows it is more than the rows."""
    held: list[weakref.ref[TrainingInputs]] = []

    class Watch(Callback):
        def on_epoch_end(self, trainer: TrainerView, metrics: dict[str, float]) -> None:
            found = (o for o in gc.get_objects() if isinstance(o, TrainingInputs))
            held.extend(weakref.ref(o) for o in found if o.model is trainer.model)

    model = DTGCNN(backend="numpy", **{**PLAIN, "num_epochs": 1})
    loader, _ = labelled.create_dataloaders(batch_size=24, train_split=0.8)
    gc.disable()
    try:
        Trainer(model, train_loader=loader, callbacks=[Watch()], progress=False).train()
        assert [inputs() for inputs in held] == [None]
    finally:
        gc.enable()
