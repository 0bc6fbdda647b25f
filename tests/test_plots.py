"""Embedding maps: the files, the projections, the sample and the errors."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtgcnn.plots import plot_embedding_map
from dtgcnn.evaluation.projection import project, stratified_sample

RNG = np.random.default_rng(0)
LABELS = np.arange(60) % 3
X = RNG.standard_normal((3, 8))[LABELS] + 0.2 * RNG.standard_normal((60, 8))
SIGNATURES = {".png": b"\x89PNG\r\n\x1a\n", ".svg": b"<?xml"}


@pytest.fixture
def matplotlib() -> Any:
    return pytest.importorskip("matplotlib", reason="maps are drawn with matplotlib")


@pytest.mark.usefixtures("matplotlib")
@pytest.mark.parametrize("suffix", [".png", ".svg", ".PNG"])
def test_writes_a_complete_file_and_nothing_else(suffix: str, tmp_path: Path) -> None:
    target = tmp_path / "maps" / f"map{suffix}"
    panels = {"Input vectors": X, "Trained embedding": X[:, :3]}
    written = plot_embedding_map(panels, LABELS, target, method="pca", title="A $ title $_")
    assert written == target
    assert target.read_bytes().startswith(SIGNATURES[suffix.lower()])
    assert target.stat().st_size > 10_000
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.usefixtures("matplotlib")
def test_svg_holds_one_point_a_row_and_leaves_pyplot_alone(tmp_path: Path) -> None:
    pyplot = sys.modules.get("matplotlib.pyplot")
    for max_points, points in ((2000, 60), (30, 30)):
        file = plot_embedding_map(
            {"a": X}, LABELS, tmp_path / "map.svg", method="pca", max_points=max_points
        )
        groups = file.read_text().split('id="PathCollection_')[1:]
        assert len(groups) == 3
        assert sum(group.split("</g>\n   </g>")[0].count("<use ") for group in groups) >= points
    assert sys.modules.get("matplotlib.pyplot") is pyplot


@pytest.mark.usefixtures("matplotlib")
@pytest.mark.parametrize("n_classes", [1, 2, 15, 77, 160])
def test_any_number_of_classes_with_awkward_names(n_classes: int, tmp_path: Path) -> None:
    labels = np.arange(200) % n_classes
    names = ["_hidden", "$x", "$a$b$", "a long name " * 9, *map(str, range(4, n_classes))]
    x = RNG.standard_normal((200, 4))
    plot_embedding_map(
        {"only": x}, labels, tmp_path / "map.png", label_names=names[:n_classes], method="pca"
    )
    strings = np.array(names[:n_classes])[labels]
    plot_embedding_map({"only": x}, strings, tmp_path / "map.svg", method="pca")


def test_a_failed_write_leaves_the_old_file(
    matplotlib: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "map.png"
    target.write_text("old")

    def fail(_: object, file: Path, **options: object) -> None:
        file.write_text("half")
        raise OSError("disk full")

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", fail)
    with pytest.raises(OSError, match="disk full"):
        plot_embedding_map({"a": X}, LABELS, target, method="pca")
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


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


def test_without_matplotlib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"plots need matplotlib: pip install 'dtgcnn\[plot\]'"):
        plot_embedding_map({"a": X}, LABELS, tmp_path / "map.png")


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


@pytest.mark.usefixtures("matplotlib")
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"path": "map.pdf"}, r"path must end in \.png or \.svg, received 'map\.pdf'"),
        ({"method": "isomap"}, r"method must be one of .*'tsne', 'umap'.*, received 'isomap'"),
        ({"max_points": 0}, "max_points must be at least 1, received 0"),
        ({"panels": {}}, "panels must have one row a label"),
        ({"panels": {"a": X, "b": X[:9]}}, r"'b': \(9, 8\)} for \(60,\)"),
        ({"panels": {"a": LABELS}}, r"vectors must be a non-empty \(N, D\) array"),
        ({"panels": {"a": X * np.nan}}, "vectors must be finite, row 0 is not"),
        ({"labels": LABELS[:, None]}, "panels must have one row a label"),
        ({"label_names": ["a", "b"]}, "labels must index the 2 label_names, received 0 to 2"),
        ({"max_points": 5, "method": "tsne"}, "tsne needs at least 10 rows, received 5"),
    ],
)
def test_bad_arguments(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    arguments = {"panels": {"a": X}, "labels": LABELS, "path": "map.png", "method": "pca"}
    arguments |= changes
    arguments["path"] = tmp_path / str(arguments["path"])
    with pytest.raises(ValueError, match=message):
        plot_embedding_map(**arguments)
    assert not list(tmp_path.iterdir())
