"""The shapes that public data have: each is read as what it means, or refused with a way out."""

from __future__ import annotations

import contextlib
import io
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtgcnn.data import RawData, TripletDataset, TripletGenerator, read_file, read_pairs
from dtgcnn.data.reading.pairs import holds_pairs
from dtgcnn.errors import DataError

X = np.arange(8, dtype=np.float32).reshape(4, 2)
Y = np.array([1, 0, 1, 0])
ABC = [("a", "b", "c")]


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def lines(*records: Any) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def npz(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def triplets(raw: RawData) -> list[tuple[str, ...]]:
    assert raw.triplets is not None
    assert raw.texts is not None
    return [tuple(raw.texts[i] for i in triplet) for triplet in raw.triplets.tolist()]


TRIPLETS: list[tuple[str, str, list[tuple[str, str, str]]]] = [
    ("a.jsonl", lines(["a", "b", "c"]), ABC),
    ("a.ndjson", lines(["a", "b", "c"]), ABC),
    ("a.json", json.dumps([["a", "b", "c"]]), ABC),
    ("a.csv", "sent0,sent1,hard_neg\na,b,c\n", ABC),
    ("a.csv", "query,positive,negative\na,b,c\n", ABC),
    ("a.jsonl", lines({"query": "a", "pos": ["b"], "neg": ["c"]}), ABC),
    (
        "a.jsonl",
        lines({"query": "a", "pos": ["b", "d"], "neg": ["c", "e"], "neg_scores": [1.0, 2.0]}),
        [("a", "b", "c"), ("a", "b", "e"), ("a", "d", "c"), ("a", "d", "e")],
    ),
    (
        "a.csv",
        "anchor,positive,negative_2,negative_1,negative_10\na,b,d,c,e\nf,g,,h,\n",
        [("a", "b", "c"), ("a", "b", "d"), ("a", "b", "e"), ("f", "g", "h")],
    ),
    (
        "a.jsonl",
        lines({"anchor": "a", "positive": "b", "negative": ["c", "d"]}),
        [("a", "b", "c"), ("a", "b", "d")],
    ),
    (
        "a.jsonl",
        lines({"Anchor": "a", "Positive": "b", "Negative": "c", "negative_1": "d"}),
        [("a", "b", "c"), ("a", "b", "d")],
    ),
]


@pytest.mark.parametrize(("name", "content", "wanted"), TRIPLETS)
def test_triplets(
    tmp_path: Path, name: str, content: str, wanted: list[tuple[str, str, str]]
) -> None:
    path = write(tmp_path, name, content)
    assert triplets(read_file(path)) == wanted
    assert not holds_pairs(path)


PAIRS: list[tuple[str, str, list[tuple[str, str]], list[float] | None]] = [
    ("a.jsonl", lines(["a", "b"]), [("a", "b")], None),
    ("a.json", json.dumps([["a", "b"], ["c", "d"]]), [("a", "b"), ("c", "d")], None),
    ("a.jsonl", lines({"query": "a", "pos": ["b", "c"]}), [("a", "b"), ("a", "c")], None),
    ("a.jsonl", lines({"query": "a", "pos": ["b"], "neg": []}), [("a", "b")], None),
    ("a.csv", "sent0,sent1\na,b\n", [("a", "b")], None),
    ("a.jsonl", lines({"set": ["a", "b", "c"]}), [("a", "b"), ("a", "c"), ("b", "c")], None),
    ("a.csv", "anchor,positive,label\na,b,1\nc,d,0\n", [("a", "b"), ("c", "d")], [1, 0]),
    ("a.csv", "anchor,positive,score\na,b,0.5\n", [("a", "b")], [0.5]),
    ("a.csv", "sentence1,sentence2,label\na,b,0\n", [("a", "b")], [0]),
    ("a.csv", "sentence1,sentence2,score,label\na,b,3,x\n", [("a", "b")], [3]),
]


@pytest.mark.parametrize(("name", "content", "wanted", "scores"), PAIRS)
def test_pairs(
    tmp_path: Path,
    name: str,
    content: str,
    wanted: list[tuple[str, str]],
    scores: list[float] | None,
) -> None:
    path = write(tmp_path, name, content)
    assert holds_pairs(path)
    pairs = read_pairs(path)
    assert list(zip(pairs.first, pairs.second, strict=True)) == wanted
    assert (None if pairs.scores is None else pairs.scores.tolist()) == scores
    with pytest.raises(DataError, match=r"these are pairs, of which 'dtgcnn generate' makes"):
        read_file(path)


def test_labels_of_pairs_tell_positives_from_negatives(tmp_path: Path) -> None:
    rows = ["the cat sat,a cat sat down,1", "the cat sat,the bank closed,0"]
    rows += ["rain fell,it was raining,1", "rain fell,a cat sat down,0"]
    path = write(tmp_path, "a.csv", "\n".join(["anchor,positive,label", *rows]) + "\n")
    made = TripletGenerator(None).generate_from_pairs(path, 5)
    assert {(a, p) for a, p, _ in made} == {
        ("the cat sat", "a cat sat down"),
        ("rain fell", "it was raining"),
    }
    assert {n for a, _, n in made if a == "the cat sat"} >= {"the bank closed"}
    scored = write(tmp_path, "b.csv", path.read_text().replace("label", "score"))
    with pytest.raises(ValueError, match="positive_score must be given"):
        TripletGenerator(None).generate_from_pairs(scored, 5)
    again = TripletGenerator(None).generate_from_pairs(
        scored, 5, positive_score=1, negative_score=0
    )
    assert again == made
    other = write(tmp_path, "c.csv", "anchor,positive,label\na,b,yes\n")
    with pytest.raises(DataError, match=r"line 2: 'label': must be a number, received 'yes'"):
        read_pairs(other)


def test_the_label_of_pairs_may_be_named(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "sentence1,sentence2,duplicate\na b,c d,1\na b,e f,0\n")
    pairs = read_pairs(path, {"label": "duplicate"})
    assert pairs.judged_by_labels
    assert pairs.judged(None, None)[1].tolist() == [False, True]
    with pytest.raises(DataError, match="score is missing, found sentence1, sentence2"):
        read_pairs(path)


LABELLED: list[tuple[str, str]] = [
    ("a.json", json.dumps({"train": [["t1", "x"], ["t2", "y"]], "test": [["t3", "x"]]})),
    (
        "a.json",
        json.dumps(
            {
                "train": [{"text": "t1", "label": "x"}, {"text": "t2", "label": "y"}],
                "test": [{"text": "t3", "label": "x"}],
            }
        ),
    ),
    (
        "a.json",
        json.dumps(
            {
                "text": ["t1", "t2", "t3"],
                "label": ["x", "y", "x"],
                "split": ["train", "train", "test"],
            }
        ),
    ),
    (
        "a.jsonl",
        lines(
            {"Text": "t1", "Label": "x", "SPLIT": "train"},
            {"Text": "t2", "Label": "y", "SPLIT": "train"},
            {"Text": "t3", "Label": "x", "SPLIT": "test"},
        ),
    ),
]


@pytest.mark.parametrize(("name", "content"), LABELLED)
def test_labelled_texts(tmp_path: Path, name: str, content: str) -> None:
    raw = read_file(write(tmp_path, name, content))
    assert (raw.texts, raw.labels) == (["t1", "t2", "t3"], ["x", "y", "x"])
    assert raw.splits == ["train", "train", "test"]


def test_lines_of_fasttext(tmp_path: Path) -> None:
    path = write(tmp_path, "a.txt", "__label__x a text\n__label__y  more of it\n\n")
    raw = read_file(path)
    assert (raw.texts, raw.labels) == (["a text", "more of it"], ["x", "y"])
    for line, message in [
        ("no label", r"line 2: must begin with __label__, as the first line does"),
        ("__label__x __label__y both", r"line 2: has several labels"),
        ("__label__x", r"line 2: 'text': must not be blank"),
    ]:
        with pytest.raises(DataError, match=message):
            read_file(write(tmp_path, "a.txt", f"__label__x a text\n{line}\n"))
    assert read_file(write(tmp_path, "a.txt", "a\n__label__x b\n")).labels is None


def test_a_text_a_line_of_json(tmp_path: Path) -> None:
    assert read_file(write(tmp_path, "a.jsonl", lines("a", "b"))).texts == ["a", "b"]


# -- Names


def test_columns_may_be_named(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "utterance,Intent,part\nhello,greet,train\nbye,part,test\n")
    with pytest.raises(DataError, match=r"found utterance, intent, part.*--text-column"):
        read_file(path)
    raw = read_file(path, columns={"text": "utterance", "label": "Intent", "split": "part"})
    assert (raw.texts, raw.labels) == (["hello", "bye"], ["greet", "part"])
    assert raw.splits == ["train", "test"]
    with pytest.raises(DataError, match=r"line 1: there is no column 'intention'; found utter"):
        read_file(path, columns={"label": "intention"})
    with pytest.raises(ValueError, match=r"columns must name some of .*, received 'what'"):
        read_file(path, columns={"what": "intent"})
    for columns in ("intent", {"label": 1}):
        with pytest.raises(ValueError, match=r"columns must name columns by what they hold, as"):
            read_file(path, columns=columns)  # type: ignore[arg-type]
    for held in (None, ["a", "b"], {"text": ["a"]}):
        with pytest.raises(DataError, match=r"path must name a file, received .*from_table"):
            TripletDataset(held)  # type: ignore[arg-type]
    bad = write(tmp_path, "b.csv", "utterance,intent\nhello,greet\n ,part\n")
    with pytest.raises(DataError, match=r"line 3: 'utterance': must not be blank"):
        read_file(bad, columns={"text": "utterance", "label": "intent"})
    arrays = write(tmp_path, "a.npz", npz(first=X, second=-X, kind=Y))
    for columns in ("kind", {"kind": "label"}):
        with pytest.raises(ValueError, match="columns must name"):
            read_file(arrays, columns=columns)  # type: ignore[arg-type]
    raw = read_file(arrays, columns={"text": "second", "label": "kind"})
    np.testing.assert_array_equal(raw.features, 0 - X)
    assert raw.labels == ["1", "0", "1", "0"]


def test_fields_that_are_not_read_are_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path, "a.jsonl", lines(*[{"text": "a", "intent": "x", "id": 3}] * 3))
    with caplog.at_level(logging.WARNING, "dtgcnn"):
        holds_pairs(path)
        assert not caplog.text
        read_file(path)
    assert caplog.text.count("the fields intent, id are not read") == 1
    with pytest.raises(DataError, match=r"has no labels.*intent, id are not read"):
        TripletDataset(path).require_trainable()


