"""A loss of the user's own, and a margin that changes from epoch to epoch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import dtgcnn
from dtgcnn import (
    DTGCNN,
    AdaptiveMarginScheduler,
    BatchAllTripletLoss,
    Callback,
    CircleLoss,
    FocalTripletLoss,
    InfoNCELoss,
    MultiSimilarityLoss,
    SupConLoss,
    Trainer,
    TripletDataset,
    TripletLoss,
)
from dtgcnn.array import numerics
from dtgcnn.array.tree import flatten
from dtgcnn.evaluation.metrics import retrieval_metrics

from ..conftest import PLAIN, blobs, text_triplets


def train(backend: str, own_loss: Any = None, dataset: Any = None, **settings: Any) -> Trainer:
    share = 0.8 if dataset is None else 1.0  # random triplets hang together: none is held out
    dataset = dataset or TripletDataset.from_arrays(*blobs(per_class=30))
    loader, val_loader = dataset.create_dataloaders(24, share)
    model = DTGCNN(backend=backend, **{**PLAIN, **settings})
    trainer = Trainer(
        model, train_loader=loader, val_loader=val_loader, progress=False, loss=own_loss
    )
    trainer.train()
    return trainer


def to_centres(ops: Any, embeddings: Any, batch: Any) -> Any:
    """Cross entropy of each row over the batch's class means, as in prototypical networks."""
    labels = batch["labels"]
    same = ops.astype(labels[:, None] == labels[None, :], ops.dtype)
    centres = same @ embeddings / ops.sum(same, axis=1, keepdims=True)
    logits = 5.0 * embeddings @ ops.permute_dims(centres, (1, 0))
    mass = ops.exp(logits) / ops.sum(same, axis=1)[None, :]
    own = ops.sum(mass * same, axis=1) / ops.sum(mass, axis=1)
    return -numerics.mean(ops, ops.log(own)), {"share": numerics.mean(ops, own)}


def test_a_loss_of_ones_own_is_learnt(backend: str) -> None:
    trainer = train(backend, to_centres, num_epochs=12, learning_rate=5e-3)
    first, last = trainer.history[0], trainer.history[-1]
    assert last["loss"] < 0.6 * first["loss"]
    assert last["share"] > first["share"] + 0.2
    assert last["val_share"] > first["val_share"] + 0.1
    assert "triplet_accuracy" not in last
    x, labels = blobs(per_class=30)
    after = retrieval_metrics(trainer.model.encode(x), labels)["map@r"]
    assert after > retrieval_metrics(x, labels)["map@r"] + 0.1


NAMED = {
    "triplet": (TripletLoss(0.3), {"triplet_margin": 0.3}),
    "focal": (FocalTripletLoss(0.3, 1.0), {"triplet_margin": 0.3, "focal_gamma": 1.0}),
    "batch_all": (BatchAllTripletLoss(0.3, reduction="mean"), {"triplet_margin": 0.3}),
    "supcon": (SupConLoss(0.3), {"temperature": 0.3}),
    "info_nce": (InfoNCELoss(0.3), {"temperature": 0.3}),
    "multi_similarity": (MultiSimilarityLoss(), {}),
    "circle": (CircleLoss(), {}),
}


def test_every_exported_loss_is_among_them() -> None:
    exported = {name for name in dtgcnn.__all__ if name.endswith("Loss")}
    assert exported == {type(loss).__name__ for loss, _ in NAMED.values()}


@pytest.mark.parametrize("triplets", [False, True])
@pytest.mark.parametrize("name", NAMED)
def test_a_loss_of_the_package_equals_the_named_one(
    name: str, triplets: bool, backend: str
) -> None:
    """Trained with the object or by the config's name, every epoch's figures are the same."""
    loss, settings = NAMED[name]
    data = text_triplets() if triplets else None
    given = train(backend, loss, data)
    named = train(backend, None, data, loss=name, **settings)
    skipped = {"seconds"}
    for own, other in zip(given.history, named.history, strict=True):
        assert {k for k in own if k not in skipped} == {k for k in other if k not in skipped}
        for metric in own.keys() - skipped:
            assert own[metric] == pytest.approx(other[metric], rel=1e-5, abs=1e-7), metric


def test_it_sees_what_the_documentation_names(backend: str) -> None:
    seen: list[set[str]] = []

    def loss(ops: Any, embeddings: Any, batch: Any) -> Any:
        seen.append(set(batch))
        a, p, n = (ops.take(embeddings, batch["triplets"][:, i]) for i in range(3))
        d = numerics.row_distance(ops, a, p) - numerics.row_distance(ops, a, n)
        assert batch["labels"].shape == batch["items"].shape == (embeddings.shape[0],)
        return numerics.mean(ops, numerics.relu(ops, d + 0.2))

    own = train(backend, loss, text_triplets())
    named = train(backend, None, text_triplets(), mining_strategy="explicit")
    assert all({"labels", "items", "triplets"} <= names for names in seen)
    losses = [[entry["loss"] for entry in t.history] for t in (own, named)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (lambda ops, z: ops.sum(z, axis=1), r"the loss must be an array of shape \(\), received"),
        (lambda ops, z: 1.0, r"the loss must be an array of shape \(\), received float"),
        (lambda ops, z: None, r"the loss must be an array of shape \(\), received NoneType"),
        (
            lambda ops, z: (ops.sum(z), {"norms": ops.sum(z * z, axis=1)}),
            r"the loss's metric 'norms' must be an array of shape \(\), received shape \(24,\)",
        ),
        (
            lambda ops, z: (ops.sum(z), {"loss": ops.sum(z)}),
            "the loss's metric 'loss' must have another name: it is taken",
        ),
    ],
)
def test_what_is_no_scalar_is_refused_by_name(result: Any, message: str, backend: str) -> None:
    with pytest.raises(ValueError, match=message):
        train(backend, lambda ops, z, batch: result(ops, z))


