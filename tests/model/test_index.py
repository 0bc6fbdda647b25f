"""A trained model over the rows that are searched."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dtgcnn import DTGCNN, Trainer, TripletDataset
from dtgcnn.evaluation import retrieval_metrics

SETTINGS = {"input_dim": 16, "hidden_dims": (16, 16), "output_dim": 12, "graph_k_neighbors": 4}


def blobs(classes: int, per_class: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Clusters of 16 columns that lie close together, and their classes."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), per_class)
    return rng.normal(size=(classes, 16))[labels] + 0.9 * rng.normal(size=(len(labels), 16)), labels


@pytest.fixture(scope="module", params=["numpy", pytest.param("mlx", marks=pytest.mark.mlx)])
def known(request: pytest.FixtureRequest) -> DTGCNN:
    x, y = blobs(6, 20, seed=0)
    dataset = TripletDataset.from_arrays(x, y)
    loader, _ = dataset.create_dataloaders(32, 1.0)
    model = DTGCNN(backend=request.param, **SETTINGS)
    Trainer(model, train_loader=loader, epochs=2, progress=False).train()
    return model


@pytest.fixture
def corpus() -> tuple[np.ndarray, np.ndarray]:
    """Rows of other classes than the model was trained on."""
    return blobs(5, 24, seed=7)


def test_rows_of_classes_that_were_never_seen_come_closer(
    known: DTGCNN, corpus: tuple[np.ndarray, np.ndarray]
) -> None:
    x, y = corpus
    before, after = (retrieval_metrics(m.encode(x), y)["map@r"] for m in (known, known.index(x)))
    assert after > before + 0.02


def test_a_row_does_not_depend_on_its_company(
    known: DTGCNN, corpus: tuple[np.ndarray, np.ndarray]
) -> None:
    indexed = known.index(corpus[0])
    for rows in (corpus[0], np.random.default_rng(3).normal(size=(30, 16))):
        together = indexed.encode(rows)
        order = np.random.default_rng(1).permutation(len(rows))
        assert (indexed.encode(rows[order]) == together[order]).all()
        alone = np.concatenate([indexed.encode(row[None]) for row in rows])
        assert (alone == together).all()


def test_propagation_is_what_its_equation_says(
    known: DTGCNN, corpus: tuple[np.ndarray, np.ndarray]
) -> None:
    x = corpus[0].astype(np.float32)
    f = known.index(x, hops=0).encode(x).astype(np.float64)
    cosines = f @ f.T
    np.fill_diagonal(cosines, -9.0)
    near = np.argsort(-cosines, axis=1)[:, :4]
    s = np.maximum(np.take_along_axis(cosines, near, axis=1), 0.0) ** 2
    own = 1.0 / (1.0 + s.sum(axis=1, keepdims=True))
    h = f
    for hops in (1, 2, 3):
        h = own * f + np.einsum("nk,nkd->nd", s * own, h[near])
        h /= np.linalg.norm(h, axis=1, keepdims=True)
        assert known.index(x, hops=hops).encode(x) == pytest.approx(h, abs=5e-6)


def test_the_model_itself_stays_as_it_was(
    known: DTGCNN, corpus: tuple[np.ndarray, np.ndarray]
) -> None:
    bank, config, before = known.bank, known.config, known.encode(corpus[0])
    indexed = known.index(corpus[0])
    assert known.bank is bank
    assert known.config == config
    assert (known.encode(corpus[0]) == before).all()
    assert indexed.bank is not None
    assert len(indexed.bank) == len(corpus[0])
    assert indexed.bank.labels is None


def test_it_is_saved_and_loaded(
    known: DTGCNN, corpus: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    indexed = known.index(corpus[0], hops=2)
    indexed.save(tmp_path / "m")
    loaded = DTGCNN.load(tmp_path / "m", backend=known.ops.name)
    assert loaded.config.propagation_hops == 2
    assert (loaded.encode(corpus[0]) == indexed.encode(corpus[0])).all()


def test_equal_rows_are_kept_once_and_too_few_are_refused(known: DTGCNN) -> None:
    x = np.random.default_rng(0).normal(size=(12, 16))
    bank = known.index(np.concatenate([x, x])).bank
    assert bank is not None
    assert len(bank) == 12
    with pytest.raises(ValueError, match=r"k = 4; take k \(graph_k_neighbors\) at most 2"):
        known.index(x[:3])
    with pytest.raises(ValueError, match="the bank has 0 distinct nodes"):
        known.index(np.empty((0, 16)))
    with pytest.raises(ValueError, match="must be finite; row 1"):
        known.index(np.array([[0.0] * 16, [np.nan] * 16]))
    with pytest.raises(ValueError, match="must be finite; row 1"):
        known.index(np.array([[0.0] * 16, [1e39] * 16]))


def test_a_model_without_a_start_can_be_indexed(corpus: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = blobs(6, 20, seed=0)
    loader, _ = TripletDataset.from_arrays(x, y).create_dataloaders(32, 1.0)
    model = DTGCNN(backend="numpy", start="none", **SETTINGS)
    Trainer(model, train_loader=loader, epochs=2, progress=False).train()
    indexed = model.index(corpus[0])
    assert indexed.encode(corpus[0]).shape == (len(corpus[0]), 12)


@pytest.mark.parametrize("copies", [30, 200])
def test_nor_where_many_rows_are_all_but_equal(known: DTGCNN, copies: int) -> None:
    """Among which no product tells the nearest, whatever its shape."""
    rng = np.random.default_rng(5)
    rows = rng.normal(size=(6, 16)).repeat(copies, axis=0)
    indexed = known.index(rows * (1.0 + 1e-6 * rng.normal(size=rows.shape)))
    queries = (rows * (1.0 + 1e-6 * rng.normal(size=rows.shape)))[:: copies // 10]
    together = indexed.encode(queries)
    alone = np.concatenate([indexed.encode(row[None]) for row in queries])
    assert (alone == together).all()