def test_what_is_missing_later_is_named_as_the_file_has_it(tmp_path: Path) -> None:
    for records, message in [
        ([{"query": "a", "pos": "b"}, {"query": "a"}], "line 2: a pair .*positive is missing"),
        ([{"query": "a", "pos": ["b"], "neg": ["c"]}, {"query": "a", "pos": [], "neg": ["c"]}],
         r"line 2: 'pos': must hold one text or more"),
        ([{"set": ["a", "b"]}, {"set": ["a"]}], r"line 2: 'set': must be a list of two texts"),
        ([{"query": "a", "pos": ["b"], "neg": ["c"]}, {"query": "a", "pos": [3], "neg": ["c"]}],
         r"line 2: 'positive': must be a string|line 2: 'pos': must be a string"),
    ]:  # fmt: skip
        path = write(tmp_path, "a.jsonl", lines(*records))
        with pytest.raises(DataError, match=message):
            read_pairs(path)


def test_keys_beside_the_records_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    triplet = dict(zip(("anchor", "positive", "negative"), "abc", strict=True))
    document = {"triplets": [triplet], "more": [triplet], "note": "x"}
    assert len(read_file(write(tmp_path, "a.json", json.dumps(document))).rows) == 1
    assert "a.json: the keys more, note are not read" in caplog.text


