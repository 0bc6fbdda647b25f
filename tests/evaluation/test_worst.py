"""Rows with the worst neighbours, against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from dtgcnn import TripletDataset
from dtgcnn.evaluation import nearest_rows, worst_neighbors

RNG = np.random.default_rng(3)
X = RNG.standard_normal((90, 6)).astype(np.float32)


@pytest.mark.parametrize("gallery", [None, RNG.standard_normal((40, 6))])
def test_nearest_rows_are_those_of_scikit_learn(gallery: np.ndarray | None) -> None:
    near, cosines = nearest_rows(X, 7, gallery)
    peer = NearestNeighbors(n_neighbors=7, metric="cosine").fit(X if gallery is None else gallery)
    distances, rows = peer.kneighbors(None if gallery is None else X)
    assert np.array_equal(near, rows)
    assert np.allclose(cosines, 1 - distances, atol=1e-6)


def test_few_rows_give_fewer_neighbours() -> None:
    assert nearest_rows(X[:3], 10)[0].shape == (3, 2)
    assert nearest_rows(X[:1], 10)[0].shape == (1, 0)
    assert nearest_rows(X[:1], 10, X)[0].shape == (1, 10)


def test_the_worst_come_first() -> None:
    labels = np.arange(90) % 3
    splits = ["test" if i < 30 else "train" for i in range(90)]
    dataset = TripletDataset.from_arrays(X, labels, splits)
    found = worst_neighbors(dataset, X, k=5, most=30)
    near, cosines = nearest_rows(X[:30], 5, X[30:])
    share = (labels[30:][near] == labels[:30, None]).mean(axis=1)
    keys = [(share[i], -cosines[i, 0]) for i in range(30) if share[i] < 1]
    assert [(row.share, -row.cosines[0]) for row in found] == sorted(keys)
    assert all(item >= 30 for row in found for item in row.near)
    assert found[0].near == (near[found[0].item] + 30).tolist()


def test_rows_whose_class_has_no_other_row_are_left_out() -> None:
    labels = ["a"] * 40 + ["b"] * 48 + ["alone", ""]
    found = worst_neighbors(TripletDataset.from_arrays(X, labels), X, most=90)
    assert 80 < len(found) <= 88
    assert not {88, 89} & {row.item for row in found}
    assert 89 not in {item for row in found for item in row.near}


def test_without_classes_there_are_none() -> None:
    assert worst_neighbors(TripletDataset.from_arrays(X), X) == []
    triplets = TripletDataset.from_triplets([("a", "b", "c"), ("c", "d", "a")])
    assert worst_neighbors(triplets, X[:4]) == []
