"""``DTGCNN``: encoding does not depend on company, and what does not fit is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dtgcnn import DTGCNN, TripletDataset
from dtgcnn.model.bank import choose_rows

from ..conftest import PLAIN, blobs


def test_encode_is_the_same_alone_together_and_shuffled(trained: DTGCNN) -> None:
    x = np.random.default_rng(0).normal(size=(100, 12)).astype(np.float32)
    together = trained.encode(x)
    alone = np.concatenate([trained.encode(row[None]) for row in x])
    order = np.random.default_rng(1).permutation(100)
    shuffled = np.empty_like(together)
    shuffled[order] = trained.encode(x[order])
    np.testing.assert_allclose(alone, together, atol=1e-6)
    np.testing.assert_allclose(shuffled, together, atol=1e-6)


def test_a_bank_row_encodes_to_what_it_is_in_the_bank(trained: DTGCNN) -> None:
    assert trained.bank is not None
    bank, ops = trained.bank, trained.ops
    assert bank.graph is not None
    inside, _ = trained.network(ops, trained.params, trained.state, bank.x, bank.graph, bank.states)
    np.testing.assert_allclose(trained.encode(bank.host_x), ops.to_numpy(inside), atol=3e-6)


def test_a_bank_row_is_not_its_own_neighbour(trained: DTGCNN) -> None:
    assert trained.bank is not None
    links = trained.attach(trained.bank.host_x, trained.bank.x)
    own = np.arange(len(trained.bank))[:, None]
    assert not (trained.ops.to_numpy(links.neighbors) == own).any()


def test_many_rows_are_normalised_and_linked_in_blocks(
    trained: DTGCNN, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank, ops = trained.bank, trained.ops
    assert bank is not None
    assert bank.graph is not None
    nodes, before = trained.nodes(bank.host_x), bank.graph
    links = trained.attach(bank.host_x, nodes)
    monkeypatch.setattr("dtgcnn.model.input_rows.DEVICE_ROWS", 7)
    monkeypatch.setattr("dtgcnn.model.bank.LINKED_ROWS", 9)
    x = np.concatenate([bank.host_x, np.full((1, 12), np.nan, np.float32)])
    with pytest.raises(ValueError, match=f"row {len(bank)} holds nan"):
        trained.vectors(x)
    np.testing.assert_array_equal(
        ops.to_numpy(trained.nodes(bank.host_x)), ops.to_numpy(nodes), strict=True
    )
    bank.link(ops, trained.network)
    for whole, parts in ((links, trained.attach(bank.host_x, nodes)), (before, bank.graph)):
        for name in ("neighbors", "weights", "own"):
            wanted, got = (ops.to_numpy(getattr(graph, name)) for graph in (whole, parts))
            np.testing.assert_allclose(got, wanted, atol=1e-6)
    bank.graph = before  # the model is shared


def test_embeddings_are_float32_at_unit_length(trained: DTGCNN) -> None:
    z = trained.encode(blobs()[0])
    assert z.dtype == np.float32
    assert z.shape == (80, 8)
    np.testing.assert_allclose(np.linalg.norm(z, axis=1), 1.0, atol=1e-6)
    np.testing.assert_array_equal(trained(blobs()[0]), z)


def test_encoding_nothing_gives_no_rows(trained: DTGCNN) -> None:
    assert trained.encode(np.zeros((0, 12), np.float32)).shape == (0, 8)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((2, 5), np.float32), r"shape \(N, input_dim = 12\), received \(2, 5\)"),
        (np.zeros(12, np.float32), r"shape \(N, input_dim = 12\)"),
        (np.full((3, 12), np.nan, np.float32), "row 0 holds nan or infinity"),
        (np.full((3, 12), np.inf, np.float32), "row 0 holds nan or infinity"),
        (["a text"], "no text encoder: it was trained on vectors"),
        ([1, 2], "an array of vectors or a list of texts"),
        ([b"ab", b"cd"], r"x must hold texts, as decode gives them; row 0 is b'ab'"),
    ],
)
def test_what_does_not_fit_is_refused(trained: DTGCNN, x: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        trained.encode(x)


def test_an_untrained_model_says_so() -> None:
    with pytest.raises(ValueError, match="no bank yet: train it"):
        DTGCNN(backend="numpy", **PLAIN).encode(blobs()[0])


def test_a_bank_that_is_too_small_for_k(labelled: TripletDataset) -> None:
    model = DTGCNN(backend="numpy", **PLAIN)
    with pytest.raises(ValueError, match="the bank has 4 nodes, received k = 4; take k"):
        model.build_bank(blobs()[0][:4], [0, 0, 1, 1])


def test_the_bank_holds_distinct_rows_drawn_evenly_over_classes() -> None:
    x, labels = blobs()
    x[1] = x[0]
    model = DTGCNN(backend="numpy", **{**PLAIN, "bank_size": 20})
    bank = model.build_bank(x, labels.tolist())
    assert len(np.unique(bank.host_x, axis=0)) == len(bank) == 20
    rows = [int(np.flatnonzero((x == row).all(axis=1))[0]) for row in bank.host_x]
    assert np.bincount(labels[rows]).tolist() == [5, 5, 5, 5]


def test_small_classes_are_kept_whole() -> None:
    labels = [0] * 100 + [1] * 3 + [2] * 50
    chosen = choose_rows(labels, 43, seed=0)
    assert chosen == sorted(set(chosen))
    assert np.bincount([labels[row] for row in chosen]).tolist() == [20, 3, 20]
    assert choose_rows(labels, 43, seed=0) == chosen != choose_rows(labels, 43, seed=1)


def test_the_seed_decides_the_initial_weights() -> None:
    def weight(seed: int) -> Any:
        return DTGCNN(backend="numpy", seed=seed, **PLAIN).params["head"]["weight"]

    np.testing.assert_array_equal(weight(3), weight(3))
    assert not np.array_equal(weight(3), weight(4))
