"""Reading files: every format gives the same records, every fault names its place."""

from __future__ import annotations

import gzip
import io
import json
import re
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save as save_safetensors

from dtgcnn.data import TripletDataset, read_file
from dtgcnn.errors import DataError

TRIPLETS = [
    {"anchor": "The cat sat", "positive": "A feline rested", "negative": "The market crashed"},
    {"anchor": "I cook", "positive": "We bake", "negative": "The cat sat"},
]
LABELLED = [
    {"text": "card lost", "label": "card", "split": "train"},
    {"text": "who, me?", "label": "other", "split": "test"},
]
TRIPLET_CSV = (
    "anchor,positive,negative\n"
    "The cat sat,A feline rested,The market crashed\nI cook,We bake,The cat sat\n"
)
LABELLED_CSV = 'id,text,label,split\n1,card lost,card,train\n2,"who, me?",other,test\n'


def lines(records: list[dict[str, Any]]) -> str:
    return "\n".join(map(json.dumps, records)) + "\n"


def npz(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def npy(array: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.json", json.dumps({"triplets": TRIPLETS, "note": "ignored"})),
        ("t.json", json.dumps(TRIPLETS)),
        ("t.jsonl", lines(TRIPLETS)),
        ("t.csv", TRIPLET_CSV),
        ("t.CSV", TRIPLET_CSV.replace("\n", "\r\n")),
        ("t.csv", "\ufeff" + TRIPLET_CSV.replace("anchor,", " Anchor ,")),
        ("t.tsv", TRIPLET_CSV.replace(",", "\t")),
        ("t.csv.gz", gzip.compress(TRIPLET_CSV.encode(), mtime=0)),
        ("t.json.gz", gzip.compress(json.dumps(TRIPLETS).encode(), mtime=0)),
    ],
)
def test_triplets_are_equal_in_every_format(
    tmp_path: Path, name: str, content: str | bytes
) -> None:
    raw = read_file(write(tmp_path, name, content))
    assert raw.kind == "triplets"
    assert raw.texts == [
        *("The cat sat", "A feline rested", "The market crashed", "I cook", "We bake")
    ]
    assert raw.triplets is not None
    assert raw.triplets.tolist() == [[0, 1, 2], [3, 4, 0]]
    assert raw.labels is None
    assert raw.splits is None


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("l.json", json.dumps(LABELLED)),
        ("l.jsonl", lines(LABELLED) + "\n"),
        ("l.csv", LABELLED_CSV),
        ("l.tsv", LABELLED_CSV.replace(",", "\t").replace("who\t", "who,")),
    ],
)
def test_labelled_texts_are_equal_in_every_format(tmp_path: Path, name: str, content: str) -> None:
    raw = read_file(write(tmp_path, name, content))
    assert raw.kind == "labelled"
    assert raw.texts == ["card lost", "who, me?"]
    assert raw.labels == ["card", "other"]
    assert raw.splits == ["train", "test"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.txt", "one\r\ntwo\u2028still two\n\n"),
        ("x.json", json.dumps(["one", "two\u2028still two"])),
        ("x.csv", "text\none\ntwo\u2028still two\n"),
        ("x.jsonl", lines([{"text": " one "}, {"text": "two\u2028still two"}])),
    ],
)
def test_plain_texts(tmp_path: Path, name: str, content: str) -> None:
    raw = read_file(write(tmp_path, name, content))
    assert (raw.kind, raw.texts, raw.labels) == ("texts", ["one", "two\u2028still two"], None)


def test_numbers_are_labels_that_print_as_themselves(tmp_path: Path) -> None:
    records = [{"text": "a", "label": 3}, {"text": "b", "label": 0.5}, {"text": "c", "label": "3"}]
    assert read_file(write(tmp_path, "n.json", json.dumps(records))).labels == ["3", "0.5", "3"]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_features_become_float32(tmp_path: Path, dtype: str) -> None:
    x = np.arange(6, dtype=dtype).reshape(3, 2)
    for name, content in [
        ("x.npy", npy(x)),
        ("x.npy.gz", gzip.compress(npy(x))),
        ("x.npz", npz(x=x)),
        ("x.safetensors", save_safetensors({"x": x})),
    ]:
        raw = read_file(write(tmp_path, name, content))
        assert raw.features is not None
        assert raw.features.dtype == np.float32
        np.testing.assert_array_equal(raw.features, x.astype(np.float32))
        assert (raw.kind, raw.texts) == ("texts", None)