@pytest.mark.parametrize(
    ("name", "content", "held"),
    [
        ("a.csv", "anchor,positive,negative,split\na,b,c,train\na,b,d,test\n", "triplets"),
        ("a.json", json.dumps({"train": [["a", "b", "c"]], "test": [["a", "b", "d"]]}), "triplets"),
        ("a.csv", "anchor,positive,split\na,b,train\nc,d,test\n", "pairs"),
    ],
)
def test_splits_that_cannot_be_kept_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, content: str, held: str
) -> None:
    path = write(tmp_path, name, content)
    if held == "pairs":
        assert len(read_pairs(path).first) == 2
    else:
        assert len(read_file(path).rows) == 2
    assert f"split is not read; {held} of all splits are taken" in caplog.text


def test_a_record_of_many_texts_uses_each(tmp_path: Path) -> None:
    """Not each with all others, which would be a quarter of a million from one line."""
    texts = [f"text {i}" for i in range(500)]
    path = write(tmp_path, "a.jsonl", lines({"query": "a", "pos": texts, "neg": ["b", "c"] * 300}))
    raw = read_file(path)
    assert len(raw.rows) == 600
    assert set(raw.texts or []) == {*texts, "a", "b", "c"}
    pairs = read_pairs(write(tmp_path, "b.jsonl", lines({"set": texts})))
    assert len(pairs.first) == 500
    assert set(pairs.first) == set(pairs.second) == set(texts)