class Margins(Callback):
    def __init__(self) -> None:
        self.steps: list[float] = []

    def on_batch_end(self, trainer: Trainer, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.steps.append(outputs["margin"])


@pytest.mark.parametrize("loss", ["triplet", "focal", "batch_all"])
def test_the_margin_goes_in_a_straight_line(loss: str, backend: str) -> None:
    settings = {"num_epochs": 5, "loss": loss, "triplet_margin": 0.2, "target_margin": 0.6}
    # Nearly nothing is learnt, so that the margin alone changes the loss.
    trainer = train(backend, learning_rate=1e-9, dropout_rate=0.0, **settings)
    margins = [entry["margin"] for entry in trainer.history]
    assert margins == pytest.approx([0.2, 0.3, 0.4, 0.5, 0.6])
    scheduler = AdaptiveMarginScheduler(0.2, 0.6)
    assert margins == pytest.approx([scheduler.step(e - 1, 4) for e in range(1, 6)])
    losses = [entry["loss"] for entry in trainer.history]
    assert all(np.diff(losses) > 0.01)
    fixed = {**settings, "triplet_margin": 0.6, "target_margin": None}
    last = train(backend, learning_rate=1e-9, dropout_rate=0.0, **fixed).history[-1]
    assert losses[-1] == pytest.approx(last["loss"], rel=1e-5)
    assert "margin" not in last
    assert trainer.history[0]["val_loss"] == pytest.approx(last["val_loss"], rel=1e-5)


def test_a_margin_may_shrink_and_one_epoch_keeps_the_first() -> None:
    trainer = train("numpy", num_epochs=3, triplet_margin=0.6, target_margin=0.2)
    assert [entry["margin"] for entry in trainer.history] == pytest.approx([0.6, 0.4, 0.2])
    only = train("numpy", num_epochs=1, triplet_margin=0.3, target_margin=0.5).history
    assert [entry["margin"] for entry in only] == pytest.approx([0.3])


def test_adaptive_margin_scheduler_is_the_guides() -> None:
    scheduler = AdaptiveMarginScheduler(initial_margin=0.2, target_margin=0.5)
    assert [scheduler.step(epoch, 10) for epoch in (0, 5, 10)] == pytest.approx([0.2, 0.35, 0.5])
    assert scheduler.current_margin == pytest.approx(0.5)
    with pytest.raises(ValueError, match="between 0 and total_epochs = 10, received 11"):
        scheduler.step(11, 10)
    with pytest.raises(ValueError, match="target_margin must be above 0, received 0"):
        AdaptiveMarginScheduler(0.2, 0)


def test_focal_loss_looks_at_hard_triplets(backend: str) -> None:
    """The guide's formula, and that a larger gamma moves the gradient to the harder triplet."""
    from dtgcnn import load_ops
    from dtgcnn.losses.mining import explicit

    ops = load_ops(backend)
    z = np.random.default_rng(0).normal(size=(12, 4)).astype(np.float32)
    places = np.arange(12, dtype=np.int32).reshape(3, 4).T
    a, p, n = z[places[:, 0]], z[places[:, 1]], z[places[:, 2]]
    hinge = np.linalg.norm(a - p, axis=1) - np.linalg.norm(a - n, axis=1) + 0.9
    hinge = np.maximum(0.0, hinge)
    assert (hinge > 0).sum() >= 2
    triplets = explicit(ops, ops.asarray(places, "int32"))
    shares = []
    for gamma in (0.0, 2.0, 5.0):
        value, _ = FocalTripletLoss(0.9, gamma)(ops, ops.asarray(z), triplets)
        terms = (1.0 - np.exp(-hinge)) ** gamma * hinge
        assert float(ops.to_numpy(value)) == pytest.approx(terms.mean(), rel=1e-5)
        shares.append(terms.max() / terms.sum())
    assert shares[0] < shares[1] < shares[2]


def test_focal_and_triplet_loss_train_to_different_weights(backend: str) -> None:
    ends = [
        flatten(train(backend, **settings).model.params)["head.weight"]
        for settings in ({"loss": "focal"}, {"loss": "triplet"})
    ]
    assert np.abs(np.array(ends[0]) - np.array(ends[1])).max() > 1e-5
