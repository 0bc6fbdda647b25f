"""Retrieval metrics against pytorch-metric-learning and scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dtgcnn.evaluation.metrics import retrieval_metrics

torch = pytest.importorskip("torch", reason="pytorch-metric-learning runs on PyTorch")
pytest.importorskip("pytorch_metric_learning", reason="it is the peer compared with")
pytest.importorskip("sklearn", reason="scikit-learn is the peer of the kNN accuracy")

from pytorch_metric_learning.distances import CosineSimilarity  # noqa: E402
from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator  # noqa: E402
from pytorch_metric_learning.utils.inference import CustomKNN  # noqa: E402
from sklearn.neighbors import KNeighborsClassifier  # noqa: E402

NAMES = {
    "recall@1": "precision_at_1",
    "r-precision": "r_precision",
    "map@r": "mean_average_precision_at_r",
}


def unbalanced(seed: int, n: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Clusters whose sizes fall off as 1 / rank, so that the small classes hold lone rows."""
    rng = np.random.default_rng(seed)
    share = 1 / np.arange(1, classes + 1)
    labels = rng.choice(classes, size=n, p=share / share.sum())
    centers = np.random.default_rng(0).standard_normal((classes, 24))
    x = centers[labels] + 1.5 * rng.standard_normal((n, 24))
    return x.astype(np.float32), labels


def peer(*arrays: np.ndarray) -> dict[str, float]:
    calculator = AccuracyCalculator(
        include=tuple(NAMES.values()),
        k="max_bin_count",
        device=torch.device("cpu"),
        knn_func=CustomKNN(CosineSimilarity()),
        kmeans_func=lambda *_: None,
    )
    result: dict[str, float] = calculator.get_accuracy(*(torch.from_numpy(a) for a in arrays))
    return result


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("with_gallery", [True, False])
def test_agrees_with_pytorch_metric_learning(seed: int, with_gallery: bool) -> None:
    arrays = unbalanced(seed, 500, 120)
    if with_gallery:
        arrays += unbalanced(seed + 10, 700, 120)
    ours, theirs = retrieval_metrics(*arrays), peer(*arrays)
    assert ours["lone_queries"] > 0
    for name, its_name in NAMES.items():
        assert ours[name] == pytest.approx(theirs[its_name], abs=1e-6), name
        assert 0.02 < ours[name] < 0.98, name


@pytest.mark.parametrize("seed", [4, 5])
def test_knn_accuracy_agrees_with_scikit_learn(seed: int) -> None:
    g, gy = unbalanced(seed, 700, 30)
    q, qy = unbalanced(seed + 10, 400, 30)
    model: Any = KNeighborsClassifier(n_neighbors=10, metric="cosine").fit(g, gy)
    votes = np.sort(model.predict_proba(q), axis=1)
    clear = (votes[:, -1] > votes[:, -2]) & np.isin(qy, gy)
    assert clear.sum() > 200
    ours = retrieval_metrics(q[clear], qy[clear], g, gy)["knn@10"]
    assert ours == pytest.approx(model.score(q[clear], qy[clear]), abs=1e-12)
