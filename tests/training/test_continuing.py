"""Training that goes on from a loaded model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtgcnn import (
    DTGCNN,
    Callback,
    CheckpointError,
    DTGCNNConfig,
    Ensemble,
    MultiTaskDTGCNN,
    Trainer,
    TripletDataset,
)
from dtgcnn.array import load_ops
from dtgcnn.array.tree import flatten
from dtgcnn.callbacks import StopAfter
from dtgcnn.config import continued
from dtgcnn.evaluation import retrieval_metrics
from dtgcnn.training import changed_classes, load_trained, sides, train_on_all

from ..conftest import PLAIN, SETTINGS, STARTS, blobs

X, LABELS = blobs(per_class=30)
NAMES = [f"class {label}" for label in LABELS]
OLD = np.arange(len(X)) % 3 > 0
"""Rows that the model was trained on before."""


def weights(model: DTGCNN) -> dict[str, bytes]:
    leaves = flatten(model.params, "params") | flatten(model.state, "state")
    return {name: model.ops.to_numpy(leaf).tobytes() for name, leaf in leaves.items()}


def data(rows: Any = None) -> TripletDataset:
    chosen = np.arange(len(X)) if rows is None else np.flatnonzero(rows)
    return TripletDataset.from_arrays(X[chosen], [NAMES[row] for row in chosen])


def saved(folder: Path, backend: str = "numpy", base: str = "closed_form", seed: int = 0) -> Path:
    """A model of the old rows, on the disk."""
    model = DTGCNN(backend=backend, **{**STARTS[base], "seed": seed})
    loader, _ = data(OLD).create_dataloaders(24, 1.0)
    Trainer(model, train_loader=loader, epochs=2, progress=False).train()
    return model.save(folder)


def trainer_of(model: DTGCNN, *callbacks: Callback, epochs: int = 3, **options: Any) -> Trainer:
    if model.bank is None:
        loader, held_out = data().create_dataloaders(24, 0.6)
    else:
        loader, held_out, _ = sides(model, data(), model.config, 0.6)
    config = model.config.replace(num_epochs=epochs, **options.pop("settings", {}))
    return Trainer(
        model,
        config,
        train_loader=loader,
        val_loader=held_out,
        callbacks=callbacks,
        progress=False,
        **options,
    )


@pytest.mark.parametrize("base", STARTS)
def test_training_goes_on_from_the_parameters(backend: str, base: str, tmp_path: Path) -> None:
    folder = saved(tmp_path / "m", backend, base)
    model = DTGCNN.load(folder, backend=backend)
    before = weights(model)
    trainer_of(model, StopAfter(0)).train()
    assert weights(model) == before
    losses = {}
    for name, began in (("on", model), ("new", DTGCNN(model.config, backend=backend))):
        trainer = trainer_of(began, epochs=1, keep_best=False)
        losses[name] = trainer.train()[0]["loss"]
        assert weights(began) != before
    if base == "none":  # with a start a new network adds nothing to it at first
        assert losses["on"] < losses["new"]


def collapsing(ops: Any, embeddings: Any, batch: Any) -> Any:
    """A loss that pulls all rows to one point."""
    return ops.sum(embeddings[:, :1])


@pytest.mark.parametrize("base", STARTS)
def test_the_loaded_model_is_kept_where_steps_make_it_worse(
    backend: str, base: str, tmp_path: Path
) -> None:
    model = DTGCNN.load(saved(tmp_path / "m", backend, base), backend=backend)
    before = weights(model)
    trainer = trainer_of(model, settings={"learning_rate": 0.1}, loss=collapsing)
    trainer.train()
    loader, held_out = trainer.train_loader, trainer.val_loader
    assert loader is not None
    assert held_out is not None
    assert trainer.best_epoch == 0
    assert weights(model) == before
    found = retrieval_metrics(
        model.encode(X[held_out.items]),
        held_out.labels,
        model.encode(X[loader.items]),
        loader.labels,
    )
    assert found["map@r"] == pytest.approx(trainer.start_metrics["val_map@r"], abs=1e-5)
    final = train_on_all(trainer, data())
    assert weights(final.model) == before
    assert len(final.model.trained_bank()) == len(X)
    assert final.model.calibration is model.calibration


def test_training_on_all_rows_goes_on_from_the_loaded_model(tmp_path: Path, backend: str) -> None:
    model = DTGCNN.load(saved(tmp_path / "m", backend, "none"), backend=backend)
    model.freeze(lambda name: name.startswith("gcn.0"))
    first = weights(model)
    trainer = trainer_of(model, keep_best=False)
    trainer.train()
    trainer.best_epoch = 1
    final = train_on_all(trainer, data()).model
    kept = {name for name, bits in weights(final).items() if bits == first[name]}
    assert kept == {name for name in first if name.startswith("params.gcn.0")}
    oracle = DTGCNN.load(tmp_path / "m", backend=backend)
    oracle.freeze(lambda name: name.startswith("gcn.0"))
    loader, _ = data().create_dataloaders(24, 1.0)
    again = Trainer(
        oracle, trainer.config, train_loader=loader, callbacks=[StopAfter(1)], progress=False
    )
    again.train()
    assert weights(oracle) == weights(final)
    with pytest.raises(ValueError, match="encoder must be left out: a model that was loaded"):
        train_on_all(trainer, data(), encoder=object())  # type: ignore[arg-type]


class Break(Callback):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_batch_end(self, trainer: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if trainer.global_step == self.step:
            raise InterruptedError


@pytest.mark.parametrize("step", [1, 6])
def test_a_run_that_went_on_is_resumed_to_the_bit(backend: str, step: int, tmp_path: Path) -> None:
    folder = saved(tmp_path / "m", backend)

    def begin(name: str, at: int = 0) -> Trainer:
        model = DTGCNN.load(folder, backend=backend)
        return trainer_of(model, Break(at), state_dir=tmp_path / name, save_every_n_steps=1)

    whole = begin("whole")
    whole.train()
    broken = begin("state", step)
    with pytest.raises(InterruptedError):
        broken.train()
    resumed = begin("state")
    resumed.train(resume=True)
    assert weights(resumed.model) == weights(whole.model)
    assert resumed.best_epoch == whole.best_epoch
    assert resumed.start_metrics == whole.start_metrics
    final = [weights(train_on_all(t, data()).model) for t in (resumed, whole)]
    assert final[0] == final[1]


def test_a_run_is_resumed_with_the_model_that_it_went_on_from(tmp_path: Path) -> None:
    first, other = (saved(tmp_path / f"m{seed}", base="none", seed=seed) for seed in (0, 1))

    def run(model: DTGCNN, state: str, at: int = 0, resume: bool = False) -> None:
        model.config = model.config.replace(seed=0)
        trainer_of(model, Break(at), state_dir=tmp_path / state).train(resume=resume)

    with pytest.raises(InterruptedError):
        run(DTGCNN.load(first, backend="numpy"), "on", 6)
    with pytest.raises(ValueError, match=r"must be the one that was loaded .* it is another that"):
        run(DTGCNN.load(other, backend="numpy"), "on", resume=True)
    config = DTGCNN.load(first, backend="numpy").config
    with pytest.raises(ValueError, match=r"must be the one that was loaded .* it is a new one"):
        run(DTGCNN(config, backend="numpy"), "on", resume=True)
    with pytest.raises(InterruptedError):
        run(DTGCNN(config, backend="numpy"), "new", 6)
    with pytest.raises(ValueError, match=r"must be a new one, .* it is one that was loaded"):
        run(DTGCNN.load(first, backend="numpy"), "new", resume=True)


def test_rows_of_the_model_are_not_held_out(tmp_path: Path) -> None:
    model = load_trained(saved(tmp_path / "m"), load_ops("numpy"))
    loader, held_out, known = sides(model, data(), model.config, 0.6)
    whole = data().create_dataloaders(24, 0.6)[1].items
    assert set(held_out.items) == {item for item in whole if not OLD[item]}
    assert known == len(whole) - len(held_out.items) > 0
    assert not set(loader.items) & set(whole)
    assert sum(len(batch.items) for batch in held_out.batches(0)) > 0
    loader, held_out, known = sides(model, data(OLD), model.config, 0.6)
    assert len(held_out.items) == 0
    assert known > 0
    assert len(loader.items) == OLD.sum()


def test_rows_whose_labels_the_model_did_not_know_are_held_out(tmp_path: Path) -> None:
    model = load_trained(saved(tmp_path / "m"), load_ops("numpy"))
    bank = model.trained_bank()
    bank.labels = [-1] * len(bank)
    _, held_out, known = sides(model, data(), model.config, 0.6)
    assert set(held_out.items) == set(data().create_dataloaders(24, 0.6)[1].items)
    assert known == 0


def test_triplets_of_some_rows_are_not_held_out() -> None:
    rng = np.random.default_rng(0)
    same = [rng.permutation(np.flatnonzero(label == LABELS))[:2] for label in LABELS]
    rows = [(a, p, rng.choice(np.flatnonzero(LABELS[a] != LABELS))) for a, p in same]
    texts = [(f"text {a}", f"text {p}", f"text {n}") for a, p, n in rows]
    dataset = TripletDataset.from_triplets(texts)
    held_out = dataset.create_dataloaders(8, 0.7)[1]
    assert held_out.triplets is not None
    gone = int(held_out.triplets[0, 0])
    left = held_out.without([gone])
    kept = [t for t in held_out.triplets.tolist() if gone not in t[:2]]
    assert left.triplets is not None
    assert left.triplets.tolist() == kept
    assert set(left.items.tolist()) == {item for t in kept for item in t}
    assert sum(batch.valid_triplets for batch in left.batches(0)) == len(kept)


def test_the_classes_become_those_of_the_data(tmp_path: Path) -> None:
    model = load_trained(saved(tmp_path / "m"), load_ops("numpy"))
    rows = np.flatnonzero(LABELS > 0)
    names = [NAMES[row].replace("3", "new") for row in rows]
    dataset = TripletDataset.from_arrays(X[rows], names)
    said = changed_classes(model, dataset)
    assert said == (
        "classes that are new to the model: class new; "
        "classes of the model that have no row here and leave it: class 0, class 3"
    )
    assert changed_classes(model, data()) == ""
    model.untrained_classes = ["class 3"]
    loader, _ = dataset.create_dataloaders(24, 1.0)
    Trainer(model, train_loader=loader, epochs=1, progress=False).train()
    assert model.classes_ == ["class 1", "class 2", "class new"]
    assert model.untrained_classes == []
    assert set(model.predict(X[rows])) <= set(model.classes_)


def test_other_models_and_data_are_refused(tmp_path: Path) -> None:
    ops = load_ops("numpy")
    model = load_trained(saved(tmp_path / "m"), ops)
    DTGCNN(backend="numpy", **SETTINGS).save(tmp_path / "new")
    several = MultiTaskDTGCNN(num_classes=4, ops=ops, **PLAIN)
    several.build_bank(X, LABELS.tolist())
    several.save(tmp_path / "several")
    Ensemble([model, load_trained(tmp_path / "m", ops)]).save(tmp_path / "both")
    with pytest.raises(CheckpointError, match="new: must hold a trained model, this one has no"):
        load_trained(tmp_path / "new", ops)
    with pytest.raises(ValueError, match="several: must hold a DTGCNN, it holds a MultiTask"):
        load_trained(tmp_path / "several", ops)
    with pytest.raises(ValueError, match="both: must hold one model, it holds an ensemble"):
        load_trained(tmp_path / "both", ops)


def test_settings_are_the_models_but_for_those_that_are_named() -> None:
    config = DTGCNNConfig(**{**SETTINGS, "triplet_margin": 0.4, "seed": 7})
    template = {"dropout_rate": 0.3, "learning_rate": 5e-5, "num_epochs": 100}
    found = continued(config, template, {"num_epochs": 4, "loss": "supcon"})
    assert found == config.replace(
        learning_rate=5e-5, num_epochs=4, loss="supcon", triplet_margin=0.2
    )
    with pytest.raises(ValueError, match=r"hidden_dims must be the model's \(16, 16\), received"):
        continued(config, {}, {"hidden_dims": [8]})
