"""The links of a trained model and their figures, against brute force and scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dtgcnn import DTGCNN, Trainer, TripletDataset
from dtgcnn.evaluation.links import (
    Links,
    bank_items,
    bank_labels,
    class_purity,
    embedding_links,
    graph_links,
    in_degrees,
    skewness,
)

from ..conftest import STARTS


@pytest.fixture(params=STARTS)
def trained(labelled: TripletDataset, request: pytest.FixtureRequest) -> DTGCNN:
    train, val = labelled.create_dataloaders(batch_size=24, train_split=0.8)
    model = DTGCNN(backend="numpy", **STARTS[request.param])
    Trainer(model, train_loader=train, val_loader=val, keep_best=False, progress=False).train()
    return model


def nodes(model: DTGCNN, host_x: Any) -> Any:
    """What is linked: the rows, or what the start makes of them."""
    return host_x if model.start is None else model.start(model.ops, model.device_rows(host_x))[0]


def brute_force(queries: Any, bank: Any, k: int, own: list[int]) -> list[set[int]]:
    """The k nearest rows of the bank by cosine, in float64, leaving each query itself out."""
    q, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (queries, bank))
    similarity = q.astype(np.float64) @ b.astype(np.float64).T
    for row, self_row in enumerate(own):
        if self_row >= 0:
            similarity[row, self_row] = -np.inf
    return [set(row[:k].tolist()) for row in np.argsort(-similarity, axis=1)]


def sets(links: Links) -> list[set[int]]:
    return [set(row[on].tolist()) for row, on in zip(links.neighbors, links.linked, strict=True)]


def test_links_are_the_nearest_rows_of_the_bank(trained: DTGCNN, labelled: TripletDataset) -> None:
    assert trained.bank is not None
    host_x = trained.vectors(labelled.inputs)
    own = trained.bank.rows_of(host_x)
    assert 0 < sum(row >= 0 for row in own) < len(own)  # rows of both kinds
    x, bank_x = nodes(trained, host_x), nodes(trained, trained.bank.host_x)
    assert sets(graph_links(trained, host_x)) == brute_force(x, bank_x, 4, own)
    z, bank_z = trained.encode(host_x), trained.encode(trained.bank.host_x)
    found = sets(embedding_links(trained, host_x))
    assert found == brute_force(z, bank_z, 4, own)
    assert found != sets(graph_links(trained, host_x))


def test_degrees_and_purity_agree_with_scikit_learn(
    trained: DTGCNN, labelled: TripletDataset
) -> None:
    neighbors = pytest.importorskip("sklearn.neighbors", reason="scikit-learn is the oracle")
    assert trained.bank is not None
    assert labelled.labels is not None
    host_x = trained.vectors(labelled.inputs)
    new = np.array([row < 0 for row in trained.bank.rows_of(host_x)])
    x, labels = host_x[new], labelled.labels[new]
    found = neighbors.NearestNeighbors(n_neighbors=4, metric="cosine").fit(
        nodes(trained, trained.bank.host_x)
    )
    near = found.kneighbors(nodes(trained, x), return_distance=False)
    ends = bank_labels(bank_items(trained, host_x), labelled.labels)
    expected = [np.mean([(ends[row] == c).mean() for row in near[labels == c]]) for c in range(4)]
    links = graph_links(trained, x)
    np.testing.assert_allclose(class_purity(links, labels, ends, 4), expected)
    counts = np.bincount(near.reshape(-1), minlength=len(trained.bank))
    np.testing.assert_array_equal(in_degrees(links, len(trained.bank)), counts)


def test_what_is_no_link_or_unknown_does_not_count() -> None:
    links = Links(
        np.array([[0, 1, 2], [2, 1, 0], [3, 3, 0], [1, 2, 0]]),
        np.array([[1, 1, 1], [1, 1, 0], [1, 0, 0], [0, 0, 0]], bool),
    )
    labels, ends = np.array([0, 1, 1, 2]), np.array([0, 0, 1, -1])
    # Row 0: 2 of 3; row 1: 1 of 2; row 2 ends where the class is unknown; row 3 has no link.
    purity = class_purity(links, labels, ends, 4)
    np.testing.assert_allclose(purity, [2 / 3, 1 / 2, np.nan, np.nan])
    assert in_degrees(links, 5).tolist() == [1, 2, 2, 1, 0]


def test_bank_items_are_the_first_equal_rows(trained: DTGCNN) -> None:
    assert trained.bank is not None
    bank = trained.bank.host_x
    data = np.concatenate([bank[[5, 2]] + 1, bank[[5, 2, 5]]])
    items = bank_items(trained, trained.vectors(data))
    assert (items[5], items[2]) == (2, 3)
    assert np.sort(items)[:-2].max() == -1
    assert bank_labels(items, np.array([7, 7, 3, 4, 9]))[[5, 2, 0]].tolist() == [3, 4, -1]


def test_a_threshold_leaves_rows_without_links(labelled: TripletDataset) -> None:
    settings: dict[str, Any] = {"input_dim": 12, "hidden_dims": (8,), "output_dim": 4}
    settings["start"] = "none"
    model = DTGCNN(backend="numpy", graph_similarity_threshold=0.97, **settings)
    assert labelled.labels is not None
    host_x = model.vectors(labelled.inputs)
    model.build_bank(host_x, labelled.labels.tolist())
    links = graph_links(model, host_x)
    assert not links.linked.all()
    assert in_degrees(links, len(host_x)).sum() == links.linked.sum()


def test_skewness() -> None:
    stats = pytest.importorskip("scipy.stats")
    degrees = np.array([0, 0, 1, 2, 2, 9, 40])
    assert skewness(degrees) == pytest.approx(stats.skew(degrees))
    assert skewness([3, 3, 3]) == 0.0


def test_a_model_that_is_not_trained_is_refused() -> None:
    x = np.ones((3, 12), np.float32)
    for start, lacking in (("none", {"bank"}), ("closed_form", {"bank", "start"})):
        model = DTGCNN(backend="numpy", input_dim=12, hidden_dims=(8,), output_dim=4, start=start)
        for find in (graph_links, embedding_links, bank_items):
            with pytest.raises(
                ValueError, match=r"the model has no (bank|start) yet: train it"
            ) as e:
                find(model, x)
            assert str(e.value).split()[4] in lacking