# -- Arrays


@pytest.mark.parametrize(
    "arrays",
    [
        {"X": X, "Y": Y},
        {"embeddings": X, "labels": Y},
        {"features": X, "target": Y},
        {"vectors": X, "label": Y},
    ],
)
def test_arrays_by_other_names(tmp_path: Path, arrays: dict[str, Any]) -> None:
    raw = read_file(write(tmp_path, "a.npz", npz(**arrays)))
    np.testing.assert_array_equal(raw.features, X)
    assert raw.labels == ["1", "0", "1", "0"]


@pytest.mark.parametrize("names", ["{}_x {}_y", "x_{} y_{}", "{}_embeddings {}_labels"])
@pytest.mark.parametrize("val", ["val", "valid", "dev"])
def test_arrays_of_splits(tmp_path: Path, names: str, val: str) -> None:
    arrays = {}
    for split, count in (("train", 4), (val, 2), ("test", 1)):
        x, y = (name.format(split) for name in names.split())
        arrays |= {x: X[:count], y: Y[:count]}
    raw = read_file(write(tmp_path, "a.npz", npz(**arrays)))
    assert sorted(raw.splits or []) == sorted(["train"] * 4 + [val] * 2 + ["test"])
    assert raw.labels is not None
    assert len(raw.labels) == 7
    data = TripletDataset(tmp_path / "a.npz")
    assert len(data.validation_items()) == 2


@pytest.mark.mlx
def test_what_mlx_writes(tmp_path: Path) -> None:
    mx = pytest.importorskip("mlx.core", reason="MLX is not installed")
    path = tmp_path / "m.safetensors"
    for dtype in (mx.float32, mx.float16, mx.bfloat16):
        mx.save_safetensors(str(path), {"x": mx.array(X).astype(dtype), "y": mx.array(Y)})
        raw = read_file(path)
        np.testing.assert_array_equal(raw.features, X)
        assert raw.labels == ["1", "0", "1", "0"]
    x = mx.array([[1.0, -2.5e30], [3.0e-20, 0.1]]).astype(mx.bfloat16)
    mx.save_safetensors(str(path), {"x": x, "y": mx.array([0, 1])}, {"labels": '["a", "b"]'})
    raw = read_file(path)
    np.testing.assert_array_equal(raw.features, np.array(x.astype(mx.float32)))
    assert raw.labels == ["a", "b"]
    mx.savez(str(tmp_path / "m.npz"), x=mx.array(X), y=mx.array(Y))
    np.testing.assert_array_equal(read_file(tmp_path / "m.npz").features, X)


# -- Tables with vectors, and those of Arrow


def vector_tables(folder: Path) -> dict[str, Path]:
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    from pyarrow import feather, parquet

    kinds = {
        "list": pa.list_(pa.float32()),
        "large": pa.large_list(pa.float64()),
        "fixed": pa.list_(pa.float32(), 2),
        "half": pa.list_(pa.float16()),
    }
    paths = {}
    for kind, type_ in kinds.items():
        given = X.astype(np.float16) if kind == "half" else X
        column = pa.array([list(row) for row in given], type_)
        made = pa.table({"embedding": column, "label": pa.array(["b", "a", "b", "a"])})
        paths[f"{kind}.parquet"] = folder / f"{kind}.parquet"
        parquet.write_table(made, paths[f"{kind}.parquet"])
        paths[f"{kind}.arrow"] = folder / f"{kind}.arrow"
        with pa.ipc.new_file(paths[f"{kind}.arrow"], made.schema) as file:
            file.write_table(made, 3)
        paths[f"{kind} stream"] = folder / f"{kind}.stream.arrow"
        with pa.ipc.new_stream(paths[f"{kind} stream"], made.schema) as file:
            file.write_table(made, 3)
    paths["feather"] = folder / "a.feather"
    feather.write_feather(made, paths["feather"])
    records = [{"embedding": row, "label": y} for row, y in zip(X.tolist(), "baba", strict=True)]
    paths["json"] = write(folder, "a.jsonl", lines(*records))
    return paths


