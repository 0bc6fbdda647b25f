"""Discriminants of pairs: against scipy's generalised eigenvectors, and where they are taken."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import linalg

from dtgcnn import DTGCNN, Trainer, TripletDataset
from dtgcnn.data import fit_closed_form
from dtgcnn.data.linear_maps import Whitening, discriminants, unit
from dtgcnn.evaluation import pair_auc

from ..conftest import SETTINGS

WIDTH, COUNT = 8, 5


def pairs(count: int = 120, noise: float = 3.0, seed: int = 0) -> tuple[Any, Any]:
    """Rows by twos: the first half of the columns is common to both, the others are of each."""
    rng = np.random.default_rng(seed)
    own = rng.normal(size=(count, WIDTH)).repeat(2, axis=0)
    own[:, WIDTH // 2 :] = noise * rng.normal(size=(2 * count, WIDTH // 2))
    own += 0.3 * rng.normal(size=own.shape)
    return own.astype(np.float32), np.arange(count).repeat(2)


def taken(x: Any, labels: Any, seed: int = 0, count: int = COUNT) -> Any:
    rows = unit(x.astype(np.float64))
    return discriminants(rows, labels, Whitening.of(rows, labels), count, seed)


def covariances(rows: Any, labels: Any) -> tuple[Any, Any]:
    """Σ_t, and Σ_w of pairs, half the covariance of their differences."""
    differences = rows[::2] - rows[1::2]
    return np.cov(rows.T, bias=True), 0.5 * differences.T @ differences / len(differences)


def test_they_are_fishers_directions_each_weighed() -> None:
    x, labels = pairs()
    rows = unit(x.astype(np.float64))
    total, within = covariances(rows, labels)
    biased = within / 2.0  # around means of two rows
    shrunk = 0.4 * biased + 0.6 * np.trace(biased) / WIDTH * np.eye(WIDTH)
    values, vectors = linalg.eigh(total - within, shrunk)  # vᵀ shrunk v = 1
    values, vectors = np.maximum(values[::-1], 0.0), vectors[:, ::-1]
    wanted = vectors * np.sqrt(values / (values + values.mean()))
    found = Whitening.of(rows, labels).matrix @ taken(x, labels)
    for i in range(COUNT):
        sign = np.sign(found[:, i] @ wanted[:, i])
        np.testing.assert_allclose(sign * found[:, i], wanted[:, i], atol=1e-8)


def test_pairs_find_each_other_better() -> None:
    x, labels = pairs(200)
    start = fit_closed_form(x[:320], labels[:320], COUNT).arrays
    rows = unit(x.astype(np.float64))
    views = [rows, unit(unit((rows - start["mean"]) @ start["whitening"]) @ start["projection"])]
    own, anchor = labels[320:], np.arange(0, 80, 2)
    before, after = (pair_auc(view[320:], own, anchor, anchor + 1) for view in views)
    assert after > before + 0.1


def test_more_columns_than_there_are_end_in_zeros() -> None:
    x, labels = pairs()
    found = taken(x, labels, count=WIDTH + 3)
    assert found.shape == (WIDTH, WIDTH + 3)
    assert not found[:, WIDTH:].any()
    assert np.isfinite(found).all()


@pytest.mark.parametrize("kind", ["nothing to gain", "few", "alone", "one", "equal"])
def test_where_held_out_pairs_do_not_gain_there_are_none(kind: str) -> None:
    x, labels = pairs()
    if kind == "nothing to gain":
        x = np.random.default_rng(1).normal(size=x.shape).astype(np.float32)
    elif kind == "few":
        x, labels = x[:30], labels[:30]
    elif kind == "alone":
        labels = np.arange(len(x))
    elif kind == "one":
        labels = np.zeros(len(x), np.int64)
    else:
        x[:] = 1.0
    assert taken(x, labels) is None
    projection = fit_closed_form(x, labels, COUNT).arrays["projection"]
    if kind != "one":
        norms = np.linalg.norm(projection, axis=0)
        np.testing.assert_allclose(norms, 1.0, atol=1e-6)


def test_names_and_lengths_do_not_matter_and_the_seed_decides() -> None:
    x, labels = pairs()
    np.testing.assert_array_equal(taken(x, labels), taken(x, 7 - 3 * labels[::1]))
    np.testing.assert_allclose(taken(x, labels), taken(2.0 * x, labels), atol=1e-9)
    close = pairs(noise=0.5)
    told = [taken(*close, seed=seed) is None for seed in range(12)]
    assert len(set(told)) == 2, "some draws of held-out pairs say yes, others no"


def test_classes_that_have_a_code_have_no_discriminants() -> None:
    x, labels = pairs()
    found = fit_closed_form(x, labels // 4, COUNT, code_weight=0.0).arrays["projection"]
    np.testing.assert_allclose(np.linalg.norm(found, axis=0), 1.0, atol=1e-6)


def test_triplets_begin_with_them(backend: str) -> None:
    x, _ = pairs()
    texts = {f"text {i}": row for i, row in enumerate(x)}

    class Known:
        name, dim = "known", WIDTH

        def fit(self, _: Any) -> Known:
            return self

        def encode(self, asked: Any) -> Any:
            return np.stack([texts[text] for text in asked])

    names = list(texts)
    triplets = [(names[i], names[i + 1], names[(i + 2) % 240]) for i in range(0, 240, 2)]
    loader, _ = TripletDataset.from_triplets(triplets).create_dataloaders(24, 1.0)
    encoder: Any = Known()
    model = DTGCNN(backend=backend, encoder=encoder, **{**SETTINGS, "input_dim": WIDTH})
    Trainer(model, train_loader=loader, progress=False).train()
    assert model.start is not None
    found = model.ops.to_numpy(model.start.arrays["projection"])
    wanted = taken(x, np.arange(240) // 2, count=8)
    np.testing.assert_allclose(np.abs(found), np.abs(wanted), atol=1e-5)
    z, _ = model.started(model.vectors(names))
    rows = unit(x.astype(np.float64))
    white = Whitening.of(rows, np.arange(240) // 2)(rows)
    np.testing.assert_allclose(
        np.abs(model.ops.to_numpy(z)), np.abs(unit(white @ wanted)), atol=1e-4
    )
