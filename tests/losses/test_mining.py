"""Miners: edge cases, and what they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from dtgcnn_numpy import NumpyOps

from dtgcnn.losses import mining

OPS = NumpyOps(dtype="float64")
X = np.random.default_rng(2).normal(size=(8, 4))
LABELS = np.array([0, 0, 0, 1, 1, 2, 2, 3], np.int32)
ITEMS = np.arange(8, dtype=np.int32)
KEY = np.array([1, 2], np.uint32)

MINERS: dict[str, Any] = {
    "batch_hard": mining.batch_hard,
    "easy_positive": mining.easy_positive,
    "semi_hard_all": lambda *args: mining.semi_hard_all(*args, 2),
    "distance_weighted": lambda *args: mining.distance_weighted(*args, 2, KEY),
}


@pytest.mark.parametrize("name", MINERS)
def test_miners_find_nothing_where_there_is_nothing(name: str) -> None:
    for labels in (ITEMS, 0 * LABELS):
        assert not MINERS[name](OPS, X, labels, ITEMS).valid.any()
    assert not MINERS[name](OPS, X, LABELS, LABELS).valid.any()
    assert not MINERS[name](OPS, X[:1], LABELS[:1], ITEMS[:1]).valid.any()


@pytest.mark.parametrize("name", MINERS)
def test_mined_triplets_are_what_they_say(name: str) -> None:
    x = X.copy()
    x[[1, 4]] = x[0]
    mined = MINERS[name](OPS, x, LABELS, ITEMS)
    a, p, n = (places[mined.valid] for places in mined[:3])
    assert len(a) > 0
    assert all(places.dtype == np.int32 for places in mined[:3])
    assert (LABELS[a] == LABELS[p]).all()
    assert (a != p).all()
    assert (LABELS[a] != LABELS[n]).all()


def test_semi_hard_all_is_semi_hard_of_every_pair() -> None:
    x = np.random.default_rng(5).normal(size=(40, 5))
    labels = np.repeat(np.arange(8), 5).astype(np.int32)
    mined = mining.semi_hard_all(OPS, x, labels, np.arange(40, dtype=np.int32), 4)
    pairs = mined._replace(valid=np.ones(160, bool))
    expected = mining.semi_hard(OPS, x, labels, pairs)
    np.testing.assert_array_equal(mined.valid, expected.valid)
    np.testing.assert_array_equal(mined.negative[mined.valid], expected.negative[expected.valid])
    assert len({*zip(mined.anchor.tolist(), mined.positive.tolist())}) == 160


def test_distance_weighted_follows_its_key() -> None:
    def draw(*key: int) -> Any:
        words = np.array(key, np.uint32)
        return mining.distance_weighted(OPS, X, LABELS, ITEMS, 2, words, 0.5, 1.9).negative

    np.testing.assert_array_equal(draw(1, 2), draw(1, 2))
    assert any((draw(1, 2) != draw(1, i)).any() for i in range(3, 9))


def test_count_before() -> None:
    first, second = np.array([[1.0, 3.0, np.inf]]), np.array([[3.0, -np.inf, 2.0, 4.0]])
    before_first, before_second = mining.count_before(OPS, first, second)
    assert before_first.tolist() == [[1, 2, 4]]
    assert before_second.tolist() == [[2, 0, 1, 2]]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: mining.easy_positive(OPS, X, LABELS, ITEMS, "easy"), "negative must be"),
        (lambda: mining.semi_hard_all(OPS, X, LABELS, ITEMS, 0), "positives must be at least 1"),
        (
            lambda: mining.distance_weighted(OPS, X, LABELS, ITEMS, 1, KEY, 1.5),
            "cutoff and nonzero_loss_cutoff must rise",
        ),
    ],
)
def test_settings_out_of_range_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("name", ["batch_hard", "easy_positive", "semi_hard_all"])
def test_rows_far_from_the_origin_are_no_positives_of_themselves(name: str) -> None:
    x = np.array([[1e5, 0.0], [1e5, 1.0], [0.0, 1e5], [1.0, 1e5]], np.float32)
    labels = np.array([0, 0, 1, 1], np.int32)
    mined = MINERS[name](NumpyOps(), x, labels, np.arange(4, dtype=np.int32))
    a, p, n = (places[mined.valid] for places in mined[:3])
    assert a.tolist() == [0, 1, 2, 3]
    assert p.tolist() == [1, 0, 3, 2]
    assert (labels[a] != labels[n]).all()