X = np.arange(8, dtype=np.float32).reshape(4, 2)
Y = np.array([1, 0, 1, 0])


def test_labels_of_features(tmp_path: Path) -> None:
    names = np.array(["no", "yes"])
    split = np.array(["train", "train", "test", "test"])
    archive = npz(x=X, y=Y, labels=names, split=split)
    tensors = save_safetensors(
        {"x": X, "y": Y},
        {"labels": json.dumps(names.tolist()), "split": json.dumps(split.tolist())},
    )
    for name, content in [("a.npz", archive), ("a.safetensors", tensors)]:
        raw = read_file(write(tmp_path, name, content))
        assert raw.labels == ["yes", "no", "yes", "no"]
        assert raw.splits == ["train", "train", "test", "test"]
    assert read_file(write(tmp_path, "b.npz", npz(x=X, y=Y))).labels == ["1", "0", "1", "0"]
    assert read_file(write(tmp_path, "c.npz", npz(x=X, y=names[Y]))).labels == raw.labels


def test_train_and_test_arrays(tmp_path: Path) -> None:
    content = npz(train_x=X, train_y=Y, test_x=X[:1], test_y=Y[:1], labels=np.array(["a", "b"]))
    raw = read_file(write(tmp_path, "s.npz", content))
    assert raw.features is not None
    assert raw.features.shape == (5, 2)
    assert raw.splits == ["train"] * 4 + ["test"]
    assert raw.labels == ["b", "a", "b", "a", "b"]


def test_equal_feature_rows_of_triplets_are_one_item(tmp_path: Path) -> None:
    content = npz(anchor=X[[0, 1]], positive=X[[1, 0]], negative=X[[2, 2]])
    raw = read_file(write(tmp_path, "t.npz", content))
    assert raw.triplets is not None
    assert raw.triplets.tolist() == [[0, 1, 2], [1, 0, 2]]
    np.testing.assert_array_equal(raw.features, X[:3])


def nan_at(row: int) -> np.ndarray:
    x = X.copy()
    x[row, 1] = np.nan
    return x


def with_field(records: list[dict[str, Any]], row: int, **fields: Any) -> str:
    changed = [dict(record) for record in records]
    changed[row].update(fields)
    return json.dumps({"triplets": changed} if "anchor" in changed[0] else changed)


