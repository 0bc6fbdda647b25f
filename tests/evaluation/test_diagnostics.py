"""Figures of what embeddings have lost, against what they are by definition."""

from __future__ import annotations

import numpy as np
import pytest

from dtgcnn.evaluation.diagnostics import effective_rank, mean_cosine


def test_effective_rank_counts_dimensions() -> None:
    rng = np.random.default_rng(0)
    assert effective_rank(np.eye(7)) == pytest.approx(7.0)
    assert effective_rank(np.outer(rng.normal(size=30), rng.normal(size=5))) == pytest.approx(1.0)
    sigma = np.array([2.0, 1.0, 1.0])
    q, _ = np.linalg.qr(rng.normal(size=(40, 3)))
    assert effective_rank(q * sigma) == pytest.approx(2.0**1.5)  # entropy of ½, ¼, ¼
    assert effective_rank(np.zeros((4, 3))) == 0.0
    with pytest.raises(ValueError, match="embeddings must be finite, row 1 is not"):
        effective_rank([[1.0, 2.0], [float("nan"), 1.0]])


def test_mean_cosine_is_that_of_all_pairs() -> None:
    x = np.random.default_rng(0).normal(size=(20, 6)) + 0.5
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    pairs = (unit @ unit.T)[np.triu_indices(20, 1)]
    assert mean_cosine(x) == pytest.approx(pairs.mean())
    assert mean_cosine([[1.0, 0.0], [0.0, 0.0], [2.0, 0.0]]) == pytest.approx(1 / 3)
    with pytest.raises(ValueError, match="embeddings must have at least 2 rows, received 1"):
        mean_cosine([[1.0, 2.0]])
