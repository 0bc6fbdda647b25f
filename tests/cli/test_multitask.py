"""Commands that take a model of several tasks, which answer as of any other."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from dtgcnn import DTGCNN, MultiTaskDTGCNN, TripletDataset
from dtgcnn.cli import main
from dtgcnn.evaluation import SearchIndex, discover, next_rows

from ..conftest import SETTINGS, blobs
from ..model.test_multitask import make, train

pytest.importorskip("sklearn")


def run(*arguments: object) -> Result:
    done = CliRunner().invoke(main, [*map(str, arguments), "--backend", "numpy"])
    assert done.exit_code == 0, done.output
    return done


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved model of two tasks, and files of vectors."""
    folder = tmp_path_factory.mktemp("tasks")
    x, labels = blobs()
    dataset = TripletDataset.from_arrays(x, labels)
    dataset.set_targets(labels.astype(float))
    model = make(config=DTGCNN(**SETTINGS).config)
    train(model, dataset)
    model.save(folder / "m")
    np.savez(folder / "other.npz", x=(x[:30] + 1.0).astype(np.float32))
    np.savez(folder / "bird.npz", x=(x[:9] - 9.0).astype(np.float32), y=np.array(["bird"] * 9))
    np.savez(folder / "train.npz", x=x, y=labels)
    np.save(folder / "q.npy", (x[3:4] + 1.0).astype(np.float32))
    return folder


def test_its_index_is_one_of_its_class_and_is_searched(folder: Path, tmp_path: Path) -> None:
    run("index", folder / "m", folder / "other.npz", "--output", tmp_path / "i")
    model = DTGCNN.load(folder / "m", backend="numpy")
    indexed = DTGCNN.load(tmp_path / "i", backend="numpy")
    assert isinstance(model, MultiTaskDTGCNN)
    assert isinstance(indexed, MultiTaskDTGCNN)
    rows = TripletDataset.of_rows(folder / "other.npz")
    assert rows.features is not None
    assert indexed(rows.features, "classification").shape == (30, 4)
    shown = run("search", tmp_path / "i", folder / "q.npy", "--json", "--top", 2).output
    (expected,) = SearchIndex.build(model, rows).search(rows.features[3:4], 2)
    assert [hit["row"] for hit in json.loads(shown)[0]["hits"]] == [hit.row for hit in expected]


def test_rows_join_and_leave_it_and_its_heads_stay(folder: Path, tmp_path: Path) -> None:
    run("add", folder / "m", folder / "bird.npz", "--output", tmp_path / "more")
    more = DTGCNN.load(tmp_path / "more", backend="numpy")
    assert isinstance(more, MultiTaskDTGCNN)
    assert more.untrained_classes == ["bird"]
    assert more.predict(blobs()[0][:9] - 9.0) == ["bird"] * 9
    assert more(blobs()[0], "classification").shape == (80, 4)
    run("remove", tmp_path / "more", "--class", "bird", "--output", tmp_path / "less")
    less = DTGCNN.load(tmp_path / "less", backend="numpy")
    assert less.classes_ == ["0", "1", "2", "3"]


def test_its_groups_and_rows_to_label(folder: Path, tmp_path: Path) -> None:
    model, rows = DTGCNN.load(folder / "m", backend="numpy"), blobs()[0][:30] + 1.0
    run("discover", folder / "m", folder / "other.npz", "--groups", 3, "--json", tmp_path / "g")
    found = json.loads((tmp_path / "g").read_text())["assigned"]
    assert found == discover(model, rows, 3).assigned.tolist()
    chosen = tmp_path / "n.csv"
    run("next", folder / "m", folder / "other.npz", "--count", 2, "--output", chosen)
    with chosen.open(newline="", encoding="utf-8") as file:
        listed = [int(row["row"]) for row in csv.DictReader(file)]
    assert listed == [one.row for one in next_rows(model, rows, 2)]


def test_training_goes_on_from_it_in_python_alone(folder: Path, tmp_path: Path) -> None:
    arguments = ["train", folder / "train.npz", "--init", folder / "m", "--output", tmp_path / "o"]
    done = CliRunner().invoke(main, list(map(str, arguments)))
    assert done.exit_code == 2
    assert "must hold a DTGCNN, it holds a MultiTaskDTGCNN" in done.output
    assert "Trainer" in done.output
    assert not (tmp_path / "o").exists()
    model = MultiTaskDTGCNN.load(folder / "m", backend="numpy")
    x, labels = blobs()
    dataset = TripletDataset.from_arrays(x, labels)
    dataset.set_targets(labels.astype(float))
    assert train(model, dataset).best_epoch is not None