FAULTS: list[tuple[str, str | bytes, str]] = [
    # the file as a whole
    ("a.xlsx", "x", r"suffix must be one of .csv, .*received 'a.xlsx'"),
    ("a", "x", r"suffix must be one of"),
    ("a.gz", "x", r"suffix must be one of"),
    ("a.csv", "", r"a.csv: the file is empty"),
    ("a.csv.gz", gzip.compress(b"", mtime=0), r"the file is empty"),
    ("a.csv.gz", gzip.compress(TRIPLET_CSV.encode(), mtime=0)[:-9], r"not a whole gzip file"),
    ("a.csv.gz", TRIPLET_CSV, r"not a whole gzip file"),
    ("a.csv", b"text\nok\n\xff\xfe\n", r"line 3: must be UTF-8, found the byte 0xff at column 1"),
    # JSON
    ("a.json", '{"triplets": [\n {"anchor": "x"', r"line 2 column \d+: is not valid JSON"),
    ("a.json", "[" * 100_000, r"is not readable JSON"),
    ("a.json", "3", r"must hold a list of records, received 3"),
    ("a.json", '{"triplets": {}}', r"must hold a list of records, received \{\}"),
    ("a.json", '{"data": [], "n": 1}', r"object with 'triplets', .*found keys: data, n"),
    ("a.json", "[]", r"a.json: holds no records"),
    ("a.json", '["a", 3]', r"record 0 .*must be a JSON object, received 'a'"),
    ("a.json", '["a", " "]', r"record 1 .*'text': must not be blank, received ' '"),
    ("a.json", '["\\ud800"]', r"record 0 .*must be valid Unicode"),
    ("a.json", with_field(TRIPLETS, 1, positive=""), r"record 1 .*'positive': must not be blank"),
    ("a.json", with_field(TRIPLETS, 1, anchor=7), r"record 1 .*'anchor': .*a string, received 7"),
    ("a.json", with_field(TRIPLETS, 0, anchor=None), r"'anchor': must be a string, received None"),
    ("a.json", with_field(TRIPLETS, 1, negative=" I cook"), r"record 1 .*differ from the anchor"),
    ("a.json", with_field(TRIPLETS, 1, negative="We bake"), r"record 1 .*differ from the positive"),
    ("a.json", '[{"anchor": "a", "positive": "b"}]', r"record 0.*lacks negative; found anchor, po"),
    (
        "a.json",
        with_field(LABELLED, 1, label=True),
        r"record 1 .*or a number, received True",
    ),
    ("a.json", with_field(LABELLED, 1, label=float("inf")), r"'label': must be finite"),
    ("a.json", with_field(LABELLED, 1, label=[1]), r"'label': must be a string or a number"),
    ("a.json", '[{"text": "a", "label": 1}, {"text": "b"}]', r"record 1 .*'label': is missing"),
    ("a.json", '[{"text": "a"}, {"text": "b", "label": 1}]', r"record 1 .*'label': is given here"),
    ("a.json", '[{"text":"a","split":"test"},{"text":"b"}]', r"record 1 .*'split': is missing"),
    ("a.jsonl", lines(LABELLED) + '{"text": ', r"line 3 column 10: is not valid JSON"),
    ("a.jsonl", '\n\n["a"]\n', r"line 3: must be a JSON object"),
    ("a.jsonl", '{"text": "a"}\n\n{"text": ""}\n', r"line 3: 'text': must not be blank"),
    # tables
    ("a.csv", "anchor,positive\na,b\n", r"line 1: a triplet lacks negative; found anchor, positi"),
    ("a.csv", "sentence1,score\na,1\n", r"needs the fields anchor, .*found sentence1, score"),
    ("a.csv", "label,split\na,train\n", r"text alone; found label, split"),
    ("a.csv", "text,label\n", r"a.csv: holds no records"),
    ("a.csv", "text,label,text\na,b,c\n", r"line 1: 'text': the column must occur once"),
    ("a.csv", "text,label\na,b\nc\n", r"line 3: has 1 cells where the header has 2 \(text, label"),
    ("a.csv", "text,label\na,b,c\n", r"line 2: has 3 cells where the header has 2"),
    ("a.csv", 'text,label\n"two\nlines",b\n"",c\n', r"line 4: 'text': must not be blank"),
    ("a.csv", "text,label\na,\nc, \n", r"'label': holds no label"),
    ("a.csv", "text,label,split\na,b,\n", r"line 2: 'split': must not be blank"),
    ("a.csv", 'text,label\na,b\n"c,d\n', r"line 3: is not well-formed CSV"),
    ("a.csv", 'text,label\n"a"b,c\n', r"line 2: is not well-formed CSV"),
    ("a.tsv", "text\tlabel\na,b\n", r"line 2: has 1 cells"),
    ("a.csv", "anchor,positive,negative\na,b,a\n", r"line 2: 'negative': must differ from the anc"),
    ("a.txt", "a\n\nb\n", r"line 2: 'text': must not be blank"),
    ("a.txt", "\n \n", r"holds no records"),
    # arrays
    ("a.npy", b"\x93NUMPY nothing", r"a.npy: is not a readable NumPy file"),
    ("a.npy", npy(X)[:-8], r"is not a readable NumPy file"),
    ("a.npy", npy(np.array([{"a": 1}], object)), r"is not a readable NumPy file: Object arrays"),
    ("a.npy", npz(x=X), r"suffix must be .npz"),
    ("a.npz", npy(X), r"suffix must be .npy"),
    ("a.npz", npz(x=X)[:-40], r"is not a readable NumPy file"),
    ("a.safetensors", b"12345678", r"is not a readable .safetensors file"),
    ("a.safetensors", save_safetensors({"x": X})[:-4], r"is not a readable .safetensors file"),
    ("a.safetensors", save_safetensors({"x": X}, {"labels": "["}), r"not a readable .safetensors"),
    ("a.npy", npy(X[0]), r"'x': must have the shape \(N, D\), .*received \(2,\)"),
    ("a.npy", npy(X[:0]), r"'x': must have the shape .*received \(0, 2\)"),
    ("a.npy", npy(X.astype(int)), r"'x': must be a float16, float32 or float64.*received int64"),
    ("a.npy", npy(nan_at(2)), r"row 2 .*'x': must be finite in float32, received nan"),
    ("a.npy", npy(np.array([[1.0], [1e60]])), r"row 1 .*finite in float32, received 1e\+60"),
    ("a.npz", npz(z=X), r"needs the arrays x .*; found z"),
    ("a.npz", npz(train_x=X, test_y=Y), r"needs the arrays x .*; found train_x, test_y"),
    ("a.npz", npz(train_x=X, train_y=Y, val_x=X), r"'val_y': is missing, where there is val_x"),
    ("a.npz", npz(x=X, y=Y[:3]), r"'y': must be one value a row, shape \(4,\), .*\(3,\)"),
    ("a.npz", npz(x=X, y=Y, split=np.array(["a"])), r"'split': must be one value a row"),
    ("a.npz", npz(x=X, y=Y, labels=np.array(["a"])), r"row 0 .*between 0 and 0 .*received 1"),
    ("a.npz", npz(x=X, y=Y - 2, labels=np.array(["a"])), r"row 1 .*'y': .*received -2"),
    ("a.npz", npz(x=X, y=Y * 1.0, labels=np.array(["a"])), r"'y': must be integers"),
    ("a.npz", npz(x=X, y=Y, labels=np.array(["a", ""])), r"row 1 .*'labels': must not be blank"),
    (
        "a.npz",
        npz(train_x=X, train_y=Y, test_x=X[:, :1], test_y=Y),
        r"equal widths, received train_x 2, test_x 1",
    ),
    (
        "a.npz",
        npz(train_x=X, train_y=Y, test_x=nan_at(3), test_y=Y),
        r"row 3 .*'test_x': must be finite",
    ),
    ("a.npz", npz(anchor=X, positive=X, negative=X[:, :1]), r"equal widths.*negative 1"),
    ("a.npz", npz(anchor=X, positive=X[:2], negative=X), r"'positive': must have as many rows"),
    ("a.npz", npz(anchor=X[:2], positive=X[1:3], negative=X[[3, 1]]), r"row 1 .*must differ"),
]


