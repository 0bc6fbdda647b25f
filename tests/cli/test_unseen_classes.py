"""``dtgcnn train`` holds some of many classes out, until all rows are trained on."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from dtgcnn import DTGCNN
from dtgcnn.cli import main
from dtgcnn.data.batches import loader

from ..conftest import blobs

X, LABELS = blobs(classes=30, per_class=12)
TRAIN = np.arange(len(X)) % 12 < 9
QUICK = ["--backend", "numpy", "--no-map", "--epochs", "2", "--k", "4"]
QUICK += ["--set", "hidden_dims=[16]", "--set", "output_dim=8"]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Vectors of thirty classes, nine rows of each to train on and three to test."""
    train, test = TRAIN, ~TRAIN
    np.savez(
        tmp_path / "a.npz",
        train_x=X[train],
        train_y=LABELS[train],
        test_x=X[test],
        test_y=LABELS[test],
    )
    return tmp_path / "a.npz"


def test_unseen_classes_are_told_of_and_trained_on_in_the_end(file: Path, tmp_path: Path) -> None:
    done = run("train", file, "--output", tmp_path / "m", *QUICK)
    assert done.exit_code == 0, done.output
    assert "3 of its classes are held out until all rows are trained on" in done.output
    assert re.search(r"val_unseen_map@r \d\.\d+  val_unseen_recall@1 \d\.\d+", done.output)
    figures = json.loads((tmp_path / "m" / "metrics.json").read_text())
    for metrics in (figures["start"], *figures["history"]):
        assert {"val_map@r", "val_unseen_map@r", "val_unseen_recall@1"} <= set(metrics)
    model = DTGCNN.load(tmp_path / "m", backend="numpy")
    assert model.bank is not None
    assert model.bank.labels is not None
    assert np.bincount(model.bank.labels).tolist() == [9] * 30
    assert "270 train rows" in done.output


@pytest.mark.parametrize(
    ("most", "single", "classes", "rows"), [(10_000, 0, 4, 72), (18, 0, 3, 18), (18, 30, 3, 18)]
)
def test_of_many_rows_no_more_are_held_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int, single: int, classes: int, rows: int
) -> None:
    monkeypatch.setattr(loader, "MOST_HELD_OUT", most)
    x, labels = blobs(classes=40, per_class=12)
    train = np.arange(len(x)) % 12 < 9
    x = np.concatenate([x, x[:single] + 1])  # of classes of one row
    labels = np.concatenate([labels, np.arange(single) + 40])
    train = np.concatenate([train, np.ones(single, bool)])
    np.savez(tmp_path / "a.npz", x=x, y=labels, split=np.where(train, "train", "test"))
    done = run("train", tmp_path / "a.npz", "--output", tmp_path / "m", *QUICK)
    assert done.exit_code == 0, done.output
    assert f"{classes} of its classes are held out until" in done.output
    data = json.loads((tmp_path / "m" / "metrics.json").read_text())["data"]
    held = data["rows held out to choose the epoch"]
    assert rows < held <= rows + 9 * classes
    assert held + data["rows"] == 360 + single
    assert f"{360 + single} train rows" in done.output


@pytest.mark.parametrize("kind", ["own table", "validation", "whole", "few", "unlabelled"])
def test_no_class_is_held_out_where_it_would_be_missed(
    file: Path, tmp_path: Path, kind: str
) -> None:
    """Where the model that chooses the epoch is measured or kept, or labels are spread, or where
    classes are few."""
    with np.load(file) as held:
        arrays = dict(held)
    more = ["--train-split", "1"] if kind == "whole" else []
    if kind == "own table":
        arrays = {"x": arrays["train_x"], "y": arrays["train_y"]}
    elif kind == "validation":
        arrays |= {"val_x": arrays["test_x"] + 0.1, "val_y": arrays["test_y"]}
    elif kind == "few":
        arrays = {name: array[arrays[f"{name[:-2]}_y"] < 25] for name, array in arrays.items()}
    elif kind == "unlabelled":
        np.save(tmp_path / "more.npy", X[TRAIN] + 0.1)
        more = ["--unlabelled", str(tmp_path / "more.npy")]
    np.savez(tmp_path / "b.npz", **arrays)
    done = run("train", tmp_path / "b.npz", "--output", tmp_path / "m", *QUICK, *more)
    assert done.exit_code == 0, done.output
    assert "held out until" not in done.output
    assert "unseen" not in (tmp_path / "m" / "metrics.json").read_text()


def test_an_interrupt_tells_which_classes_are_missing(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("dtgcnn.cli.train.train_on_all", interrupt)
        cut = run("train", file, "--output", tmp_path / "m", *QUICK)
    assert cut.exit_code == 130
    assert re.search(r"of epoch \d, which has not seen 3 of the classes; --resume", cut.output)
    done = run("train", file, "--output", tmp_path / "m", *QUICK, "--resume")
    assert done.exit_code == 0, done.output
    with monkeypatch.context() as patch:
        patch.setattr("dtgcnn.cli.outcome.compare", interrupt)
        whole = run("train", file, "--output", tmp_path / "w", *QUICK)
    assert whole.exit_code == 130
    assert "has not seen" not in whole.output
