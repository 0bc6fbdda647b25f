"""``dtgcnn plot``: every kind, from a trained folder to a picture; wrong input ends with code 2."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from dtgcnn import DTGCNN, TripletDataset
from dtgcnn.cli import main

from ..conftest import blobs

pytest.importorskip("matplotlib", reason="pictures are drawn with matplotlib")


def plot(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["plot", *map(str, arguments)])


@pytest.fixture
def saved(trained: DTGCNN, tmp_path: Path) -> tuple[Path, Path]:
    """A model folder and a file of its data, half of it the split "test"."""
    x, y = blobs()
    file = tmp_path / "data.npz"
    np.savez(file, train_x=x[::2], train_y=y[::2], test_x=x[1::2], test_y=y[1::2])
    dataset = TripletDataset(file)
    assert dataset.labels is not None
    trained.build_bank(trained.vectors(x[::2]), y[::2].tolist())
    return trained.save(tmp_path / "model"), file


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("embeddings", r"40 of 40 test rows, PCA"),
        ("degrees", r"80 rows, 320 links to 40 rows of the bank"),
        (
            "purity",
            r"mean of 4 classes: graph [01]\.\d{3}, embedding [01]\.\d{3} \(40 test rows\)",
        ),
    ],
)
def test_every_kind(kind: str, said: str, saved: tuple[Path, Path], tmp_path: Path) -> None:
    output = tmp_path / "picture.svg"
    more = ["--method", "pca"] if kind == "embeddings" else []
    done = plot(*saved, "--output", output, "--kind", kind, "--backend", "numpy", *more)
    assert done.exit_code == 0, done.output
    assert re.search(said, done.output), done.output
    assert done.output.splitlines()[-1] == str(output)
    written = output.read_text()
    assert written.startswith("<?xml")
    assert re.search(said, written)
    kept = output.read_bytes()
    again = plot(*saved, "--output", output, "--kind", kind, *more)
    assert again.exit_code == 2
    assert "exists; --overwrite replaces it" in again.output
    assert output.read_bytes() == kept
    assert plot(*saved, "--output", output, "--kind", kind, *more, "--overwrite").exit_code == 0


def test_max_points_and_the_default_output(
    saved: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    done = plot(*saved, "--max-points", 12, "--method", "pca")
    assert done.exit_code == 0, done.output
    assert "12 of 40 test rows" in done.output
    assert [path.name for path in Path().iterdir()] == ["embeddings.png"]
    assert Path("embeddings.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.umap
@pytest.mark.xdist_group("umap")  # which compiles itself once a process
def test_umap(saved: tuple[Path, Path], tmp_path: Path) -> None:
    pytest.importorskip("numba", reason="umap-learn is not installed")
    done = plot(*saved, "--method", "umap", "--output", tmp_path / "u.png")
    assert (done.exit_code, done.output) == (0, f"40 of 40 test rows, UMAP\n{tmp_path / 'u.png'}\n")


def test_without_umap_learn(
    saved: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "umap", None)
    done = plot(*saved, "--method", "umap", "--output", tmp_path / "u.png")
    assert done.exit_code == 2
    assert "pip install 'dtgcnn[umap]'" in done.output
    assert not (tmp_path / "u.png").exists()


def test_rows_without_any_label(saved: tuple[Path, Path], tmp_path: Path) -> None:
    x, y = blobs()
    file = tmp_path / "unknown.npz"
    np.savez(file, x=x, y=np.full_like(y, -1))
    for kind, code in (("embeddings", 0), ("degrees", 0), ("purity", 2)):
        done = plot(saved[0], file, "--kind", kind, "--output", tmp_path / f"{kind}.png")
        assert done.exit_code == code, done.output
    assert "holds no label" in done.output


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--output", "a.pdf"], "--output must end in .png or .svg, received a.pdf"),
        (["--output", "nowhere/a.png"], "--output nowhere/a.png: the folder"),
        (["--output", "folder.png"], "--output folder.png must be a file, it is a folder"),
        (["--method", "isomap"], "'--method': 'isomap' is not one of"),
        (["--kind", "map"], "'--kind': 'map' is not one of"),
        (["--max-points", "0"], "'--max-points'"),
        (["--kind", "purity", "--method", "pca"], "--method goes with --kind embeddings"),
        (["--kind", "degrees", "--max-points", "5"], "--max-points goes with --kind embeddings"),
    ],
)
def test_arguments_are_checked_before_any_work(
    more: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "folder.png").mkdir()
    monkeypatch.chdir(tmp_path)

    def work(*_: Any, **__: Any) -> None:
        raise AssertionError("work was done")

    monkeypatch.setattr("dtgcnn.cli.plot.dataset_of", work)
    done = plot("model", "data.npz", *more)
    assert done.exit_code == 2, done.output
    assert message in done.output
    assert done.output.count("Error: ") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["folder.png"]


def test_data_that_do_not_fit_are_refused(saved: tuple[Path, Path], tmp_path: Path) -> None:
    model, file = saved
    np.savez(tmp_path / "narrow.npz", x=blobs()[0][:, :5], y=blobs()[1])
    np.savez(tmp_path / "other.npz", x=blobs()[0] + 1, y=blobs()[1])
    np.savez(tmp_path / "bare.npz", x=blobs()[0])
    for arguments, message in [
        ((tmp_path / "no", file), "no model here"),
        ((model, tmp_path / "no.csv"), "no such file"),
        ((model, tmp_path / "narrow.npz"), "input_dim = 12"),
        ((model, tmp_path / "other.npz", "--kind", "purity"), "that the model was trained on"),
        ((model, tmp_path / "bare.npz", "--kind", "purity"), "purity needs labels"),
    ]:
        done = plot(*arguments, "--output", tmp_path / "a.png")
        assert done.exit_code == 2, done.output
        assert message in done.output
        assert not (tmp_path / "a.png").exists()


def test_help_shows_examples() -> None:
    done = plot("--help")
    assert done.exit_code == 0
    assert "dtgcnn plot model tickets.csv --kind purity" in done.output
