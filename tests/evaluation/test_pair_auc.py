"""How surely positives stand out among all rows of other classes."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from dtgcnn.evaluation import metrics, pair_auc


def test_scikit_learn_agrees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "_BLOCK_ELEMENTS", 100)  # blocks of two pairs
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(50, 4)), rng.integers(0, 6, 50)
    x[7] = x[3]  # a tie
    pairs = [(i, j) for i in range(50) for j in range(50) if i != j and y[i] == y[j]]
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    expected = []
    for a, p in pairs:
        others = [i for i in range(50) if y[i] != y[a]]
        scores = [unit[a] @ unit[i] for i in (p, *others)]
        expected.append(roc_auc_score([1] + [0] * len(others), scores))
    a, p = np.array(pairs).T
    assert pair_auc(x, y, a, p) == pytest.approx(np.mean(expected), abs=1e-9)


def test_a_tie_counts_half() -> None:
    x = [[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [-1.0, 0.0]]
    assert pair_auc(x, [0, 0, 1, 1], [0], [1]) == 0.75


def test_what_has_no_answer_is_refused() -> None:
    with pytest.raises(ValueError, match="one pair or more"):
        pair_auc([[1.0]], [0], [], [])
    with pytest.raises(ValueError, match="row of another class"):
        pair_auc([[1.0], [2.0]], [0, 0], [0], [1])
    for labels, anchor, positive, message in (
        ([0, 1], [0], [2], "positive must be row numbers .* from 0 to 1, received"),
        ([0, 1], [-1], [0], "anchor must be row numbers"),
        ([0, 1], [0.5], [1], "anchor must be row numbers"),
        ([0, 1], [0], [1, 0], r"one pair or more, received shapes \(1,\) and \(2,\)"),
        ([0], [0], [1], "labels must have one label a row"),
    ):
        with pytest.raises(ValueError, match=message):
            pair_auc([[1.0], [2.0]], labels, anchor, positive)
