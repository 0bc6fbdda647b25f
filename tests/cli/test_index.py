"""``dtgcnn index``, ``search``, ``add`` and ``remove``."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from dtgcnn import DTGCNN
from dtgcnn.cli import main

QUICK = ("--backend", "numpy", "--epochs", "2", "--batch-size", "24", "--k", "4", "--no-map")
SHAPE = ("--set", "input_dim=16", "--set", "hidden_dims=[16, 16]", "--set", "output_dim=8")
TEXTS = [f"{w} {v} {i}" for w in ("cat", "dog", "fish") for v in ("sat", "ran") for i in range(5)]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of three colours, and a file of texts without labels."""
    folder = tmp_path_factory.mktemp("index")
    animals = ("the cat sat", "a dog ran", "one fish swam")
    rows = [f"{text} {i},{text.split()[1]}" for text in animals for i in range(12)]
    (folder / "train.csv").write_text("\n".join(["text,label", *rows]), "utf-8")
    (folder / "corpus.txt").write_text("\n".join(TEXTS), "utf-8")
    done = run("train", folder / "train.csv", "--output", folder / "m", *QUICK, *SHAPE)
    assert done.exit_code == 0, done.output
    return folder


def test_a_model_is_saved_over_the_rows_of_a_file(folder: Path) -> None:
    done = run("index", folder / "m", folder / "corpus.txt", "--output", folder / "i", "--hops", 2)
    assert done.exit_code == 0, done.output
    assert f"model saved in {folder / 'i'}, its graph over 30 of 30 rows" in done.output
    loaded = DTGCNN.load(folder / "i", backend="numpy")
    assert loaded.config.propagation_hops == 2
    expected = DTGCNN.load(folder / "m", backend="numpy").index(TEXTS, hops=2)
    assert (loaded.encode(TEXTS) == expected.encode(TEXTS)).all()
    again = run("index", folder / "m", folder / "corpus.txt", "--output", folder / "i")
    assert again.exit_code == 2
    assert "--overwrite" in again.output
    replaced = run(
        "index", folder / "m", folder / "corpus.txt", "--output", folder / "i", "--overwrite"
    )
    assert replaced.exit_code == 0
    assert DTGCNN.load(folder / "i", backend="numpy").config.propagation_hops == 3


def test_search_takes_both_rankings_by_turns(folder: Path) -> None:
    found = {}
    for by in ("embedding", "input", "both"):
        done = run(
            "search", folder / "m", folder / "corpus.txt", "cat ran 3", "--top", 6, "--by", by
        )
        assert done.exit_code == 0, done.output
        heading, *lines = done.output.splitlines()
        assert heading.split() == ["embedding", "input"]
        found[by] = [line.split(maxsplit=2)[2] for line in lines]
        column = {"embedding": 0, "input": 1}.get(by)
        if column is not None:
            values = [float(line.split()[column]) for line in lines]
            assert values == sorted(values, reverse=True)
    turns = [t for pair in zip(found["embedding"], found["input"], strict=True) for t in pair]
    assert found["both"] == list(dict.fromkeys(turns))[:6]


def test_the_similarities_are_those_of_embeddings_and_of_input_vectors(folder: Path) -> None:
    model = DTGCNN.load(folder / "m", backend="numpy")
    done = run("search", folder / "m", folder / "corpus.txt", "fish sat", "--top", 30)
    lines = done.output.splitlines()[1:]
    assert len(lines) == 30
    vectors = model.vectors([*TEXTS, "fish sat"])
    for column, view in enumerate((model.encode(vectors), vectors)):
        unit = view / np.maximum(np.linalg.norm(view, axis=1, keepdims=True), 1e-30)
        for line in lines:
            parts = line.split(maxsplit=2)
            expected = unit[TEXTS.index(parts[2])] @ unit[-1]
            assert float(parts[column]) == pytest.approx(expected, abs=6e-4)


@pytest.fixture(scope="module")
def indexed(folder: Path) -> Path:
    """An index of labelled texts, two of them twice, whose file is gone."""
    rows = [f"{text},{text.split()[0]}" for text in [*TEXTS, TEXTS[3], TEXTS[7]]]
    (folder / "rows.csv").write_text("\n".join(["text,label", *rows]), "utf-8")
    done = run("index", folder / "m", folder / "rows.csv", "--output", folder / "rows")
    assert done.exit_code == 0, done.output
    assert "its graph over 30 of 32 rows" in done.output
    (folder / "rows.csv").unlink()
    return folder / "rows"


