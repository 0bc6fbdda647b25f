"""Projections to the plane, and the rows that are drawn of many."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from dtgcnn.evaluation.projection import project, stratified_sample

RNG = np.random.default_rng(0)
LABELS = np.arange(60) % 3
X = RNG.standard_normal((3, 8))[LABELS] + 0.2 * RNG.standard_normal((60, 8))


def test_pca_is_the_plane_of_largest_variance_with_fixed_signs() -> None:
    x = X / np.linalg.norm(X, axis=1, keepdims=True)
    plane = project(X, "pca")
    assert np.array_equal(plane, project(X.copy(), "pca", seed=5))
    variance = np.linalg.eigvalsh(np.cov(x.T))[::-1][:2]
    assert plane.var(axis=0, ddof=1) == pytest.approx(variance)
    assert plane.T @ plane == pytest.approx(np.diag(np.diag(plane.T @ plane)), abs=1e-12)
    loadings = np.linalg.lstsq(x - x.mean(axis=0), plane, rcond=None)[0].T
    assert all(axis[np.abs(axis).argmax()] > 0 for axis in loadings)
    assert project(7 * X, "pca") == pytest.approx(plane)


def test_projections_of_few_narrow_or_equal_rows() -> None:
    assert project(X[:1], "auto").tolist() == [[0, 0]]
    assert not project(np.ones((50, 4)) * np.arange(1, 51)[:, None], "auto").any()
    narrow = project(X[:, :1], "pca")
    assert narrow[:, 0].any()
    assert not narrow[:, 1].any()
    assert np.array_equal(project(X[:9], "auto"), project(X[:9], "pca"))


def test_tsne_is_repeatable_and_keeps_classes_together() -> None:
    pytest.importorskip("sklearn", reason="t-SNE is scikit-learn's")
    points = project(X, "tsne", seed=3)
    assert np.array_equal(points, project(X, "auto", seed=3))
    distance = np.linalg.norm(points[:, None] - points[None], axis=2) + np.diag([np.inf] * 60)
    assert (LABELS[distance.argmin(axis=1)] == LABELS).mean() > 0.95


@pytest.mark.umap
@pytest.mark.xdist_group("umap")  # which compiles itself once a process
def test_umap_is_repeatable_quiet_and_keeps_classes_together(
    capfd: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("numba", reason="umap-learn is not installed")
    points = project(X, "umap", seed=3)  # warnings are errors here
    assert capfd.readouterr() == ("", "")
    assert np.array_equal(points, project(X, "umap", seed=3))
    assert not np.allclose(points, project(X, "umap", seed=4))
    distance = np.linalg.norm(points[:, None] - points[None], axis=2) + np.diag([np.inf] * 60)
    assert (LABELS[distance.argmin(axis=1)] == LABELS).mean() > 0.95
    assert not project(np.ones((50, 4)), "umap").any()
    assert project(X[:10], "umap").shape == (10, 2)
    with pytest.raises(ValueError, match="umap needs at least 10 rows, received 9"):
        project(X[:9], "umap")


def test_without_umap_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(ImportError, match=r"umap-learn: pip install 'dtgcnn\[umap\]'"):
        project(X, "umap")


def test_without_scikit_learn_auto_is_pca(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    assert np.array_equal(project(X, "auto"), project(X, "pca"))
    with pytest.raises(ImportError, match=r"scikit-learn: pip install 'dtgcnn\[plot\]'"):
        project(X, "tsne")


def test_seeds_that_are_refused() -> None:
    with pytest.raises(ValueError, match=r"seed must be from 0 to 4294967295, received 1\.5"):
        project(X, seed=1.5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="seed must be from 0 to 4294967295, received True"):
        stratified_sample(LABELS, 5, seed=True)


def test_sample_is_stratified() -> None:
    labels = np.repeat([5, 6, 7, 8], [900, 90, 9, 1])
    rows = stratified_sample(labels, 100)
    assert len(set(rows.tolist())) == 100
    assert (np.diff(rows) > 0).all()
    counts = [int((labels[rows] == label).sum()) for label in (5, 6, 7, 8)]
    assert counts == pytest.approx([90, 9, 1, 1], abs=2)
    assert min(counts) >= 1
    assert np.array_equal(rows, stratified_sample(labels, 100))
    assert not np.array_equal(rows, stratified_sample(labels, 100, seed=1))
    assert np.array_equal(stratified_sample(labels, 1000), np.arange(1000))
    assert sorted(labels[stratified_sample(labels, 4)]) == [5, 6, 7, 8]
    assert len(stratified_sample(labels, 2)) == 2