def test_columns_of_vectors(tmp_path: Path) -> None:
    for name, path in vector_tables(tmp_path).items():
        raw = read_file(path)
        assert raw.texts is None, name
        np.testing.assert_array_equal(raw.features, X, name)
        assert raw.labels == ["b", "a", "b", "a"]
        with pytest.raises(DataError, match="holds vectors, which need no encoder"):
            TripletDataset.stream(path, None, tmp_path / "out")  # type: ignore[arg-type]


def test_a_text_goes_before_a_vector_unless_it_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    records = [{"text": "a", "label": "x", "v": [1.0, 2]}, {"text": "b", "label": "y", "v": [0, 1]}]
    path = write(tmp_path, "a.jsonl", lines(*records))
    assert read_file(path).texts == ["a", "b"]
    assert "the field v is not read; --text-column v trains on its vectors" in caplog.text
    found = read_file(path, columns={"text": "v"})
    np.testing.assert_array_equal(found.features, [[1, 2], [0, 1]])
    assert found.labels == ["x", "y"]
    for second, message in [
        ({"v": [1.0]}, r"line 2: 'v': must have the 2 numbers of the first record, received 1"),
        ({"v": "text"}, r"line 2: 'v': must be a list of numbers, as in the first record"),
        ({"v": [1, 1e60]}, r"line 2: 'v': must be finite in float32"),
        ({"v": [1, 10**400]}, r"line 2: 'v': must be finite in float32"),
        ({"w": [1, 2]}, r"line 2: 'v': is missing"),
    ]:
        path = write(
            tmp_path, "b.jsonl", lines({"v": [1.0, 2.0], "label": 1}, second | {"label": 2})
        )
        with pytest.raises(DataError, match=message):
            read_file(path)
    both = write(tmp_path, "c.jsonl", lines({"v": [1.0], "w": [2.0], "label": "x"}))
    with pytest.raises(DataError, match=r"has several columns of vectors, v, w; name the one"):
        read_file(both)


