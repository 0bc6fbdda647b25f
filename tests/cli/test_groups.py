"""``dtgcnn discover`` and ``dtgcnn next``: what they print, write and refuse."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from dtgcnn.cli import main

QUICK = ("--backend", "numpy", "--epochs", "2", "--batch-size", "24", "--k", "4", "--no-map")
SHAPE = ("--set", "input_dim=32", "--set", "hidden_dims=[16, 16]", "--set", "output_dim=16")
TEXTS = ("the cat sat on a mat", "a dog ran to me", "one fish swam away", "blue cars drove past us")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of four classes of texts, one of triplets, and files for them."""
    folder = tmp_path_factory.mktemp("groups")
    rows = [f"{text} {i},{text.split()[1]}" for text in TEXTS for i in range(12)]
    (folder / "train.csv").write_text("\n".join(["text,label", *rows]), "utf-8")
    corpus = [f"{text} {i}" for text in TEXTS for i in range(15)]
    (folder / "corpus.txt").write_text("\n".join([*corpus, "ｗｗ"]), "utf-8")
    pool = [f"{text} number {i}" for text in TEXTS for i in range(15)]
    (folder / "pool.txt").write_text("\n".join(pool), "utf-8")
    triplets = [f"{TEXTS[0]} {i},{TEXTS[0]} {i + 1},{TEXTS[1]} {i}" for i in range(24)]
    (folder / "t.csv").write_text("\n".join(["anchor,positive,negative", *triplets]), "utf-8")
    for source, name in (("train.csv", "m"), ("t.csv", "triplets")):
        done = run("train", folder / source, "--output", folder / name, *QUICK, *SHAPE)
        assert done.exit_code == 0, done.output
    np.savez(folder / "narrow.npz", x=np.eye(7, dtype=np.float32))
    (folder / "empty.txt").write_text("")
    (folder / "blank.txt").write_text("\n  \n")
    (folder / "unknown.txt").write_text("ｗｗ\nｗｗｗ\n", "utf-8")
    return folder


def test_groups_are_printed_and_written(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    from pyarrow import parquet

    table, found = tmp_path / "g.csv", tmp_path / "g.json"
    arguments = ("discover", folder / "m", folder / "corpus.txt", "--groups", 4, "--output")
    done = run(*arguments, table, "--json", found)
    assert done.exit_code == 0, done.output
    groups = json.loads(found.read_text())["groups"]
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["row", "text", "group", "known", "cosine"]
    assert len(rows) == 61
    for group in groups:
        assert [rows[row]["group"] for row in group["rows"]] == [group["name"]] * group["size"]
        cosines = [float(rows[row]["cosine"]) for row in group["rows"]]
        assert cosines == sorted(cosines, reverse=True)
        share = f"{group['size']:5,}  {group['size'] / 61:6.1%}  {group['name']}\n"
        shown = "".join(f"{'':15}{rows[row]['text']}\n" for row in group["rows"][:3])
        assert share + shown in done.output
    assert rows[60]["group"] == ""
    assert "1 rows are in no group" in done.output
    assert {rows[15 * i]["group"] for i in range(4)} == {"cat", "dog", "fish", "cars"}
    whole = run(*arguments, tmp_path / "g.parquet")
    assert whole.exit_code == 0, whole.output
    assert parquet.read_table(tmp_path / "g.parquet").column("group")[60].as_py() is None
    assert run(*arguments, table).exit_code == 2
    assert run(*arguments, table, "--overwrite").exit_code == 0


def test_rows_to_label_are_printed_and_written(folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "n.jsonl"
    arguments = ("next", folder / "m", folder / "pool.txt", "--count", 4, "--output", table)
    done = run(*arguments)
    assert done.exit_code == 0, done.output
    rows = [json.loads(line) for line in table.read_text(encoding="utf-8").splitlines()]
    texts = (folder / "pool.txt").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 4
    for row in rows:
        assert row["text"] == texts[row["row"]]
        assert row["text"] in done.output
        assert row["first"] != row["second"]
    assert [row["share"] for row in rows] == sorted((r["share"] for r in rows), reverse=True)
    assert run(*arguments).exit_code == 2


def test_rows_of_a_file_that_have_a_label_are_not_chosen(folder: Path, tmp_path: Path) -> None:
    pool = (folder / "pool.txt").read_text(encoding="utf-8").splitlines()
    rows = [f"{text},{'cat' if place % 3 else ''}" for place, text in enumerate(pool)]
    (tmp_path / "part.csv").write_text("\n".join(["text,label", *rows]), "utf-8")
    table = tmp_path / "n.csv"
    done = run("next", folder / "m", tmp_path / "part.csv", "--count", 3, "--output", table)
    assert done.exit_code == 0, done.output
    with table.open(newline="", encoding="utf-8") as file:
        chosen = list(csv.DictReader(file))
    assert len(chosen) == 3
    for row in chosen:
        assert int(row["row"]) % 3 == 0
        assert row["text"] == pool[int(row["row"])]


@pytest.mark.parametrize(
    ("command", "model", "file", "options", "message"),
    [
        (
            "discover",
            "m",
            "narrow.npz",
            [],
            "narrow.npz: its vectors must have the 32 columns",
        ),
        ("next", "m", "narrow.npz", [], "narrow.npz: its vectors must have the 32 columns"),
        ("discover", "m", "empty.txt", [], "empty.txt"),
        ("next", "m", "empty.txt", [], "empty.txt"),
        ("discover", "m", "blank.txt", [], "blank.txt: holds no records"),
        ("discover", "m", "unknown.txt", [], "unknown.txt: must have 5 distinct rows or more"),
        ("next", "m", "unknown.txt", [], "unknown.txt: must hold a row that is not zero"),
        ("discover", "m", "t.csv", [], "holds triplets"),
        ("next", "m", "t.csv", [], "holds triplets"),
        ("next", "m", "train.csv", [], "every row has a label"),
        ("next", "triplets", "corpus.txt", [], "the model knows no classes"),
        ("next", "m", "pool.txt", ["--count", "500"], "count must be at most"),
        ("discover", "m", "corpus.txt", ["--groups", "500"], "groups must be between 2 and the"),
        ("discover", "m", "corpus.txt", ["--output", "g.docx"], "g.docx"),
        ("next", "m", "corpus.txt", ["--output", "g.docx"], "g.docx"),
        ("discover", "absent", "corpus.txt", [], "absent"),
    ],
)
def test_what_is_refused(
    folder: Path, command: str, model: str, file: str, options: list[str], message: str
) -> None:
    done = run(command, folder / model, folder / file, *options)
    assert done.exit_code == 2, done.output
    assert message in done.output
    assert done.output.count("\n") <= 2
    assert done.output.count("Error") == 1


def test_a_model_of_triplets_finds_new_groups(folder: Path) -> None:
    done = run("discover", folder / "triplets", folder / "corpus.txt", "--groups", 2)
    assert done.exit_code == 0, done.output
    assert "2 groups, 2 of them new" in done.output