def test_an_index_is_searched_without_its_file(folder: Path, indexed: Path) -> None:
    done = run("search", indexed, "cat ran 3", "--top", 40)
    assert done.exit_code == 0, done.output
    lines = [line.split(maxsplit=3) for line in done.output.splitlines()[1:]]
    assert sorted(text for *_, text in lines) == sorted([*TEXTS, TEXTS[3], TEXTS[7]])
    assert all(label == text.split()[0] for *_, label, text in lines)
    (folder / "again.txt").write_text("\n".join([*TEXTS, TEXTS[3], TEXTS[7]]), "utf-8")
    over = run("search", indexed, folder / "again.txt", "cat ran 3", "--top", 40)
    assert over.exit_code == 0, over.output
    without_labels = [" ".join([*line[:2], line[3]]) for line in lines]
    assert [" ".join(line.split()) for line in over.output.splitlines()[1:]] == without_labels


def test_several_queries_and_json(folder: Path, indexed: Path) -> None:
    queries = ("cat sat 1", "dog ran 2")
    alone = [run("search", indexed, query).output for query in queries]
    done = run("search", indexed, *queries)
    assert done.output == f"{queries[0]}\n{alone[0]}\n{queries[1]}\n{alone[1]}"
    shown = json.loads(run("search", indexed, *queries, "--json", "--top", 2).output)
    assert [found["query"] for found in shown] == list(queries)
    for found, text in zip(shown, alone, strict=True):
        first, line = found["hits"][0], text.splitlines()[1].split(maxsplit=3)
        assert list(first) == ["row", "text", "label", "embedding", "input"]
        assert [first["label"], first["text"]] == line[2:]
        assert [f"{first[name]:.3f}" for name in ("embedding", "input")] == line[:2]
        assert first["text"] == [*TEXTS, TEXTS[3], TEXTS[7]][first["row"]]
    of_file = run("search", folder / "m", folder / "corpus.txt", *queries, "--json", "--top", 1)
    assert [len(found["hits"]) for found in json.loads(of_file.output)] == [1, 1]


def test_a_model_of_vectors_takes_files_of_them_as_queries(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(40, 16)).astype(np.float32)
    np.savez(tmp_path / "x.npz", x=x, y=np.arange(40) % 2)
    options = ("--output", tmp_path / "m", *QUICK, "--set", "hidden_dims=[16]")
    assert run("train", tmp_path / "x.npz", *options).exit_code == 0
    done = run("index", tmp_path / "m", tmp_path / "x.npz", "--output", tmp_path / "i")
    assert done.exit_code == 0, done.output
    np.save(tmp_path / "q.npy", x[[4, 9]])
    done = run("search", tmp_path / "i", tmp_path / "q.npy", "--top", 1)
    assert done.exit_code == 0, done.output
    named = [f"{tmp_path / 'q.npy'}, row {row}" for row in (0, 1)]
    assert [line for line in done.output.splitlines() if "q.npy" in line] == named
    assert done.output.split("row 4")[0].endswith("1.000  1.000  0  ")
    assert done.output.split("row 9")[0].endswith("1.000  1.000  1  ")
    np.save(tmp_path / "narrow.npy", x[:, :3])
    (tmp_path / "q.txt").write_text("cat\n", "utf-8")
    for query, message in (
        ("narrow.npy", r"narrow.npy: x must have shape \(N, input_dim = 16\)"),
        ("q.txt", "q.txt: holds texts; the model takes vectors"),
        ("none.npy", "none.npy: no such file"),
    ):
        refused = run("search", tmp_path / "i", tmp_path / query)
        assert refused.exit_code == 2
        assert re.search(message, refused.output), refused.output


def test_what_cannot_be_searched_is_refused(folder: Path, indexed: Path, tmp_path: Path) -> None:
    (tmp_path / "triplets.csv").write_text("anchor,positive,negative\na,b,c\n", "utf-8")
    (tmp_path / "empty.txt").write_text("", "utf-8")
    damaged = shutil.copytree(indexed, tmp_path / "damaged")
    (path,) = damaged.glob("index-*")
    path.write_bytes(path.read_bytes()[:-8])
    without = shutil.copytree(indexed, tmp_path / "without")
    next(without.glob("index-*")).unlink()
    for arguments, message in (
        ((indexed, " "), "QUERY must not be empty"),
        ((folder / "m", folder / "corpus.txt"), "QUERY is missing: .* holds no index"),
        ((folder / "m", folder / "corpus.txt", "cat", ""), "QUERY must not be empty"),
        ((folder / "m", "cat", "dog"), "cat: the suffix must be one of"),
        ((indexed, "zzz"), "zero vector, near to no row: the encoder knows no word of 'zzz'"),
        ((folder / "m", tmp_path / "triplets.csv", "cat"), "holds triplets"),
        ((folder / "m", tmp_path / "empty.txt", "cat"), "empty.txt"),
        ((damaged, "cat"), r"index-\w+.safetensors: not a readable safetensors file"),
        ((without, "cat"), "the index of the model here, is missing"),
        (
            (indexed, "cat", "--approximate", tmp_path / "n.usearch"),
            "n.usearch: no such file|needs",
        ),
        ((indexed, "cat", "--approximate", "x", "--by", "input"), "not with --by input"),
        ((folder / "m", folder / "corpus.txt", "cat", "--approximate", "x"), "goes with an index"),
        ((tmp_path / "nothing", "cat"), "nothing: no such folder of a model or an index"),
        ((tmp_path, "cat"), r"no model here \(model.safetensors is missing\)"),
    ):
        done = run("search", *arguments)
        assert done.exit_code == 2, done.output
        assert re.search(message, done.output), done.output
        assert done.output.count("\n") == 1


