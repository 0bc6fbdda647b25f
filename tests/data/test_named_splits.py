"""Splits by the names that public data give them, and what no batch draws."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from dtgcnn import DTGCNN, Trainer, TripletDataset
from dtgcnn.cli import main
from dtgcnn.data import examine
from dtgcnn.evaluation import compare

from ..conftest import SETTINGS, blobs, sentences

QUICK = ("--backend", "numpy", "--no-map", "--epochs", "2")


def table(path: Path, names: list[str]) -> Path:
    rows = [
        f"{text},{label},{names[i % len(names)]}"
        for i, (text, label) in enumerate(zip(*sentences(), strict=True))
    ]
    path.write_text("\n".join(["text,label,split", *rows]) + "\n")
    return path


def run(*arguments: object) -> Result:
    done = CliRunner().invoke(main, [*map(str, arguments)])
    return done


@pytest.mark.parametrize("name", ["validation", "valid", "val", "dev", "Validation_1"])
def test_rows_to_validate_on_are_those_that_the_data_name(name: str) -> None:
    x, y = blobs()
    splits = np.where(np.arange(len(y)) % 4 == 1, name, "train").tolist()
    data = TripletDataset.from_arrays(x, y, splits)
    train, held_out = data.create_dataloaders(16, 0.5)
    assert held_out.items.tolist() == np.flatnonzero(np.array(splits) == name).tolist()
    assert train.items.tolist() == np.flatnonzero(np.array(splits) == "train").tolist()
    whole, nothing = data.create_dataloaders(16, 1.0)
    assert whole.items.tolist() == train.items.tolist()
    assert not len(nothing.items)


def test_rows_equal_to_one_of_train_do_not_validate(caplog: pytest.LogCaptureFixture) -> None:
    texts, labels = sentences()
    splits = ["val" if i % 3 == 0 else "train" for i in range(len(texts))]
    texts[3], labels[5] = texts[4].upper(), ""
    splits[5] = "val"
    data = TripletDataset.from_labelled(texts, labels, splits)
    _, held_out = data.create_dataloaders(16)
    assert set(range(0, len(texts), 3)) - {3} == set(held_out.items.tolist())
    assert "1 of 28 validation rows share a text or a group with a row of train" in caplog.text
    groups = ["one" if i in (0, 1) else str(i) for i in range(len(texts))]
    _, held_out = TripletDataset.from_labelled(texts, labels, splits, groups).create_dataloaders(16)
    assert set(range(6, len(texts), 3)) == set(held_out.items.tolist())


def test_commands_keep_them_apart(tmp_path: Path) -> None:
    file, model = table(tmp_path / "t.csv", ["train", "train", "train", "valid"]), tmp_path / "m"
    done = run("train", file, "--output", model, *QUICK)
    assert done.exit_code == 0, done.output
    assert "21 held-out rows, looked up among 63 training rows" in done.output
    assert "anew on all" not in done.output
    loaded = DTGCNN.load(model, backend="numpy")
    data = TripletDataset(file)
    places = np.array(loaded.bank_rows_of(loaded.vectors(data.inputs)))
    assert (places[data.validation_items()] < 0).all()
    done = run("evaluate", model, file, "--backend", "numpy")
    assert "21 validation rows, looked up among 63 train rows" in done.output
    assert "rows of the model's own bank" not in done.output
    refused = run("train", file, "--output", tmp_path / "n", "--train-split", 0.5, *QUICK)
    assert refused.exit_code == 2
    assert "--train-split does not go with" in refused.output


def test_rows_of_the_bank_are_told_where_they_are_measured(tmp_path: Path) -> None:
    file, model = table(tmp_path / "t.csv", ["train", "test"]), tmp_path / "m"
    assert run("train", file, "--output", model, *QUICK).exit_code == 0
    assert "own bank" not in run("evaluate", model, file, "--backend", "numpy").output
    plain = tmp_path / "plain.csv"
    plain.write_text(
        "".join(line.rpartition(",")[0] + "\n" for line in file.read_text().splitlines())
    )
    done = run("evaluate", model, plain, "--backend", "numpy")
    told = "warning: 42 of the 84 rows are rows of the model's own bank"
    assert told in done.output[: done.output.index("metric  ")]  # before the figures


def test_measured_rows_of_triplets_and_arrays_count(trained: DTGCNN) -> None:
    x, y = blobs()
    found = compare(trained, TripletDataset.from_arrays(x, y), rivals=False)
    assert found is not None
    assert found.known == len(trained.trained_bank())
    assert found.to_dict()["rows_of_the_bank"] == found.known


def test_splits_of_other_names_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = table(tmp_path / "t.csv", ["train", "train", "oos_test", "extra"])
    TripletDataset(file).create_dataloaders(16)
    message = "42 rows are neither trained on nor measured, those of the splits extra, oos_test"
    assert message in caplog.text
    (found,) = [f for f in examine(file).findings if f.rule == "unused splits"]
    assert found.message == message


def test_classes_of_one_row_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    texts, labels = sentences()
    labels[3], labels[40] = "alone", "lonely"
    data = TripletDataset.from_labelled(texts, labels)
    train, _ = data.create_dataloaders(16, 0.8)
    message = "2 classes have one row to train on, which no batch draws: alone, lonely"
    assert message in caplog.text
    drawn = np.concatenate([batch.items for epoch in range(3) for batch in train.batches(epoch)])
    assert not {3, 40} & set(drawn.tolist())
    file = tmp_path / "t.csv"
    rows = zip(texts, labels, strict=True)
    file.write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in rows))
    caplog.clear()
    found = {finding.rule: finding for finding in examine(file).findings}
    assert found["single rows"].message == message
    assert not caplog.text


def test_that_nothing_can_be_held_out_is_told_before_training(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    labels = [f"class {i // 2}" for i in range(60)]
    data = TripletDataset.from_labelled([f"text number {i}" for i in range(60)], labels)
    with caplog.at_level(logging.WARNING, "dtgcnn"):
        _, held_out = data.create_dataloaders(16, 0.8)
    assert not len(held_out.items)
    assert "no row can be held out" in caplog.text
    caplog.clear()
    data.create_dataloaders(16, 1.0)
    assert not caplog.text
    file = tmp_path / "t.csv"
    file.write_text("text,label\n" + "".join(f"number {i},c{i // 2}\n" for i in range(60)))
    assert "nothing held out" in {finding.rule for finding in examine(file).findings}


def test_without_names_nothing_changes() -> None:
    x, y = blobs()
    data = TripletDataset.from_arrays(x, y, ["train", "test"] * (len(y) // 2))
    train, held_out = data.create_dataloaders(16, 0.8)
    assert set(train.items) | set(held_out.items) == set(data.split_items("train"))
    assert len(held_out.items) > 0
    model = DTGCNN(backend="numpy", **SETTINGS)
    Trainer(model, train_loader=train, val_loader=held_out, progress=False).train()
    found = compare(model, data, train, held_out, rivals=False)
    assert found is not None
    assert "40 test rows" in found.protocol
