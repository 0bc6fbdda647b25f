"""The rows to label next: by a plain reading of the rule, and by what must not be chosen."""

from __future__ import annotations

import numpy as np
import pytest

from dtgcnn.evaluation import next_rows, unit_rows

from .test_discovery import BACKENDS, WIDTH, blobs, known_model

cluster = pytest.importorskip("sklearn.cluster")


def pool() -> np.ndarray:
    """Rows of two known classes, and as many midway between two others."""
    x, _ = blobs([0, 1], 30, 1)
    rng = np.random.default_rng(2)
    midway = np.eye(WIDTH)[2] + np.eye(WIDTH)[3] + 0.12 * rng.standard_normal((60, WIDTH))
    return np.concatenate([x, midway / np.sqrt(2)]).astype(np.float32)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_rule(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dtgcnn.evaluation.labelling.NEAR_VECTORS", 2.0)  # none is too near
    model, x = known_model([0, 1, 2, 3], backend), pool()
    p = np.sort(model.predict_proba(x).astype(np.float64), axis=1)
    unit = unit_rows(x)
    weights = 1 - (p[:, -1] - p[:, -2])
    groups = cluster.KMeans(6, n_init=3, random_state=0).fit(unit, sample_weight=weights)
    own = groups.labels_[:, None] == np.arange(6)
    nearest = np.where(own, groups.transform(unit), np.inf).argmin(axis=0)
    shares = np.bincount(groups.labels_, weights=weights) / weights.sum()
    found = next_rows(model, x, 6)
    assert [one.row for one in found] == nearest[np.argsort(-shares)].tolist()
    assert [one.share for one in found] == pytest.approx(sorted(shares)[::-1], abs=1e-6)
    assert [one.margin for one in found] == pytest.approx(
        [p[one.row, -1] - p[one.row, -2] for one in found], abs=1e-6
    )
    order = np.argsort(-model.predict_proba(x), axis=1)
    for one in found:
        assert (one.first, one.second) == tuple(str(place) for place in order[one.row, :2])


def test_of_rows_that_differ_in_length_alone_one_is_chosen() -> None:
    axes, lengths = np.eye(WIDTH, dtype=np.float32)[[5, 6]], 2.0 ** np.arange(7)
    x = (axes[:, None] * lengths[:, None]).reshape(-1, WIDTH).astype(np.float32)
    found = next_rows(known_model([0, 1, 2, 3]), x, 4)
    assert sorted(one.row // 7 for one in found) == [0, 1]


def test_what_is_unsure_comes_first() -> None:
    found = next_rows(known_model([0, 1, 2, 3]), pool(), 4)
    assert all(one.row >= 60 for one in found[:2])
    assert {found[0].first, found[0].second} == {"2", "3"}


def test_equal_zero_and_labelled_rows_are_left_out() -> None:
    model, x = known_model([0, 1, 2, 3]), pool()
    labelled = np.asarray(model.trained_bank().host_x)
    rows = np.concatenate([labelled, x, x, np.zeros((3, WIDTH), np.float32)])
    found = [one.row for one in next_rows(model, rows, 100)]
    assert set(found) <= set(range(48, 168))
    assert len(found) == len(set(found))
    with pytest.raises(ValueError, match=r"count must be at most 120, .* received 121"):
        next_rows(model, rows, 121)


def test_no_two_are_nearly_equal() -> None:
    model, x = known_model([0, 1, 2, 3]), pool()[58:66]
    noise = 1e-3 * np.random.default_rng(0).standard_normal((40, WIDTH))
    rows = (np.repeat(x, 5, axis=0) + noise).astype(np.float32)
    found = [one.row for one in next_rows(model, rows, 20)]
    unit = rows[found] / np.linalg.norm(rows[found], axis=1, keepdims=True)
    cosines = unit @ unit.T
    assert (cosines[~np.eye(len(found), dtype=bool)] < 0.97).all()
    assert 2 <= len(found) <= 8


def test_what_is_refused() -> None:
    x = pool()
    with pytest.raises(ValueError, match="count must be a whole number of at least 1, received 0"):
        next_rows(known_model([0, 1]), x, 0)
    with pytest.raises(ValueError, match="the model knows no classes"):
        next_rows(known_model(None), x, 3)
    with pytest.raises(ValueError, match="received"):
        next_rows(known_model([0, 1]), x[:, :5], 3)
    with pytest.raises(ValueError, match="seed must be from 0 to 4294967295, received 4294967296"):
        next_rows(known_model([0, 1]), x, 3, seed=2**32)
