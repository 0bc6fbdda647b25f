"""What a step is given: with class codes each row twice, first as if its label were not known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dtgcnn import DTGCNN, Callback, Trainer, TripletDataset
from dtgcnn.data import fit_closed_form
from dtgcnn.training.step import TrainingStep
from dtgcnn.training.step_inputs import TrainingInputs

from ..conftest import SETTINGS, STARTS, blobs, text_triplets

X, LABELS = blobs()


def inputs_of(
    dataset: TripletDataset | None = None,
    backend: str = "numpy",
    split: float = 0.8,
    **settings: Any,
) -> tuple[TrainingInputs, Any]:
    dataset = dataset or TripletDataset.from_arrays(X, LABELS)
    loader, _ = dataset.create_dataloaders(24, split)
    model = DTGCNN(backend=backend, **{**SETTINGS, **settings})
    vectors = dataset.features
    if dataset.texts is not None:
        from dtgcnn import TfidfEncoder

        vectors = TfidfEncoder(12).fit(dataset.texts).encode(dataset.texts)
    return TrainingInputs(model, model.config, loader, model.vectors(vectors)), loader


def host(inputs: TrainingInputs, arrays: Any) -> dict[str, Any]:
    return {name: inputs.ops.to_numpy(array) for name, array in arrays.items()}


def test_an_anchor_is_its_row_without_its_label(backend: str) -> None:
    inputs, loader = inputs_of(backend=backend)
    batch = next(iter(loader.batches(1)))
    rows = host(inputs, inputs.rows(batch.items))
    places = loader.items.searchsorted(batch.items)
    found = fit_closed_form(X[loader.items], LABELS[loader.items], 8)
    assert found.left_out is not None
    z, gates, numbers = found.left_out
    np.testing.assert_array_equal(numbers, np.arange(len(loader.items)))
    np.testing.assert_array_equal(rows["x"][::2], z[places])
    np.testing.assert_array_equal(rows["gate"][::2], gates[places])
    seen, gate = inputs.model.started(X[batch.items])
    ops = inputs.ops
    np.testing.assert_allclose(rows["x"][1::2], ops.to_numpy(seen), atol=1e-6)
    np.testing.assert_allclose(rows["gate"][1::2], ops.to_numpy(gate), atol=1e-6)
    assert np.abs(rows["x"][::2] - rows["x"][1::2]).max() > 0.01
    assert len(rows["x"]) == 2 * len(batch.items)


def test_both_copies_have_links_of_their_own_and_none_to_themselves() -> None:
    inputs, loader = inputs_of()
    batch = next(iter(loader.batches(1)))
    rows = host(inputs, inputs.rows(batch.items))
    bank = inputs.bank.states[0]
    for copy, z in enumerate(rows["x"]):
        cosines = bank @ z
        own = int((inputs.bank.host_x == X[batch.items[copy // 2]]).all(1).argmax())
        cosines[own] = -np.inf
        near = np.argsort(-cosines, kind="stable")[:4]
        linked = rows["neighbors"][copy][rows["weights"][copy] > 0]
        assert set(linked.tolist()) == {j for j in near.tolist() if cosines[j] >= 0.0}
        assert own not in linked


def test_what_the_loss_is_given_of_a_doubled_batch() -> None:
    inputs, loader = inputs_of()
    batch = next(iter(loader.batches(1)))
    arrays = host(inputs, inputs.loss_arrays(batch, 1, 0))
    assert arrays["items"].tolist() == [item for item in batch.items for _ in range(2)]
    assert arrays["labels"].tolist() == [label for label in batch.labels for _ in range(2)]
    assert arrays["anchors"].tolist() == [True, False] * len(batch.items)


def test_triplets_go_from_anchors_to_rows_that_are_none() -> None:
    """Their classes are the groups that anchors and positives join: three here."""
    inputs, loader = inputs_of(text_triplets(), split=1.0)
    batch = next(iter(loader.batches(1)))
    assert batch.triplets is not None
    before = batch.triplets.copy()
    arrays = host(inputs, inputs.loss_arrays(batch, 1, 0))
    np.testing.assert_array_equal(batch.triplets, before)
    real = arrays["triplets"][arrays["triplets"][:, 0] >= 0]
    assert arrays["anchors"][real[:, 0]].all()
    assert not arrays["anchors"][real[:, 1:]].any()
    np.testing.assert_array_equal(arrays["items"][real], batch.items[before])


@pytest.mark.parametrize(
    "settings", [{"start": "none"}, {"code_weight": 0.0}, {"graph_scope": "batch"}], ids=str
)
def test_without_codes_or_links_to_the_bank_a_row_is_given_once(settings: Any) -> None:
    inputs, loader = inputs_of(**settings)
    batch = next(iter(loader.batches(1)))
    rows, arrays = inputs.rows(batch.items), inputs.loss_arrays(batch, 1, 0)
    assert len(rows["x"]) == len(batch.items)
    assert ("gate" in rows) == ("start" not in settings)
    assert "anchors" not in arrays
    np.testing.assert_array_equal(arrays["items"], batch.items)


def test_the_nodes_of_a_batch_are_rows_without_their_labels(backend: str) -> None:
    """In batch scope each row stands there once, or it would be linked to itself."""
    inputs, loader = inputs_of(backend=backend, graph_scope="batch")
    batch = next(iter(loader.batches(1)))
    rows = host(inputs, inputs.rows(batch.items))
    places = loader.items.searchsorted(batch.items)
    found = fit_closed_form(X[loader.items], LABELS[loader.items], 8)
    assert found.started is not None
    assert found.left_out is not None
    np.testing.assert_array_equal(rows["x"], found.left_out[0][places])
    np.testing.assert_array_equal(rows["gate"], found.left_out[1][places])
    ops, bank = inputs.ops, inputs.bank
    np.testing.assert_array_equal(ops.to_numpy(bank.states[0]), found.started[0])
    np.testing.assert_array_equal(ops.to_numpy(bank.gate), found.started[1])


def test_rows_of_another_training_are_given_once() -> None:
    """Their left-out codes would be those of rows that the start was not fitted on."""
    model = DTGCNN(backend="numpy", **SETTINGS)
    model.fit_start(X, LABELS)
    dataset = TripletDataset.from_arrays(X, LABELS)
    loader, _ = dataset.create_dataloaders(24, 0.8)
    inputs = TrainingInputs(model, model.config, loader, X)
    assert len(inputs.rows(loader.items[:5])["x"]) == 5
    whole, _ = dataset.create_dataloaders(24, 1.0)
    inputs = TrainingInputs(model, model.config, whole, X)
    assert len(inputs.rows(whole.items[:5])["x"]) == 10


@pytest.mark.parametrize("base", STARTS)
@pytest.mark.parametrize("loss", ["triplet", "supcon"])
def test_a_steps_loss_is_that_of_its_anchors_and_the_start(
    base: str, loss: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By loops over pairs; and ``start_weight`` times how far embeddings are from the start."""
    seen: list[Any] = []
    real = TrainingStep._objective

    def watch(self: TrainingStep, params: Any, embeddings: Any, batch: Any) -> Any:
        value, metrics = real(self, params, embeddings, batch)
        fixed = self.ops.to_numpy(self.ops.stop_gradient(embeddings))
        seen.append((np.array(fixed, np.float64), dict(batch), metrics))
        return value, metrics

    monkeypatch.setattr(TrainingStep, "_objective", watch)
    model = DTGCNN(
        backend="numpy",
        **{**STARTS[base], "loss": loss, "dropout_rate": 0.0, "num_epochs": 3},
        learning_rate=3e-2,
        warmup_epochs=0,
        **({"mining_strategy": "batch_hard"} if loss == "triplet" else {}),
        **({"start_weight": 0.7} if base != "none" else {}),
    )
    losses: list[float] = []

    class Losses(Callback):
        def on_batch_end(self, trainer: Trainer, outputs: Any, batch: Any, batch_idx: int) -> None:
            losses.append(outputs["loss"])

    loader, _ = TripletDataset.from_arrays(X, LABELS).create_dataloaders(24, 1.0)
    Trainer(model, train_loader=loader, progress=False).train(callbacks=[Losses()])
    assert len(losses) == 3 * len(loader)
    for told, (z, batch, _) in zip(losses, seen, strict=True):
        anchors = np.asarray(batch.get("anchors", np.ones(len(z), bool)))
        ends = ~anchors if "anchors" in batch else anchors
        labels, items = np.asarray(batch["labels"]), np.asarray(batch["items"])
        assert anchors.sum() == ends.sum() == 24
        z = z / np.linalg.norm(z, axis=1, keepdims=True)
        terms = []
        for a in np.flatnonzero(anchors):
            positive = np.flatnonzero(ends & (labels == labels[a]) & (items != items[a]))
            negative = np.flatnonzero(ends & (labels != labels[a]))
            if loss == "triplet":
                far = np.linalg.norm(z[positive] - z[a], axis=1).max()
                near = np.linalg.norm(z[negative] - z[a], axis=1).min()
                terms.append(max(far - near + model.config.triplet_margin, 0.0))
            else:
                s = z @ z[a] / model.config.temperature
                total = np.log(np.exp(s[positive]).sum() + np.exp(s[negative]).sum())
                terms.append(float(np.mean(total - s[positive])))
        expected = float(np.mean(terms))
        if base != "none":
            expected += 0.7 * float(1.0 - (z * np.asarray(batch["x"])).sum(1).mean())
        assert told == pytest.approx(expected, rel=1e-3, abs=1e-5)


@pytest.mark.parametrize("backend", ["numpy", pytest.param("mlx", marks=pytest.mark.mlx)])
@pytest.mark.parametrize("size", [100, 40])
def test_each_row_is_started_once(backend: str, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, started = [], DTGCNN.started

    def counted(model: DTGCNN, host_x: Any, *, by_rows: bool = False) -> Any:
        asked.append(len(host_x))
        return started(model, host_x, by_rows=by_rows)

    monkeypatch.setattr(DTGCNN, "started", counted)
    inputs, loader = inputs_of(backend=backend, bank_size=size)
    asked_for, bank = list(asked), inputs.bank
    assert asked_for == []  # fitting the start gives its rows
    assert len(bank) == min(size, len(loader.items))
    x, gate = started(inputs.model, bank.host_x)
    for kept, expected in ((bank.x, x), (bank.gate, gate)):
        np.testing.assert_allclose(
            inputs.ops.to_numpy(kept), inputs.ops.to_numpy(expected), atol=1e-5
        )