def test_class_labels_have_their_names(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    from pyarrow import parquet

    about = {"info": {"features": {
        "text": {"dtype": "string", "_type": "Value"},
        "label": {"names": ["neg", "pos"], "_type": "ClassLabel"},
    }}}  # fmt: skip
    made = pa.table({"text": ["a", "b", "c"], "label": [1, 0, -1]})
    made = made.replace_schema_metadata({"huggingface": json.dumps(about)})
    parquet.write_table(made, tmp_path / "a.parquet")
    assert read_file(tmp_path / "a.parquet").labels == ["pos", "neg", ""]
    folder = tmp_path / "saved"
    for split in ("train", "test"):
        (folder / split).mkdir(parents=True)
        with pa.ipc.new_stream(folder / split / "data-00000-of-00001.arrow", made.schema) as file:
            file.write_table(made)
        state = {"_data_files": [{"filename": "data-00000-of-00001.arrow"}], "_split": split}
        (folder / split / "state.json").write_text(json.dumps(state))
    one = read_file(folder / "train")
    assert (one.labels, one.splits) == (["pos", "neg", ""], None)
    (folder / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    both = read_file(folder)
    assert both.texts == ["a", "b", "c"] * 2
    assert both.labels == ["pos", "neg", ""] * 2
    assert both.splits == ["train"] * 3 + ["test"] * 3
    (folder / "test" / "data-00000-of-00001.arrow").write_bytes(b"ARROW1 nothing")
    with pytest.raises(DataError, match="is not a readable Arrow file"):
        read_file(folder)
    (folder / "dataset_dict.json").write_text("{}")
    with pytest.raises(DataError, match=r"dataset_dict.json is not what datasets writes"):
        read_file(folder)


@pytest.mark.filterwarnings("default")  # the library warns of its own affairs
def test_what_datasets_saves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets", reason="datasets is not installed")
    # Its hash of a new table is none of our business, and fails with some versions of PyArrow.
    monkeypatch.setattr("datasets.arrow_dataset.generate_fingerprint", lambda *_: "made")
    label = datasets.ClassLabel(names=["neg", "pos"])
    features = datasets.Features({"text": datasets.Value("string"), "label": label})
    made = datasets.Dataset.from_dict({"text": ["a", "b"], "label": [1, 0]}, features=features)
    whole = datasets.DatasetDict({"train": made, "test": made})
    whole.save_to_disk(tmp_path / "saved")
    made.to_parquet(tmp_path / "a.parquet")
    assert read_file(tmp_path / "a.parquet").labels == ["pos", "neg"]
    data = TripletDataset.from_table(whole)
    for splits, names in (
        (read_file(tmp_path / "saved").splits, read_file(tmp_path / "saved").labels),
        (data.splits, data.names_of(range(4))),
    ):
        assert (splits, names) == (["train"] * 2 + ["test"] * 2, ["pos", "neg"] * 2)


# -- Tables in memory

COLUMNS = {"text": ["a", "b", "c"], "Label": ["x", "y", "x"], "id": [1, 2, 3]}


def tables() -> list[Any]:
    found: list[Any] = [COLUMNS, {name: np.array(own) for name, own in COLUMNS.items()}]
    for library in ("pandas.DataFrame", "polars.DataFrame", "pyarrow.table"):
        name, _, maker = library.partition(".")
        with contextlib.suppress(ImportError):
            found.append(getattr(__import__(name), maker)(COLUMNS))
    return found


@pytest.mark.parametrize("number", range(5))
def test_tables_in_memory(number: int) -> None:
    if number >= len(tables()):
        pytest.skip("a library is not installed")
    table = tables()[number]
    data = TripletDataset.from_table(table)
    assert (data.texts, data.names_of(range(3))) == (["a", "b", "c"], ["x", "y", "x"])
    named = TripletDataset.from_table(table, {"label": "id"})
    assert named.names_of(range(3)) == ["1", "2", "3"]


def test_rows_in_memory_are_those_of_a_json_file(tmp_path: Path) -> None:
    rows = [{"Query": "a", "pos": "b", "neg": "c"}, {"Query": "b", "pos": "a", "neg": "d"}]
    file = tmp_path / "a.json"
    for content in (rows, {"triplets": rows}):
        file.write_text(json.dumps(content))
        given, of_file = TripletDataset.from_table(content), TripletDataset(file)
        assert (given.texts, given.kind) == (of_file.texts, "triplets")
        np.testing.assert_array_equal(given.triplets, of_file.triplets)
    labelled = [{"text": text, "label": label} for text, label in zip("abc", "xyx", strict=True)]
    assert TripletDataset.from_table(labelled).names_of(range(3)) == ["x", "y", "x"]
    with pytest.raises(DataError, match=r"must be three texts, .*from_table takes objects"):
        TripletDataset.from_triplets(rows)  # type: ignore[arg-type]


def test_vectors_in_memory() -> None:
    data = TripletDataset.from_table({"embedding": X, "label": Y})
    np.testing.assert_array_equal(data.features, X)
    splits = {"train": {"x": X, "y": Y}, "validation": {"x": X[:1], "y": Y[:1]}}
    assert len(TripletDataset.from_table(splits).validation_items()) == 1


def test_arrays_in_memory_are_those_of_a_file_of_arrays(tmp_path: Path) -> None:
    triplets = {"Anchor": X, "positive": X + 1, "negative": X - 1, "group": np.arange(len(X))}
    parts = {"train_x": X, "train_y": Y, "val_x": X[:1], "val_y": Y[:1]}
    for name, arrays in {"triplets": triplets, "parts": parts}.items():
        np.savez(tmp_path / f"{name}.npz", **arrays)
        of_file = TripletDataset(tmp_path / f"{name}.npz")
        given = TripletDataset.from_table(arrays)
        np.testing.assert_array_equal(given.features, of_file.features)
        assert (given.kind, given.splits) == (of_file.kind, of_file.splits)
        assert given.groups == of_file.groups
        if of_file.triplets is not None:
            np.testing.assert_array_equal(given.triplets, of_file.triplets)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("a.csv", "must be a table of pandas, polars"),
        (3, "must be a table of pandas, polars"),
        ({}, "holds no records"),
        ([], "holds no records"),
        ([{"text": "a", "label": "x"}, 3], "row 1 .*: must be a JSON object, received 3"),
        ([{"text": "a", "label": "x"}, {"text": "b"}], "row 1"),
        ({"text": ["a"], "label": []}, "columns must be of one length, received text 1, label 0"),
        ({"text": ["a"], "TEXT": ["b"]}, "'text': the column must occur once"),
        ({"text": 3}, "'text': must be a column, received 3"),
        ({"words": ["a"]}, "found words"),
        ({"anchor": ["a"], "positive": ["b"]}, "these are pairs"),
        ({"anchor": X, "positive": X, "negative": X}, "'negative': must differ from the anchor"),
        (
            {"anchor": X.tolist(), "positive": X.tolist(), "negative": X.tolist()},
            "row 0 .*'anchor': holds a vector, and triplets of vectors come as the arrays anchor,",
        ),
        ({"train_x": X, "train_y": np.full(len(X), -1)}, "holds no label"),
        ({"text": ["a"], "label": [""]}, "holds no label"),
    ],
)
def test_bad_tables_in_memory(table: Any, message: str) -> None:
    with pytest.raises(DataError, match=rf"^TripletDataset.from_table: .*{message}"):
        TripletDataset.from_table(table)


