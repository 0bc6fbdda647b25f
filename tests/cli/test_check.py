"""``dtgcnn check``: what it prints, and the code that it ends in."""

from __future__ import annotations

import csv
import json
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from dtgcnn.cli import main
from dtgcnn.data import sample_path

from ..data.test_doctor import rows_of, table


def run(*arguments: Any) -> Any:
    return CliRunner().invoke(main, ["check", *map(str, arguments)])


def test_the_command(tmp_path: Path) -> None:
    sound = run(sample_path(), "--json", tmp_path / "found.json")
    assert sound.exit_code == 0, sound.output
    assert "nothing was found" in sound.output
    assert json.loads((tmp_path / "found.json").read_text())["figures"]["items"] == 672
    rows = rows_of({"a": 9, "b": 9})
    rows += [{**row, "split": "test"} for row in rows]
    leaking = run(table(tmp_path / "leaks.csv", rows), "--places", 3)
    assert leaking.exit_code == 1
    assert "fault: leak: 18 rows outside of train" in leaking.output
    assert leaking.output.count(" and line ") == 3
    assert "    and 15 more" in leaking.output
    assert run(tmp_path / "absent.csv").exit_code == 2
    assert run(tmp_path / "leaks.csv", "--batch-size", 2).exit_code == 2


PLANTED = 20


def test_labels_that_look_wrong(tmp_path: Path) -> None:
    with sample_path().open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    true, rows[PLANTED]["label"] = rows[PLANTED]["label"], rows[600]["label"]
    rows.append({**rows[0], "text": f"{rows[0]['text']} Thanks", "split": "test"})
    rows.append({**rows[0], "text": f"{rows[0]['text']} Thank", "label": rows[600]["label"]})
    done = run(table(tmp_path / "s.csv", rows), "--labels", "--json", tmp_path / "found.json")
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "found.json").read_text())
    (planted,) = (row for row in found["labels"]["rows"] if row["row"] == PLANTED + 2)
    assert planted["text"] == rows[PLANTED]["text"]
    assert (planted["label"], planted["suggested"]) == (rows[600]["label"], true)
    assert planted["suspected"]
    assert f"line {PLANTED + 2}: {rows[600]['label']} → {true}" in done.output
    assert len(found["labels"]["rows"]) == 674
    assert found["near_duplicates"]["counts"]["leak"] >= 1
    assert ["line 2", "line 674"] in found["near_duplicates"]["pairs"]["leak"]
    assert "warning: near leak" in done.output
    assert "warning: near contradiction" in done.output
    assert f"line 2 ({rows[0]['label']}) and line 675 ({rows[600]['label']})" in done.output
    assert "near" not in run(tmp_path / "s.csv").output


def test_labels_of_vectors(tmp_path: Path) -> None:
    y = np.repeat([0, 1, 2], 20)
    x = np.eye(6)[y] + 0.1 * np.random.default_rng(0).standard_normal((60, 6))
    np.savez(tmp_path / "v.npz", x=x.astype(np.float32), y=np.where(np.arange(60) == 7, 2, y))
    done = run(tmp_path / "v.npz", "--labels", "--places", 1)
    assert done.exit_code == 0, done.output
    assert "1 of 60 are suspected" in done.output
    assert done.output.rstrip().endswith("row 7 (counting from 0): 2 → 0")
    refused = run(tmp_path / "v.npz", "--labels", "--encoder", "tfidf")
    assert refused.exit_code == 2
    assert "holds vectors" in refused.output


def test_pairs_that_are_not_kept_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    finder = import_module("dtgcnn.evaluation.near_duplicates")  # the function hides its file
    monkeypatch.setattr(finder, "MOST_PLACES", 7)
    y = np.repeat([0, 1], 20)
    x = 1.0 + 0.01 * np.random.default_rng(0).standard_normal((40, 6))  # each is near each
    np.savez(tmp_path / "v.npz", x=x, y=y)
    for places, more in ((2, 398), (30, 393)):
        done = run(tmp_path / "v.npz", "--labels", "--places", places)
        assert "near contradiction: 400 pairs" in done.output
        assert f"    and {more} more" in done.output


@pytest.mark.parametrize(
    ("content", "arguments", "message"),
    [
        ("text\na b\nc d\n", ["--labels"], "it holds rows without labels"),
        ("text,label\na b,x\nc d,y\n", ["--labels"], "two classes of two rows or more"),
        ("anchor,positive,negative\na,b,c\n", ["--labels"], "it holds triplets"),
        ("text,label\na b,x\n", ["--labels", "--encoder", "pieces"], "must give vectors"),
        ("text,label\na b,x\n", ["--labels", "--encoder", "what"], "encoder must be one of"),
        ("text,label\n", ["--labels"], "holds no records"),
    ],
)
def test_labels_that_cannot_be_checked(
    tmp_path: Path, content: str, arguments: list[str], message: str
) -> None:
    (tmp_path / "t.csv").write_text(content)
    done = run(tmp_path / "t.csv", *arguments)
    assert done.exit_code == 2, done.output
    assert message in done.output


def test_rows_without_a_label_are_not_suspected(tmp_path: Path) -> None:
    with sample_path().open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows[:100:2]:
        row["label"] = ""
    done = run(table(tmp_path / "s.csv", rows), "--labels", "--json", tmp_path / "found.json")
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "found.json").read_text())["labels"]
    assert sorted(row["row"] for row in found["rows"]) == sorted(
        place for place, row in enumerate(rows, 2) if row["label"]
    )


def test_only_suspected_labels_are_listed(tmp_path: Path) -> None:
    y = np.repeat([0, 1, 2], 20)
    x = np.eye(6)[y] + 0.1 * np.random.default_rng(0).standard_normal((60, 6))
    np.savez(tmp_path / "v.npz", x=x.astype(np.float32), y=y)
    done = run(tmp_path / "v.npz", "--labels", "--json", tmp_path / "found.json")
    assert done.output.rstrip().endswith("labels: 0 of 60 are suspected to be wrong")
    assert len(json.loads((tmp_path / "found.json").read_text())["labels"]["rows"]) == 60


def test_unlabelled_copies_of_measured_rows_are_no_leak(tmp_path: Path) -> None:
    rows = rows_of({"a": 9, "b": 9})
    copies = [{**rows[0], "split": "test"}, {**rows[9], "split": "test"}]
    rows[0] = {**rows[0], "label": ""}
    done = run(table(tmp_path / "s.csv", [*rows, copies[0]]))
    assert done.exit_code == 0, done.output
    assert "warning: unlabelled copies: 1 rows outside of train" in done.output
    assert "line 20 and line 2\n" in done.output
    both = [
        *rows,
        *copies,
        {**rows[0], "split": "train"},
        {**rows[1], "label": "", "split": "test"},
    ]
    done = run(table(tmp_path / "b.csv", both))
    assert done.exit_code == 1
    assert "fault: leak: 1 rows outside of train" in done.output
    assert "line 21 and line 11\n" in done.output
    assert "unlabelled copies: 2 rows" in done.output
