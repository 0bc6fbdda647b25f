"""Embedding maps: the files and the errors."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest

from dtgcnn.plots import plot_embedding_map

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
def test_of_many_rows_a_thousand_are_drawn(tmp_path: Path) -> None:
    x, labels = RNG.standard_normal((1200, 4)), np.arange(1200) % 3
    given: list[dict[str, Any]] = [{}, {"max_points": 1000}, {"max_points": 1100}]
    drawn = [
        plot_embedding_map({"a": x}, labels, tmp_path / f"{i}.png", method="pca", **most)
        for i, most in enumerate(given)
    ]
    default, thousand, more = (file.read_bytes() for file in drawn)
    assert default == thousand
    assert default != more


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

    def fail(_: object, file: BinaryIO, **options: object) -> None:
        file.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", fail)
    with pytest.raises(OSError, match="disk full"):
        plot_embedding_map({"a": X}, LABELS, target, method="pca")
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_without_matplotlib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"plots need matplotlib: pip install 'dtgcnn\[plot\]'"):
        plot_embedding_map({"a": X}, LABELS, tmp_path / "map.png")


@pytest.mark.usefixtures("matplotlib")
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"path": "map.pdf"}, r"path must end in \.png or \.svg, received 'map\.pdf'"),
        ({"method": "isomap"}, "method must be one of auto, pca, tsne, umap, received 'isomap'"),
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
