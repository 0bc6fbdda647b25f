"""The metrics of a step, against their definitions in float64 NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dtgcnn import DTGCNN, Callback, Trainer, TripletDataset

from ..conftest import PLAIN, blobs

X, LABELS = blobs()
X[:, 6:] *= np.float32(0.4)  # not all negatives are hard


def unit(x: Any) -> Any:
    return np.asarray(x, np.float64) / np.linalg.norm(x, axis=1, keepdims=True)


def distances(z: Any) -> Any:
    return np.linalg.norm(z[:, None] - z[None], axis=2)


def hardest_triplets(z: Any, labels: Any, margin: float) -> dict[str, float]:
    """Each row's farthest row of its class and nearest of another (Hermans et al. 2017)."""
    d, same = distances(z), labels[:, None] == labels[None]
    others = same & ~np.eye(len(z), dtype=bool)
    to_positive = np.array([row[own].max() for row, own in zip(d, others, strict=True)])
    to_negative = np.array([row[~own].min() for row, own in zip(d, same, strict=True)])
    hinge = to_positive - to_negative + margin
    return {
        "loss": np.maximum(hinge, 0.0).mean(),
        "active_fraction": (hinge > 0).mean(),
        "hard_negative_ratio": (to_negative < to_positive).mean(),
        "triplet_accuracy": (to_positive < to_negative).mean(),
        "mean_positive_distance": to_positive.mean(),
        "mean_negative_distance": to_negative.mean(),
        "valid_triplets": float(len(z)),
        "embedding_spread": z.std(axis=0).mean(),
    }


def links(x: Any, labels: Any, k: int, threshold: float) -> dict[str, float]:
    """The share of links within a class, and of rows that have and are given none."""
    similarity = unit(x) @ unit(x).T
    np.fill_diagonal(similarity, -np.inf)
    chosen = np.zeros_like(similarity, dtype=bool)
    for row, order in enumerate(np.argsort(-similarity, axis=1)[:, :k]):
        chosen[row, order] = similarity[row, order] >= threshold
    within = chosen & (labels[:, None] == labels[None])
    return {
        "graph_homophily": within.sum() / chosen.sum(),
        "isolated_nodes": (~chosen.any(axis=1)).mean(),
        "isolated_from_both_sides": (~(chosen.any(axis=1) | chosen.any(axis=0))).mean(),
    }


class Look(Callback):
    """Keeps each step's batch, embeddings before the update and metrics."""

    def __init__(self) -> None:
        self.steps: list[tuple[Any, Any, dict[str, float]]] = []
        self.embeddings: Any = None

    def on_batch_begin(self, trainer: Trainer, batch: Any, batch_idx: int) -> None:
        model, x = trainer.model, X[batch.items]
        if model.config.graph_scope == "bank":
            self.embeddings = model.encode(x)
            return
        rows = model.device_rows(x)
        graph = model.network.constructor.construct_graph_batch(model.ops, rows)
        z, _ = model.network(model.ops, model.params, model.state, rows, graph)
        self.embeddings = model.ops.to_numpy(z)

    def on_batch_end(self, trainer: Trainer, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.steps.append((batch, self.embeddings, outputs))


@pytest.mark.parametrize("scope", ["bank", "batch"])
def test_a_steps_metrics_are_what_they_say(scope: Any, backend: str) -> None:
    settings: dict[str, Any] = {
        **PLAIN,
        "graph_scope": scope,
        "mining_strategy": "batch_hard",
        "dropout_rate": 0.0,
        "graph_similarity_threshold": {"bank": 0.85, "batch": 0.6}[scope],
        "learning_rate": 1e-2,
        "num_epochs": 4,
    }
    dataset, look = TripletDataset.from_arrays(X, LABELS), Look()
    loader, _ = dataset.create_dataloaders(batch_size=24, train_split=1.0)
    model = DTGCNN(backend=backend, **settings)
    trainer = Trainer(model, train_loader=loader, progress=False)
    history = trainer.train(callbacks=[look])
    k, threshold = model.config.graph_k_neighbors, model.config.graph_similarity_threshold
    assert len(look.steps) == 4 * trainer.steps_per_epoch
    for batch, z, outputs in look.steps:
        z = z.astype(np.float64)
        expected = hardest_triplets(z, batch.labels, model.config.triplet_margin)
        if scope == "batch":
            figures = links(X[batch.items], batch.labels, k, threshold)
            expected["graph_homophily"] = figures["graph_homophily"]
            expected["isolated_nodes"] = figures["isolated_from_both_sides"]
            assert 0.0 < expected["graph_homophily"] < 1.0
        for name, value in expected.items():
            assert outputs[name] == pytest.approx(value, abs=2e-5), name
        assert (outputs["gradient_norm"] > 0.0) == (expected["loss"] > 0.0)
    for epoch, entry in enumerate(history):
        steps = look.steps[epoch * trainer.steps_per_epoch :][: trainer.steps_per_epoch]
        for name in steps[0][2]:
            assert entry[name] == pytest.approx(np.mean([out[name] for _, _, out in steps]))
        if scope == "bank":
            figures = links(X, LABELS, k, threshold)
            for name in ("graph_homophily", "isolated_nodes"):
                assert entry[name] == pytest.approx(figures[name], abs=1e-6)
            assert entry["isolated_nodes"] > 0.0
    for name in ("hard_negative_ratio", "active_fraction"):
        assert any(0.0 < outputs[name] < 1.0 for _, _, outputs in look.steps)
