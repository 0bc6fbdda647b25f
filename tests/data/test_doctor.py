"""The data doctor: what it finds in data with planted faults, and that it finds nothing else."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from dtgcnn.data import TripletDataset, examine, load_sample, sample_path
from dtgcnn.data.batches import loader
from dtgcnn.data.doctor import Finding

from ..conftest import DATA, blobs

BANKING = DATA / "banking77.csv.gz"


def table(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def named(findings: list[Finding]) -> dict[str, Finding]:
    assert len({finding.rule for finding in findings}) == len(findings)
    return {finding.rule: finding for finding in findings}


def rows_of(texts: dict[str, int], split: str = "train") -> list[dict[str, str]]:
    return [
        {"split": split, "label": label, "text": f"{label} number {split} {i}"}
        for label, count in texts.items()
        for i in range(count)
    ]


def test_the_sample_is_sound() -> None:
    found = examine(sample_path())
    assert found.findings == []
    assert found.figures["items"] == len(load_sample()) == 672
    assert found.figures["classes"]["count"] == 14
    assert found.figures["template"] == "small"
    assert found.figures["batch"]["valid triplets"] > 1000


@pytest.mark.skipif(not BANKING.is_file(), reason="Banking77 is not here")
def test_every_planted_fault_is_found(tmp_path: Path) -> None:
    """50 rows of test that stand in train, 30 second labels, and a class of which 2 rows are left;
    beside what the data have by themselves."""
    with gzip.open(BANKING, "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    before = named(examine(table(tmp_path / "before.csv", rows)).findings)
    assert "small classes" not in before
    rng = np.random.default_rng(3)
    train = [i for i, row in enumerate(rows) if row["split"] == "train"]
    test = [i for i, row in enumerate(rows) if row["split"] == "test"]
    names = sorted({row["label"] for row in rows})
    trained = {rows[i]["text"].casefold() for i in train}
    planted: dict[str, set[int]] = {"leak": set(), "contradictory labels": set()}
    chosen, kept = names[5], list(rows)
    for i in [i for i in train if rows[i]["label"] == chosen][2:]:
        kept[i] = {**rows[i], "label": names[6]}
    for i in rng.choice(train, 50, replace=False):
        kept.append({**kept[i], "split": "test", "text": f" {kept[i]['text'].upper()}"})
        planted["leak"].add(len(kept) + 1)  # the header is line 1
    for i in rng.choice(test, 30, replace=False):
        other = names[(names.index(rows[i]["label"]) + 1) % len(names)]
        kept.append({**rows[i], "label": other})
        planted["contradictory labels"].add(len(kept) + 1)
        if rows[i]["text"].casefold() in trained:  # a leak of its own
            planted["leak"].add(len(kept) + 1)
    found = named(examine(table(tmp_path / "after.csv", kept)).findings)
    for rule, lines in planted.items():
        told = {
            int(word) for place in found[rule].places for word in place.split() if word.isdigit()
        }
        assert lines <= told, rule
        natural = len(before[rule].places) if rule in before else 0
        assert len(found[rule].places) == len(lines) + natural
        assert found[rule].level == "fault"
    assert f"{chosen} (2)" in found["small classes"].message
    assert len(found["small classes"].places) == 2


def test_classes_whose_names_are_alike_are_told(tmp_path: Path) -> None:
    rows = rows_of({"card_lost": 9, "Card lost": 5, "card-lost": 6, "c": 8, "c++": 8, "-2": 8})
    found = named(examine(table(tmp_path / "rows.csv", rows + rows_of({"2": 8}))).findings)
    pairs = "Card lost and card_lost; card-lost and card_lost"
    assert found["like names"].message.startswith("2 classes have a name that is another one's")
    assert found["like names"].message.endswith(f"or underscores: {pairs}")
    assert found["like names"].places == tuple(f"line {line}" for line in range(11, 22))


def test_long_names_of_classes_are_told_with_their_rows(tmp_path: Path) -> None:
    long = "balance_not_updated_after_cheque_or_cash_deposit"
    rows = rows_of({"a": 20, "b": 20, long: 3, 3 * long: 2})
    found = named(examine(table(tmp_path / "rows.csv", rows)).findings)
    assert found["small classes"].message.endswith(f"{long} (3), '{long[:26]}... (2)")


def test_each_rule_of_labelled_texts(tmp_path: Path) -> None:
    rows = rows_of({"a": 210, "b": 10, "c": 1}) + rows_of({"a": 3, "d": 2}, "test")
    rows += [{**rows[0]}, {**rows[1], "text": rows[1]["text"].upper(), "split": "test"}]
    rows += [{"split": "train", "label": "b", "text": "где моя посылка"}]
    rows += [{**rows[2], "label": "b"}]
    rows += [{"split": "train", "label": "b", "text": "12 + 30?"}]
    found = named(examine(table(tmp_path / "rows.csv", rows)).findings)
    assert found.keys() == {
        *("leak", "contradictory labels", "duplicates", "small classes", "uneven classes"),
        *("untrained classes", "other scripts", "single rows"),
    }
    assert found["leak"].places == ("line 229 and line 3",)
    assert found["contradictory labels"].places == ("line 4 (a) and line 231 (b)",)
    assert found["duplicates"].places == ("line 228",)
    assert "c (1)" in found["small classes"].message
    assert "211 times" in found["uneven classes"].message
    assert found["untrained classes"].message.endswith("no row to train on: d")
    assert found["other scripts"].places == ("line 230", "line 232")
    assert found["other scripts"].message.endswith("Latin: Cyrillic 1, no letters 1")


def test_each_rule_of_triplets(tmp_path: Path) -> None:
    triplets = [
        {"anchor": "a", "positive": "b", "negative": "x"},
        {"anchor": "A ", "positive": "b", "negative": "x"},
        {"anchor": "c", "positive": "d", "negative": "y"},
        {"anchor": "c", "positive": "y", "negative": "d"},
        {"anchor": "e", "positive": "E", "negative": "z"},
    ]
    path = tmp_path / "triplets.json"
    path.write_text(json.dumps({"triplets": triplets}))
    found = named(examine(path).findings)
    assert found.keys() == {
        *("contradictory triplets", "joined negatives", "duplicates", "equal positives"),
    }
    assert found["contradictory triplets"].places == (
        "record 2 (counting from 0) and record 3 (counting from 0)",
    )
    assert len(found["joined negatives"].places) == 2
    assert found["duplicates"].places == ("record 1 (counting from 0)",)
    assert found["equal positives"].places == ("record 4 (counting from 0)",)


def test_of_many_equal_rows_one_of_each_label_is_named(tmp_path: Path) -> None:
    rows = [{"text": "the same", "label": label} for label in 30 * "a" + 10 * "b"]
    rows += rows_of({"a": 5, "b": 5})
    rows = [{"text": row["text"], "label": row["label"]} for row in rows]
    found = named(examine(table(tmp_path / "rows.csv", rows)).findings)
    assert found["contradictory labels"].places == ("line 2 (a) and line 32 (b) and 38 more",)


def test_vectors(tmp_path: Path) -> None:
    x, y = blobs()
    x[7] = 0.0
    x[9] = x[8]
    x[30] = x[8]
    np.savez(tmp_path / "vectors.npz", x=x, y=y)
    found = named(examine(tmp_path / "vectors.npz").findings)
    assert found.keys() == {"zero vectors", "duplicates", "contradictory labels"}
    assert found["zero vectors"].places == ("row 7 (counting from 0)",)


@pytest.mark.parametrize("triplets", [False, True])
def test_a_column_beside_which_others_hardly_count(
    tmp_path: Path, triplets: bool, caplog: pytest.LogCaptureFixture
) -> None:
    x, y = blobs()

    def told() -> list[str]:
        if triplets:
            sides = x[::2], x[1::2], np.roll(x[::2], 20, axis=0)
            arrays = dict(zip(("anchor", "positive", "negative"), sides, strict=True))
            np.savez(tmp_path / "vectors.npz", **arrays)
        else:
            np.savez(tmp_path / "vectors.npz", x=x, y=y)
        found = examine(tmp_path / "vectors.npz").findings
        return [finding.message for finding in found if finding.rule == "uneven columns"]

    assert told() == []
    x[:, 3] += 20 * np.abs(x).max()
    (message,) = told()
    assert message.startswith("column 3 (counting from 0) holds ")
    TripletDataset(tmp_path / "vectors.npz").create_dataloaders(16)
    assert message in caplog.text
    x = x[:, 2:4]
    assert told() == []


@pytest.mark.parametrize("triplets", [False, True])
def test_batches_are_those_of_train(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, triplets: bool
) -> None:
    kinds = ("anchor", "positive", "negative") if triplets else ("text", "label")
    rows = [{k: f"a{i % 8}" if k == "label" else f"{k} {i}" for k in kinds} for i in range(200)]
    path = table(tmp_path / "a.csv", rows)
    for most, batches in ((10_000, 22 if triplets else 20), (10, 23 if triplets else 24)):
        monkeypatch.setattr(loader, "MOST_HELD_OUT", most)
        assert examine(path, batch_size=8).figures["batch"]["batches an epoch"] == batches


def test_data_that_cannot_be_trained_on(tmp_path: Path) -> None:
    found = examine(table(tmp_path / "one.csv", rows_of({"a": 9})))
    (fault,) = found.faults
    assert fault.rule == "not trainable"
    assert "one class only" in fault.message
    assert "template" not in found.figures