def test_a_search_in_what_was_exported(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("usearch", reason="usearch is not installed")
    graph = tmp_path / "rows.usearch"
    given = ("--output", tmp_path / "i", "--export", graph)
    done = run("index", folder / "m", folder / "corpus.txt", *given)
    assert done.exit_code == 0, done.output
    exact = run("search", tmp_path / "i", "cat sat 1", "--by", "embedding")
    found = run("search", tmp_path / "i", "cat sat 1", "--by", "embedding", "--approximate", graph)
    assert found.output == exact.output
    assert len(found.output.splitlines()) == 6


def test_what_cannot_be_indexed_is_refused_and_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "triplets.csv").write_text("anchor,positive,negative\na,b,c\n", "utf-8")
    (tmp_path / "few.txt").write_text("cat\ndog\n", "utf-8")
    (tmp_path / "unknown.txt").write_text("ｗｗ\nｗｗｗ\n", "utf-8")
    for file, message, *more in (
        ("triplets.csv", "holds triplets"),
        ("few.txt", "few.txt: k must be below"),
        ("unknown.txt", "unknown.txt: the bank has 1 distinct nodes"),
        ("few.txt", "--export must end in .usearch", "--export", tmp_path / "rows.bin"),
        ("few.txt", "the folder", "--export", tmp_path / "none" / "rows.usearch"),
    ):
        done = run("index", folder / "m", tmp_path / file, "--output", tmp_path / "out", *more)
        assert done.exit_code == 2
        assert message in done.output
        assert not (tmp_path / "out").exists()


def test_rows_join_a_model_and_leave_it(folder: Path, indexed: Path, tmp_path: Path) -> None:
    (tmp_path / "more.csv").write_text(
        "text,label\na bird flew 1,bird\na bird flew 2,bird\na dog ran 0,dog\na dog ran 99,dog\n"
        "a bird flew 1,bird\n",
        "utf-8",
    )
    done = run("add", folder / "m", tmp_path / "more.csv", "--output", tmp_path / "a")
    assert done.exit_code == 0, done.output
    count = len(DTGCNN.load(folder / "m").trained_bank())
    joined = len(DTGCNN.load(tmp_path / "a").trained_bank()) - count
    assert f"{joined} of 5 rows joined its bank, which has {count + joined};" in done.output
    assert f"{5 - joined} were there already or stand twice in more.csv" in done.output
    assert "the network was not trained on the new classes: bird" in done.output
    assert DTGCNN.load(tmp_path / "a").untrained_classes == ["bird"]

    done = run("remove", tmp_path / "a", "--class", "bird", "--output", tmp_path / "r")
    assert done.exit_code == 0, done.output
    assert DTGCNN.load(tmp_path / "r").classes_ == DTGCNN.load(folder / "m").classes_
    done = run("remove", tmp_path / "r", tmp_path / "more.csv", "--output", tmp_path / "s")
    assert done.exit_code == 0, done.output
    assert re.search(
        r"rows left its bank, which has \d+; \d of .*more.csv were not in", done.output
    )

    (tmp_path / "wrong.csv").write_text("text,label\na bird flew 2,dog\n", "utf-8")
    (tmp_path / "twice.csv").write_text("text,label\na fly ran,x\n\na fly ran,y\n", "utf-8")
    for arguments, message in (
        (
            ("add", tmp_path / "a", tmp_path / "wrong.csv"),
            "wrong.csv: line 2 is labelled 'dog', and row",
        ),
        (
            ("add", tmp_path / "a", tmp_path / "twice.csv"),
            "twice.csv: line 4 is labelled 'y', and line 2, which is equal, 'x'",
        ),
        (("remove", tmp_path / "a", "--class", "brid"), "no class 'brid' .*like it: 'bird'"),
        (("remove", tmp_path / "a"), "FILE or --class must say what"),
        (
            (
                "remove",
                tmp_path / "a",
                *(f"--class={name}" for name in ("bird", "cat", "dog", "fish")),
            ),
            "must stay, for 4 neighbours each",
        ),
        (("add", indexed, tmp_path / "more.csv"), "holds an index, whose rows are those of a"),
        (("remove", indexed, "--class", "cat"), "holds an index, whose rows are those of a"),
    ):
        done = run(*arguments, "--output", tmp_path / "refused")
        assert done.exit_code == 2, done.output
        assert re.search(message, done.output), done.output
        assert not (tmp_path / "refused").exists()
    taken = run("add", folder / "m", tmp_path / "more.csv", "--output", tmp_path / "a")
    assert taken.exit_code == 2
    assert "--overwrite" in taken.output


