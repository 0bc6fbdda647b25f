"""Groups of planted blobs: known classes by their names, others as new ones."""

from __future__ import annotations

import numpy as np
import pytest

from dtgcnn import DTGCNN, TripletDataset
from dtgcnn.evaluation import discover

metrics = pytest.importorskip("sklearn.metrics")

WIDTH = 16
BACKENDS = ["numpy", pytest.param("mlx", marks=pytest.mark.mlx)]


def blobs(classes: list[int], per_class: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows around the axes of the classes."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(classes, per_class)
    x = np.eye(WIDTH)[labels] + 0.12 * rng.standard_normal((len(labels), WIDTH))
    return x.astype(np.float32), labels


def known_model(classes: list[int] | None, backend: str = "numpy") -> DTGCNN:
    """A model at its start, which knows classes named by their numbers."""
    x, labels = blobs(classes or [0, 1, 2, 3], 12, 0)
    if backend == "mlx":
        pytest.importorskip("mlx.core")
    settings = {"hidden_dims": (16, 16), "output_dim": WIDTH, "graph_k_neighbors": 4}
    model = DTGCNN(backend=backend, input_dim=WIDTH, standardize=False, **settings)
    data = TripletDataset.from_arrays(x, labels)
    assert data.labels is not None
    model.fit_start(x, data.labels)
    model.build_bank(x, data.labels.tolist())
    model.classes_ = None if classes is None else data.label_names
    return model


@pytest.mark.parametrize("backend", BACKENDS)
def test_known_classes_are_named_and_others_are_new(backend: str) -> None:
    model = known_model([0, 1, 2, 3], backend)
    x, y = blobs([0, 1, 3, 8, 9], 20, 1)  # class 2 has no row here
    found = discover(model, x, 5)
    assert metrics.adjusted_rand_score(y, found.assigned) == 1.0
    assert {y[group.rows[0]]: group.name for group in found.groups if group.known} == {
        0: "0",
        1: "1",
        3: "3",
    }
    assert sorted(group.name for group in found.groups if not group.known) == ["new 1", "new 2"]
    for group in found.groups:
        assert sorted(group.rows) == np.flatnonzero(y == y[group.rows[0]]).tolist()
        assert (np.diff(found.cosines[group.rows]) <= 0).all()
    assert [found.names[row] for row in found.groups[0].rows] == [found.groups[0].name] * 20


@pytest.mark.parametrize("present", [[2], [0, 2], [0, 2, 9], [0, 1, 2, 3, 9]])
def test_names_do_not_depend_on_which_classes_have_rows(present: list[int]) -> None:
    x, y = blobs(present, 20, 1)
    found = discover(known_model([0, 1, 2, 3]), x, max(2, len(present)))
    names = {group.name for group in found.groups if group.known}
    assert names == {str(label) for label in present if label < 4}
    for group in found.groups:
        assert not group.known or set(y[group.rows]) == {int(group.name)}


def test_cosines_are_those_of_the_centres() -> None:
    model = known_model([0, 1, 2, 3])
    x, _ = blobs([0, 1, 8], 20, 1)
    found = discover(model, x, 3)
    z = model.index(x).encode(x).astype(np.float64)
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    for place, group in enumerate(found.groups):
        centre = z[found.assigned == place].mean(axis=0)
        own = z[group.rows] @ centre / np.linalg.norm(centre)
        np.testing.assert_allclose(found.cosines[group.rows], own, atol=1e-6)


def test_groups_go_on_from_smoothed_embeddings(monkeypatch: pytest.MonkeyPatch) -> None:
    model = known_model([0, 1, 2, 3])
    x, y = blobs([0, 1, 8], 20, 1)
    moved = y.copy()
    moved[[3, 25, 47]] = y[[25, 47, 3]]
    given = []

    def smoothed(rows: np.ndarray, values: np.ndarray) -> np.ndarray:
        given.extend([rows, values])
        return np.eye(WIDTH)[moved]

    monkeypatch.setattr("dtgcnn.evaluation.discovery.smoothed", smoothed)
    found = discover(model, x, 3)
    assert metrics.adjusted_rand_score(moved, found.assigned) == 1.0
    np.testing.assert_array_equal(given[0], x)
    z = model.index(x).encode(x).astype(np.float64)
    np.testing.assert_allclose(given[1], z / np.linalg.norm(z, axis=1, keepdims=True), atol=1e-6)


def test_the_number_of_groups_is_that_of_the_best_silhouette() -> None:
    model = known_model([0, 1, 2, 3])
    x, y = blobs([0, 1, 2, 3, 8, 9, 10], 20, 1)
    found = discover(model, x)
    assert len(found.groups) == 7
    assert metrics.adjusted_rand_score(y, found.assigned) == 1.0
    assert max(found.silhouettes, key=found.silhouettes.__getitem__) == 7
    assert min(found.silhouettes) == 2
    assert max(found.silhouettes) == 140 // 4
    z = model.index(x).encode(x)
    expected = metrics.silhouette_score(z, y, metric="cosine")
    assert found.silhouettes[7] == pytest.approx(expected, abs=1e-5)


def test_a_model_without_classes_finds_new_groups_alone() -> None:
    x, y = blobs([0, 1, 8], 20, 1)
    found = discover(known_model(None), x, 3)
    assert [group.name for group in found.groups] == ["new 1", "new 2", "new 3"]
    assert metrics.adjusted_rand_score(y, found.assigned) == 1.0


def test_new_groups_have_names_that_no_class_has() -> None:
    x, _ = blobs([0, 1, 8, 9], 20, 1)
    model = known_model([0, 1, 2, 3])
    model.classes_ = ["new 1", "1", "2", "new 3"]
    found = discover(model, x, 4)
    assert sorted(group.name for group in found.groups) == ["1", "new 1", "new 2", "new 4"]


def test_the_largest_seed() -> None:
    x, _ = blobs([0, 1, 8], 20, 1)
    assert len(discover(known_model([0, 1, 2, 3]), x, 3, seed=2**32 - 1).groups) == 3


def test_rows_of_zeros_are_in_no_group() -> None:
    x, _ = blobs([0, 1, 8], 20, 1)
    x[[4, 50]] = 0.0
    found = discover(known_model([0, 1, 2, 3]), x, 3)
    assert np.flatnonzero(found.assigned < 0).tolist() == [4, 50]
    assert np.isnan(found.cosines[[4, 50]]).all()
    assert found.names[4] is None
    assert sum(len(group.rows) for group in found.groups) == 58


@pytest.mark.parametrize("groups", [None, 6])
def test_rows_that_differ_in_length_alone_are_grouped_together(groups: int | None) -> None:
    axes, lengths = np.eye(WIDTH, dtype=np.float32)[:3], 2.0 ** np.arange(7)
    x = (axes[:, None] * lengths[:, None]).reshape(-1, WIDTH).astype(np.float32)
    found = discover(known_model([0, 1, 2, 3]), x, groups)
    assert metrics.adjusted_rand_score(np.repeat(range(3), 7), found.assigned) == 1.0


def test_what_is_refused() -> None:
    model = known_model([0, 1, 2, 3])
    x, _ = blobs([0, 1], 5, 1)
    with pytest.raises(ValueError, match="groups must be between 2 and the 10 distinct rows, rec"):
        discover(model, x, 11)
    with pytest.raises(ValueError, match=r"groups must be between 2 and .*, received 2\.5"):
        discover(model, x, 2.5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"5 distinct rows or more that are not zero, .* it has 1"):
        discover(model, np.repeat(x[:1], 9, axis=0), 2)
    with pytest.raises(ValueError, match="received"):
        discover(model, x[:, :7], 2)
    with pytest.raises(ValueError, match="seed must be from 0 to 4294967295, received -1"):
        discover(model, x, 2, seed=-1)
