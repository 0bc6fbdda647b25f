"""Ensembles over other rows: an index, rows that join or leave, groups, and what to label next."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtgcnn import DTGCNN, Ensemble, TripletDataset
from dtgcnn.evaluation import SearchIndex, discover, next_rows
from dtgcnn.training.ensemble import Mode

from ..conftest import SETTINGS, blobs
from ..evaluation.test_discovery import blobs as planted
from ..evaluation.test_discovery import known_model
from .test_ensemble import MODES

metrics = pytest.importorskip("sklearn.metrics")

BACKENDS = ["numpy", pytest.param("mlx", marks=pytest.mark.mlx)]
NAMES = ["0", "1", "2", "3"]


def members(backend: str = "numpy", count: int = 2) -> list[DTGCNN]:
    """Models at their starts, each of another half of the rows of each class."""
    if backend == "mlx":
        pytest.importorskip("mlx.core")
    x, labels = blobs()
    models = []
    for number in range(count):
        model = DTGCNN(backend=backend, **{**SETTINGS, "seed": number})
        model.fit_start(x[number::2], labels[number::2])
        model.build_bank(x, labels.tolist())
        model.classes_ = list(NAMES)
        models.append(model)
    return models


def far_rows(count: int = 20) -> Any:
    """Rows of a class of their own."""
    rng = np.random.default_rng(8)
    x = rng.normal(size=(count, SETTINGS["input_dim"])) * 0.2
    x[:, 0] -= 9.0
    x[:, 1] += 9.0
    return x.astype(np.float32)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("backend", BACKENDS)
def test_an_index_puts_together_what_its_models_make_of_the_rows(backend: str, mode: Mode) -> None:
    models, rows = members(backend), far_rows()
    ensemble = Ensemble(models, mode)
    before = ensemble.encode(rows)
    indexed = ensemble.index(rows, hops=2)
    views = [model.index(rows, hops=2).encode(rows) for model in models]
    if mode == "concat":
        expected = np.concatenate(views, axis=1) / np.sqrt(2)
    else:
        turned = views
        if mode == "procrustes":
            assert ensemble.rotations is not None
            turned = [z @ q for z, q in zip(views, ensemble.rotations, strict=True)]
        expected = np.mean(turned, axis=0)
        expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(indexed.encode(rows), expected, atol=2e-6)
    np.testing.assert_allclose(indexed.bank_embeddings(), expected, atol=1e-5)
    np.testing.assert_array_equal(ensemble.encode(rows), before)


def test_the_embeddings_of_a_bank_are_those_of_its_rows_where_banks_differ() -> None:
    one, other = members()
    x, labels = blobs()
    other.build_bank(x[::2], labels[::2].tolist())
    ensemble = Ensemble([one, other], "concat")
    np.testing.assert_allclose(ensemble.bank_embeddings(), ensemble.encode(x), atol=1e-5)


def test_an_index_is_saved_with_the_ensemble_and_found_again(tmp_path: Path) -> None:
    ensemble, rows = Ensemble(members(), "procrustes"), far_rows()
    data = TripletDataset.from_arrays(rows, ["new"] * len(rows))
    index = SearchIndex.build(ensemble, data, hops=1)
    folder = index.save(tmp_path / "i")
    loaded = Ensemble.load(folder, backend="numpy", mapped=True)
    found = SearchIndex.load(folder, model=loaded)
    assert found.search(rows[:5], 3) == index.search(rows[:5], 3)
    assert [hits[0].row for hits in found.search(rows[:5], 3)] == [0, 1, 2, 3, 4]
    first = {path.name for path in folder.glob("index-*")}
    SearchIndex.build(ensemble, TripletDataset.from_arrays(rows[:15], None)).save(
        folder, overwrite=True
    )
    second = {path.name for path in folder.glob("index-*")}
    assert len(first) == len(second) == 1
    assert first != second
    assert len(list(folder.glob("member-*"))) == 2
    ensemble.save(folder, overwrite=True)
    assert not list(folder.glob("index-*"))


@pytest.mark.parametrize("backend", BACKENDS)
def test_rows_join_and_leave_every_model(backend: str) -> None:
    ensemble, rows = Ensemble(members(backend)), far_rows()
    more = ensemble.add(rows, ["new"] * len(rows))
    assert more.classes_ == [*NAMES, "new"]
    assert more.untrained_classes == ["new"]
    assert more.predict(far_rows(5)) == ["new"] * 5
    assert [len(model.trained_bank()) for model in more.models] == [100, 100]
    less = more.remove(labels=["1"])
    assert less.classes_ == ["0", "2", "3", "new"]
    assert [len(model.trained_bank()) for model in less.models] == [80, 80]
    assert "1" not in less.predict(blobs()[0])
    assert [len(model.trained_bank()) for model in ensemble.models] == [80, 80]
    assert ensemble.classes_ == NAMES
    with pytest.raises(ValueError, match="no class 'colour'"):
        more.remove(labels=["colour"])


def test_labels_that_are_given_once_reach_every_model() -> None:
    ensemble = Ensemble(members())
    more = ensemble.add(far_rows(), ("far" for _ in far_rows()))
    assert [model.classes_ for model in more.models] == [[*NAMES, "far"]] * 2
    fewer = more.remove(labels=iter(["0", "far"]))
    assert [model.classes_ for model in fewer.models] == [NAMES[1:]] * 2


def test_groups_are_those_of_the_ensembles_embedding() -> None:
    model, other = known_model([0, 1, 2, 3]), known_model([0, 1, 2, 3])
    other.start = None
    rows, own = planted([0, 1, 2, 3], 9, 7)
    other.fit_start(rows, own)
    other.refresh_bank()
    ensemble = Ensemble([model, other])
    x, labels = planted([0, 1, 3, 8, 9], 20, 1)
    found = discover(ensemble, x, 5)
    assert metrics.adjusted_rand_score(labels, found.assigned) == 1.0
    assert {group.name for group in found.groups} == {"0", "1", "3", "new 1", "new 2"}
    z = ensemble.index(x).encode(x).astype(np.float64)
    for group in found.groups:
        centre = z[group.rows].mean(axis=0)
        cosines = z[group.rows] @ centre / np.linalg.norm(centre)
        np.testing.assert_allclose(found.cosines[group.rows], cosines, atol=1e-6)


def test_rows_to_label_are_unsure_to_the_models_together() -> None:
    ensemble, (x, _) = Ensemble(members()), blobs()
    between = (x[:20] + x[20:40]) / 2
    found = next_rows(ensemble, np.concatenate([x[:40], between]), 4)
    assert {one.row for one in found} <= set(range(40, 60))
    p = np.sort(ensemble.predict_proba(between[[one.row - 40 for one in found]]), axis=1)
    np.testing.assert_allclose([one.margin for one in found], p[:, -1] - p[:, -2], atol=1e-6)