@pytest.mark.parametrize(
    "command",
    ["encode", "index", "search", "evaluate", "discover", "next", "predict", "add", "remove"],
)
def test_rows_that_do_not_fit_the_model_are_refused_by_file_and_folder(
    folder: Path, tmp_path: Path, command: str
) -> None:
    np.save(tmp_path / "wide.npy", np.ones((3, 5), np.float32))
    out = {"encode": ["--output", tmp_path / "v.npy"], "search": ["cat"]}
    saved = {name: ["--output", tmp_path / "o"] for name in ("index", "add", "remove")}
    done = run(command, folder / "m", tmp_path / "wide.npy", *{**out, **saved}.get(command, []))
    assert done.exit_code == 2, done.output
    assert f"wide.npy: its vectors must have the 16 columns that the model in {folder / 'm'}" in (
        " ".join(done.output.split())
    )
    assert [path.name for path in tmp_path.iterdir()] == ["wide.npy"]


def test_a_file_alone_is_no_query_of_an_index(folder: Path, indexed: Path) -> None:
    done = run("search", indexed, folder / "corpus.txt")
    assert done.exit_code == 2
    assert "QUERY must be a text" in done.output


def test_a_file_of_queries_is_told_to_come_by_standard_input(folder: Path, indexed: Path) -> None:
    done = run("search", indexed, folder / "corpus.txt", folder / "corpus.txt")
    assert done.exit_code == 2
    assert "give its rows on standard input, - in its place" in " ".join(done.output.split())


@pytest.mark.parametrize("name", ["found.json", "found.CSV.gz"])
def test_the_name_of_a_missing_file_is_no_query(folder: Path, indexed: Path, name: str) -> None:
    for arguments in ([indexed], [folder / "m", folder / "corpus.txt"]):
        done = run("search", *arguments, "cat sat 1", "--json", name)
        assert done.exit_code == 2
        assert f"{name}: no such file; QUERY is a text, and --json prints" in done.output
    assert run("search", indexed, "cat sat on my found.json").exit_code == 0


def test_labels_that_rows_of_the_bank_take_are_counted(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "later.csv").write_text(f"text,label\n{TEXTS[0]},cat\n{TEXTS[10]},\n", "utf-8")
    first = run("add", folder / "m", folder / "corpus.txt", "--output", tmp_path / "a")
    assert "have one now:" not in first.output
    done = run("add", tmp_path / "a", tmp_path / "later.csv", "--output", tmp_path / "b")
    assert done.exit_code == 0, done.output
    assert "have one now: 1\n" in done.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("add", "unknown.txt"), "unknown.txt: line 1 has a zero vector, near to no row"),
        (("add", "empty.txt"), "empty.txt: the file is empty"),
        (("add", "blank.txt"), "blank.txt: holds no records"),
        (("remove", "empty.txt"), "empty.txt: the file is empty"),
        (("remove", "--class", "bird"), "there is no class 'bird' among 3"),
        (("remove", "--class", "cats"), "there is no class 'cats' among 3; like it: 'cat'"),
        (("index", "blank.txt"), "blank.txt: holds no records"),
        (("remove",), "FILE or --class must say what is to be removed"),
    ],
)
def test_what_changes_no_bank_is_refused_and_leaves_nothing(
    folder: Path, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    contents = {"unknown.txt": "ｗｗ\nｗｗｗ\n", "empty.txt": "", "blank.txt": "\n \n"}
    for name, text in contents.items():
        (tmp_path / name).write_text(text, "utf-8")
    command, *rest = arguments
    given = [tmp_path / name if name in contents else name for name in rest]
    done = run(command, folder / "m", *given, "--output", tmp_path / "o", "--backend", "numpy")
    assert done.exit_code == 2, done.output
    assert message in " ".join(done.output.split())
    assert done.output.count("Error") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(contents)
