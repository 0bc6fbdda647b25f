"""What ``train`` refuses, ``check`` refuses in the same words."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from dtgcnn.cli import main
from dtgcnn.data import write_file
from dtgcnn.training import rehearse as real

from ..conftest import blobs, sentences, text_triplets
from ..data.test_readers import FAULTS

CASES = (str.lower, str.upper, str.title, str.capitalize, str.swapcase)
SAME = [f"{case(text)},{text}" for text in ("hello there", "bye now") for case in CASES] * 2


def run(*arguments: Any) -> Result:
    return CliRunner().invoke(main, [*map(str, arguments)])


def csv(*rows: str) -> str:
    return "\n".join(rows) + "\n"


def npz(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def lines(*records: Any) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


X = np.random.default_rng(0).standard_normal((40, 6)).astype(np.float32)
Y = np.repeat([0, 1], 20)

# What reads well and cannot be trained on, with a part of what is said of it.
UNTRAINABLE: list[tuple[str, str | bytes, str]] = [
    ("intent.csv", csv("text,intent", "hello,greet", "bye,part", "hi,greet"), "--label-column"),
    ("words.csv", csv("utterance,intent", "hello,greet", "bye,part"), "found utterance, intent"),
    ("text.csv", csv("text", *sentences()[0]), "no labels"),
    ("text.txt", csv(*sentences()[0]), "no labels"),
    ("x.npy", b"", "empty"),
    ("x.npz", npz(x=X), "no labels"),
    ("same.csv", csv("text,label", *["hello,greet", "Hello,part"] * 6), "distinct nodes"),
    ("one.csv", csv("text,label", *[f"text {i},x" for i in range(9)]), "at least two classes"),
    ("each.csv", csv("text,label", *[f"text {i},{i}" for i in range(9)]), "two items"),
    ("blank.csv", csv("text,label", *[f"text {i}," for i in range(9)]), "holds no label"),
    ("minus.csv", csv("text,label", *[f"text {i},-1" for i in range(9)]), "holds no label"),
    (
        "test.csv",
        csv("text,label,split", *[f"text {i},{i % 2},test" for i in range(9)]),
        "no item is in the split 'train'",
    ),
    (
        "unlabelled.csv",
        csv("text,label,split", "a b,,train", "c d,,train", "e f,x,test", "g h,y,test"),
        "none of the 2 items to train on has a label",
    ),
    (
        "half.csv",
        csv("text,label,split", "a b,x,train", "c d,x,train", "e f,y,test", "g h,y,test"),
        "one class only",
    ),
    ("pairs.csv", csv("anchor,positive", "a b,c d", "e f,g h"), "dtgcnn generate"),
    ("scored.csv", csv("sentence1,sentence2,score", "a b,c d,5"), "dtgcnn generate"),
    ("judged.csv", csv("anchor,positive,label", "a b,c d,1"), "dtgcnn generate"),
    ("lists.jsonl", lines(["a b", "c d"], ["e f", "g h"]), "dtgcnn generate"),
    ("sets.jsonl", lines({"set": ["a b", "c d"]}), "dtgcnn generate"),
    ("query.jsonl", lines({"query": "a b", "pos": ["c d"]}), "dtgcnn generate"),
    (
        "joined.csv",
        csv("anchor,positive,negative", "a b,c d,e f", "c d,e f,g h", "e f,g h,a b"),
        "no triplet has a valid negative",
    ),
    ("zeros.npz", npz(x=np.zeros((40, 6), np.float32), y=Y), "distinct nodes"),
    ("equal.npz", npz(x=np.ones((40, 6), np.float32), y=Y), "distinct nodes"),
    ("one.npz", npz(x=X, y=np.zeros(40, int)), "at least two classes"),
    ("each.npz", npz(x=X, y=np.arange(40)), "two items"),
    ("single.npz", npz(x=X[:1], y=Y[:1]), "at least two classes"),
    ("vectors.jsonl", lines({"v": [1.0, 2.0], "w": [1.0], "label": 1}), "several columns of vec"),
    (
        "tags.jsonl",
        lines(*({"text": t, "label": [c, "x"]} for t, c in zip(*sentences()))),
        "'label': must be a string or a number",
    ),
    ("chat.jsonl", lines({"messages": [{"role": "user", "content": "a"}]}), "needs the fields"),
    ("squad.json", json.dumps({"data": [{"title": "a", "paragraphs": []}]}), "found keys: data"),
    ("question.jsonl", lines({"question": "a b", "answer": "c d"}), "found question, answer"),
    ("classed.csv", csv("text,label_text", "a b,x", "c d,y"), "--label-column"),
    ("held.csv", csv("text,label,split", "a b,x,holdout", "c d,y,holdout"), "the splits holdout"),
    ("onehot.npz", npz(x=X, y=np.eye(2)[Y]), "must be one value a row"),
    ("whole.npz", npz(x=(100 * X).astype(np.int64), y=Y), "float16, float32 or float64"),
    ("column.npz", npz(x=X[:, 0], y=Y), "must have the shape (N, D)"),
    ("short.npz", npz(x=X, y=Y[:30]), "one value a row, shape (40,), received shape (30,)"),
    ("huge.npz", npz(x=1e60 * X.astype(np.float64), y=Y), "must be finite in float32"),
    ("uneven.npz", npz(anchor=X[:9], positive=X[9:18], negative=X[18:22]), "as many rows as"),
    ("quotes.tsv", "text\tlabel\n" + '"abc\tx\n' * 30, "k must be below|two classes"),
    ("folder.csv", "", "it is a folder"),
    ("a.xlsx", "x", "pandas.read_excel"),
]


@pytest.mark.parametrize(
    ("name", "content", "part"),
    [*UNTRAINABLE, *((name, content, "") for name, content, _ in FAULTS)],
)
def test_check_refuses_what_train_refuses(
    tmp_path: Path, name: str, content: str | bytes, part: str
) -> None:
    path = tmp_path / name
    if name == "folder.csv":
        path.mkdir()
    else:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    refused = run("train", path, "--output", tmp_path / "model", "--backend", "numpy", "--quiet")
    assert refused.exit_code == 2, refused.output
    assert not (tmp_path / "model" / "model.safetensors").exists()
    *_, said = refused.output.strip().splitlines()
    message = said.removeprefix("Error: ").removeprefix(f"{path}: ")
    assert any(one in message for one in part.split("|")), message
    checked = run("check", path)
    assert checked.exit_code in (1, 2), checked.output
    assert message in checked.output
    assert "nothing was found" not in checked.output


@pytest.mark.parametrize(
    ("name", "content", "trained_on"),
    [
        ("two.csv", csv("text,label", *["hello,greet", "bye,part"] * 6), 2),
        ("many.csv", csv("text,label", *["hello,greet", "bye,part"] * 600), 2),
        ("cases.csv", csv("text,label", *SAME), 2),
        ("pair.npz", npz(x=X[Y], y=Y), 2),
        ("ten.npz", npz(x=np.repeat(X[:10], 4, axis=0), y=np.arange(40) // 4 % 2), 8),
    ],
)
def test_a_row_has_no_more_neighbours_than_there_are_distinct_ones(
    tmp_path: Path, name: str, content: str | bytes, trained_on: int
) -> None:
    path, model = tmp_path / name, tmp_path / "model"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    done = run("train", path, "--output", model, "--backend", "numpy", "--no-map", "--epochs", 1)
    assert done.exit_code == 0, done.output
    config = json.loads((model / "config.json").read_text("utf-8"))["config"]
    assert config["graph_k_neighbors"] == trained_on - 1
    assert "not trainable" not in run("check", path).output


def test_there_are_many() -> None:
    assert len(UNTRAINABLE) + len(FAULTS) >= 60


def test_columns_are_named_for_every_command(tmp_path: Path) -> None:
    texts, labels = sentences()
    rows = zip(texts, labels, strict=True)
    file = tmp_path / "t.csv"
    file.write_text("utterance,intent\n" + "".join(f"{text},{label}\n" for text, label in rows))
    names = ("--text-column", "Utterance", "--label-column", "intent")
    model = tmp_path / "m"
    for command in (
        ("check", file),
        ("train", file, "--output", model, "--backend", "numpy", "--no-map", "--epochs", 2),
        ("evaluate", model, file),
        ("encode", model, file, "--output", tmp_path / "e.npy"),
        ("predict", model, file),
        ("index", model, file, "--output", tmp_path / "i"),
        ("search", model, file, "the cat and the dog"),
        ("discover", model, file, "--groups", 4),
        ("generate", file, "--output", tmp_path / "g.csv"),
        ("augment", file, "--output", tmp_path / "a.csv"),
        ("next", model, file, "--count", 2),
        ("add", model, file, "--output", tmp_path / "added"),
        ("remove", model, file, "--output", tmp_path / "removed"),
        ("plot", model, file, "--output", tmp_path / "p.png"),
    ):
        plain = run(*command)
        if command[0] != "train":
            assert plain.exit_code == 2, (command, plain.output)
            assert "--text-column" in plain.output
        done = run(*command, *names)
        assert "--text-column" not in done.output, (command, done.output)
        if command[0] not in ("next", "add", "remove", "plot"):
            assert done.exit_code == 0, (command, done.output)


@pytest.mark.parametrize("kind", ["texts", "vectors", "triplets", "triplets of vectors"])
def test_some_of_many_rows_are_tried(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dtgcnn.cli.check.SOME", 40)
    tried: list[int] = []

    def rehearse(model: Any, loader: Any, val_loader: Any, first_step: bool) -> None:
        if first_step:
            tried.append(loader.dataset.num_items)
        real(model, loader, val_loader, first_step=first_step)

    monkeypatch.setattr("dtgcnn.cli.check.rehearse", rehearse)
    x, y = blobs()
    path = tmp_path / ("a.npz" if "vectors" in kind else "a.csv")
    if kind == "texts":
        rows = zip(*sentences(), strict=True)
        path.write_text(csv("text,label,split", *[f"{t},{c},train" for t, c in rows]))
    elif kind == "vectors":
        np.savez(path, x=x, y=np.where(np.arange(80) % 9 == 0, -1, y))
    elif kind == "triplets":
        data = text_triplets(90)
        write_file(data, path)
    else:
        own, other = np.arange(60), np.arange(60) + 20
        np.savez(path, anchor=x[own], positive=x[own ^ 1], negative=x[other])
    done = run("check", path)
    assert done.exit_code == 0, done.output
    assert len(tried) == 1
    assert tried[0] <= 120


def test_check_tells_what_training_would_warn_of(tmp_path: Path) -> None:
    pytest.importorskip("sentencepiece", reason="PieceEncoder needs sentencepiece")
    texts, labels = sentences()
    file = tmp_path / "t.csv"
    rows = [f"{text} {'more and more ' * 30},{label}" for text, label in zip(texts, labels)]
    file.write_text("\n".join(["text,label,id", *(f"{row},{i}" for i, row in enumerate(rows))]))
    done = run("check", file, "--encoder", "pieces")
    assert done.exit_code == 0, done.output
    assert "have more than max_length = 64 pieces" in done.output
    assert "not read" in done.output
    again = run("check", file)
    assert "pieces" not in again.output


def test_check_tells_what_training_would_warn_of_many_rows(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file, model = tmp_path / "t.csv", tmp_path / "m"
    known = [f"number {i % 60} of {i // 60},{'odd' if i % 2 else 'even'}" for i in range(1200)]
    file.write_text(csv("text,label", *known, "-,odd", "!,even"))
    done = run("check", file)
    assert not caplog.messages
    run("train", file, "--output", model, "--backend", "numpy", "--epochs", 1, "--no-map")
    rows, unknown = caplog.messages[:2]
    assert "the other 228 of 384 are zero" in rows
    assert "of 1,202 texts have no known n-gram" in unknown
    for told in (rows, unknown):
        assert f"warning: training: {told}" in done.output


def test_a_saved_folder_is_a_file_to_predict_and_search(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    texts, labels = sentences()
    made = pa.table({"text": texts, "label": labels})
    folder = tmp_path / "saved"
    folder.mkdir()
    with pa.ipc.new_stream(folder / "data.arrow", made.schema) as file:
        file.write_table(made)
    (folder / "state.json").write_text('{"_data_files": [{"filename": "data.arrow"}]}')
    model = tmp_path / "m"
    quick = ("--backend", "numpy", "--no-map", "--epochs", 1, "--quiet")
    assert run("train", folder, "--output", model, *quick).exit_code == 0
    assert "84 rows with a label" in run("predict", model, folder).output
    assert run("check", folder).exit_code == 0
    found = run("search", model, folder, "the cat and the dog")
    assert found.exit_code == 0
    assert "animals" in found.output


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["train", "f.csv"], "Missing option '--output'"),
        (["encode", "m", "f.csv"], "Missing option '--output'"),
        (["train", "f.csv", "--output", "m", "--epochs", "q"], "Invalid value for '--epochs': 'q'"),
    ],
    ids=["missing", "missing file", "invalid"],
)
def test_the_option_is_named(given: list[str], message: str) -> None:
    ended = CliRunner().invoke(main, given)
    assert ended.exit_code == 2
    assert message in ended.output