def test_a_table_that_is_not_collected_is_named() -> None:
    polars = pytest.importorskip("polars")
    with pytest.raises(DataError, match="must be a table that was collected, received a LazyFrame"):
        TripletDataset.from_table(polars.DataFrame({"text": ["a"]}).lazy())


def test_a_value_of_many_lines_is_told_on_one() -> None:
    table = pytest.importorskip("pandas").DataFrame({"c": ["a", "b"]})
    with pytest.raises(DataError, match="'texts': must be a list or an array, received c 0 a 1 b"):
        TripletDataset.from_labelled(table, [0, 1])


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_columns_of_tables_are_texts_labels_splits_and_groups(library: str) -> None:
    module = pytest.importorskip(library)
    make = module.array if library == "pyarrow" else module.Series
    names, splits = ["b", "b", "a", "a", None], ["train"] * 5
    texts = TripletDataset.from_labelled(
        make(list("vwxyz")), make(names), make(splits), make(list("gghhi"))
    )
    vectors = TripletDataset.from_arrays(np.eye(5), make(names), make(splits), make(list("gghhi")))
    for data in (texts, vectors):
        assert data.label_names == ["a", "b"]
        assert data.labels is not None
        assert data.labels.tolist() == [1, 1, 0, 0, -1]
        assert data.splits == splits
    assert texts.texts == list("vwxyz")
    with pytest.raises(
        DataError, match=r"'labels': must be one value a row, shape \(5,\), received"
    ):
        TripletDataset.from_labelled(make(list("vwxyz")), make(names[1:]))


# -- Formats that stay refused


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("a.xlsx", "pandas.read_excel"),
        ("a.pkl", "pandas.read_pickle"),
        ("a.pt", "safetensors.torch.save_file"),
        ("a.h5", "pandas.read_hdf"),
        ("a.mat", "scipy.io.loadmat"),
        ("a.zip", "unpacking it"),
        ("a.yaml", "json.dump"),
        ("a.sqlite", "sqlite3"),
    ],
)
def test_other_formats_name_what_converts_them(tmp_path: Path, name: str, remedy: str) -> None:
    with pytest.raises(DataError, match=rf"received '{name}'; .*{remedy}.* converts it"):
        read_file(write(tmp_path, name, "x"))


def test_a_folder_is_told_before_its_suffix(tmp_path: Path) -> None:
    for name in ("plain", "a.xlsx", "a.csv", "a.npz"):
        (tmp_path / name).mkdir()
        with pytest.raises(DataError, match=rf"{name}: cannot be read: it is a folder"):
            read_file(tmp_path / name)


def test_damaged_arrow_files_are_refused_or_harmless(tmp_path: Path) -> None:
    """What its offsets lead to outside of the file is never read: that ends the process."""
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    rng = np.random.default_rng(0)
    made = pa.table({"text": [f"text {i}" for i in range(50)], "label": ["a", "b"] * 25})
    path = tmp_path / "a.arrow"
    with pa.ipc.new_stream(path, made.schema) as file:
        file.write_table(made, 20)
    whole, refused = path.read_bytes(), 0
    for _ in range(300):
        damaged = bytearray(whole)
        damaged[rng.integers(len(whole))] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        try:
            read_file(path)
        except DataError:
            refused += 1
    assert 30 < refused < 300