@pytest.mark.parametrize(("name", "content", "message"), FAULTS)
def test_faults_name_file_place_rule_and_value(
    tmp_path: Path, name: str, content: str | bytes, message: str
) -> None:
    path = write(tmp_path, name, content)
    with pytest.raises(DataError, match=message) as caught:
        read_file(path)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder / "absent.csv", r"absent.csv: no such file"),
        (lambda folder: (folder / "d.csv").mkdir() or folder / "d.csv", r"d.csv: cannot be read"),
    ],
)
def test_unreadable_paths(tmp_path: Path, make: Callable[[Path], Path], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_file(make(tmp_path))


def test_reading_imports_no_scikit_learn() -> None:
    program = "import sys, dtgcnn.data; sys.exit('sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_long_values_are_cut_in_messages(tmp_path: Path) -> None:
    path = write(tmp_path, "a.json", with_field(LABELLED, 0, label=["x" * 500]))
    with pytest.raises(DataError) as caught:
        read_file(path)
    assert len(re.sub(r"^.*a\.json", "", str(caught.value))) < 200


def test_a_signalling_nan_is_refused_as_one(tmp_path: Path) -> None:
    x = X.copy()
    x.view(np.uint32)[2, 1] = 0x7FA00000
    with pytest.raises(DataError, match=r"row 2 .*'x': must be finite in float32, received nan"):
        read_file(write(tmp_path, "a.npy", npy(x)))


@pytest.mark.parametrize(("suffix", "most"), [(".npy", 1.25), (".npz", 1.25), ("split.npz", 1.75)])
def test_vectors_are_read_in_the_memory_that_they_take(
    tmp_path: Path, suffix: str, most: float
) -> None:
    x, path = np.random.default_rng(0).normal(size=(20_000, 64)).astype(np.float32), tmp_path / "a"
    path = path.with_name(f"a{suffix}")
    half = len(x) // 2
    y = np.arange(half) % 7
    if suffix == ".npy":
        np.save(path, x)
    elif suffix == ".npz":
        np.savez(path, x=x)
    else:
        np.savez(path, train_x=x[:half], test_x=x[half:], train_y=y, test_y=y)
    tracemalloc.start()
    read = read_file(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert read.features is not None
    np.testing.assert_array_equal(read.features, x)
    # Labels and splits are Python objects, some 100 bytes a row.
    assert peak < most * x.nbytes + 200 * len(x) * (suffix == "split.npz")


def test_reading_arrays_leaves_the_caller_s_as_they_are() -> None:
    x = np.array([[-0.0, 1.0], [2.0, -0.0]], np.float32)
    found = TripletDataset.from_arrays(x, ["a", "b"]).features
    assert np.signbit(x).sum() == 2
    assert found is not None
    assert not np.signbit(found).any()
