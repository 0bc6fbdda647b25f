"""Files read a block at a time: the same data as read whole, in bounded memory."""

from __future__ import annotations

import csv
import json
import sys
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtgcnn import DTGCNN, Trainer
from dtgcnn.data import TripletDataset, read_blocks, read_file
from dtgcnn.data.reading.readers import read_records
from dtgcnn.errors import DataError, MissingExtraError


class Lengths:
    """An encoder with nothing to learn: counts characters, so that its rows can be told."""

    name, dim = "lengths", 3

    def __init__(self) -> None:
        self.largest = 0

    def fit(self, texts: Sequence[str]) -> Lengths:
        return self

    def encode(self, texts: Sequence[str]) -> Any:
        self.largest = max(self.largest, len(texts))
        rows = [[len(text), sum(map(ord, text)) % 97, text.count("e")] for text in texts]
        return np.array(rows, np.float64)

    def save(self, directory: Any) -> None:
        raise NotImplementedError

    load = save


def table(path: Path, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def labelled(path: Path, count: int = 500) -> Path:
    rows = [
        [
            f"Text number {i // 2 if i % 50 < 2 else i}",
            i % 7,
            "train" if i % 5 else "test",
            i // 9,
        ]
        for i in range(count)
    ]
    return table(path, ["text", "label", "split", "group"], rows)


def triplets(path: Path, count: int = 300) -> Path:
    rows = [[f"a{i % 90}", f"A{i % 90} again", f"n{i * 7 % 90} not"] for i in range(count)]
    return table(path, ["anchor", "positive", "negative"], rows)


def parquet(path: Path, **columns: Any) -> Path:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow.parquet import write_table

    write_table(pyarrow.table(columns), path, row_group_size=100)
    return path


# Blocks


def test_blocks_hold_no_more_than_asked_for(tmp_path: Path) -> None:
    path = labelled(tmp_path / "a.csv")
    blocks = list(read_blocks(path, 64))
    assert [len(block.rows) for block in blocks] == [64] * 7 + [52]
    assert blocks[1].rows[0] == 66
    assert list(blocks[0].columns) == ["text", "label", "split", "group"]


def test_long_texts_make_short_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DTGCNN_MAX_TEXT", "100")
    path = table(tmp_path / "a.csv", ["text"], [["x" * 90]] * 50)
    assert [len(block.rows) for block in read_blocks(path)] == [18, 18, 14]


def test_blocks_of_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"block_rows must be at least 1, received 0"):
        read_blocks(tmp_path / "a.csv", 0)


def test_a_fault_far_in_names_its_line_and_leaves_the_blocks_before(tmp_path: Path) -> None:
    path = labelled(tmp_path / "a.csv")
    with path.open("a") as file:
        file.write(",last,train,1\n")
    blocks = read_blocks(path, 100)
    assert [len(next(blocks).rows) for _ in range(5)] == [100] * 5
    with pytest.raises(DataError, match=r"a.csv: line 502: 'text': must not be blank"):
        next(blocks)


def test_raw_records_are_what_the_file_holds(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", [" Sentence1", "SCORE"], [["a ", "0.5"]])
    source, records = read_records(path)
    assert list(records) == [(2, {"sentence1": "a ", "score": "0.5"})]
    assert str(source.error("is low", 2, "score")) == f"{path}: line 2: 'score': is low"
    (tmp_path / "b.jsonl").write_text('{"anchor": "a", "n": [1]}\n')
    assert list(read_records(tmp_path / "b.jsonl")[1]) == [(1, {"anchor": "a", "n": [1]})]
    with pytest.raises(DataError, match=r"holds arrays; records are in .csv, .*parquet, .* files"):
        read_records(tmp_path / "c.npz")


def test_a_file_is_closed_when_its_records_are(tmp_path: Path) -> None:
    """A warning about a file that is left open is an error here."""
    path = labelled(tmp_path / "a.csv")
    _, records = read_records(path)
    with records:
        next(records)
    assert list(records) == []
    blocks = read_blocks(path, 10)
    next(blocks)
    del blocks, records


# Parquet


def test_parquet_holds_the_same_as_csv(tmp_path: Path) -> None:
    whole = read_file(labelled(tmp_path / "a.csv"))
    columns = {"Text": whole.texts, "label": [int(x) for x in whole.labels or []]}
    path = parquet(tmp_path / "a.parquet", **columns, split=whole.splits, group=whole.groups)
    raw = read_file(path)
    assert (raw.texts, raw.labels, raw.splits, raw.groups) == (
        *(whole.texts, whole.labels, whole.splits, whole.groups),
    )
    assert [row for block in read_blocks(path, 30) for row in block.rows] == list(range(500))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"text": ["a", None]}, r"row 1 .*'text': must be a string, received None"),
        ({"text": ["a", " "]}, r"row 1 .*'text': must not be blank"),
        ({"text": [1, 2]}, r"row 0 .*'text': must be a string, received 1"),
        ({"text": ["a"], "label": [float("inf")]}, r"row 0 .*'label': must be finite"),
        ({"text": ["a"], "Text": ["b"]}, r"'text': the column must occur once"),
        ({"words": ["a"]}, r"row 0 .*needs the fields .*found words"),
        ({"text": ["a"] * 2000 + [""]}, r"row 2000 .*'text': must not be blank"),
        ({"text": np.array([], str)}, r"holds no records"),
    ],
)
def test_faults_in_parquet(tmp_path: Path, columns: dict[str, Any], message: str) -> None:
    path = parquet(tmp_path / "a.parquet", **columns)
    with pytest.raises(DataError, match=f"^{path}: {message}"):
        read_file(path)


def test_damaged_parquet(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", text=[f"text {i}" for i in range(5000)])
    content = path.read_bytes()
    for damaged in (b"PAR1", b"text", content[:-20], content[:100] + b"\xff" * 400 + content[500:]):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"a.parquet: is not a readable Parquet file"):
            read_file(path)
    packed = tmp_path / "a.parquet.gz"
    packed.write_bytes(b"\x1f\x8b")
    with pytest.raises(DataError, match=r"a.parquet.gz: "):
        read_file(packed)


def test_parquet_without_pyarrow_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'dtgcnn\[parquet\]'"):
        read_file(path)


# Datasets whose features are on the disk


@pytest.mark.parametrize("make", [labelled, triplets])
def test_streamed_it_is_the_same_dataset(tmp_path: Path, make: Any) -> None:
    path, encoder = make(tmp_path / "a.csv"), Lengths()
    whole = TripletDataset(path)
    streamed = TripletDataset.stream(path, encoder, tmp_path / "made" / "here")
    np.testing.assert_array_equal(streamed.features, encoder.encode(whole.inputs))
    assert streamed.features is not None
    assert streamed.features.dtype == np.float32
    assert isinstance(streamed.features.base, np.memmap)
    np.testing.assert_array_equal(streamed.labels, whole.labels)
    np.testing.assert_array_equal(streamed.triplets, whole.triplets)  # type: ignore[arg-type]
    assert (streamed.label_names, streamed.splits, streamed.groups, streamed.source) == (
        *(whole.label_names, whole.splits, whole.groups, whole.source),
    )
    for one, other in zip(*(d.create_dataloaders(16, 0.8) for d in (whole, streamed)), strict=True):
        np.testing.assert_array_equal(one.items, other.items)
        for first, second in zip(one, other, strict=True):
            np.testing.assert_array_equal(first.items, second.items)


def test_texts_that_differ_in_case_stay_together_though_they_are_gone(tmp_path: Path) -> None:
    rows = [[word if i % 2 else f" {word.upper()} ", i % 4 // 2] for i, word in
            enumerate(f"word {i // 2}" for i in range(200))]  # fmt: skip
    path = table(tmp_path / "a.csv", ["text", "label"], rows)
    dataset = TripletDataset.stream(path, Lengths(), tmp_path)
    train, validation = dataset.create_dataloaders(16, 0.7)
    whole = TripletDataset(path).create_dataloaders(16, 0.7)[1]
    np.testing.assert_array_equal(validation.items, whole.items)
    assert len(validation.items) > 40
    assert not set(train.items // 2) & set(validation.items // 2)


def test_no_more_than_a_block_is_encoded_at_a_time(tmp_path: Path) -> None:
    encoder = Lengths()
    path = table(tmp_path / "a.csv", ["text"], [[f"t{i}"] for i in range(10_000)])
    dataset = TripletDataset.stream(path, encoder, tmp_path)
    assert (dataset.num_items, encoder.largest) == (10_000, 4096)


def test_the_file_of_features_is_a_plain_npy_file(tmp_path: Path) -> None:
    dataset = TripletDataset.stream(labelled(tmp_path / "a.csv"), Lengths(), tmp_path)
    np.testing.assert_array_equal(np.load(tmp_path / "a.csv.npy"), dataset.features)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "a.csv.npy"]


def test_nothing_is_left_of_a_stream_that_fails(tmp_path: Path) -> None:
    path = labelled(tmp_path / "a.csv", 9000)
    with path.open("a") as file:
        file.write(",last,train,1\n")
    with pytest.raises(DataError, match="line 9002"):
        TripletDataset.stream(path, Lengths(), tmp_path)
    with pytest.raises(DataError, match=r"b.csv: no such file"):
        TripletDataset.stream(tmp_path / "b.csv", Lengths(), tmp_path / "absent")
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        (lambda n: np.ones((n, 2)), ValueError, r"shape \(500, 3\), not \(500, 2\)"),
        (lambda n: np.ones((n - 1, 3)), ValueError, r"shape \(500, 3\), not \(499, 3\)"),
        (
            lambda n: np.where(np.arange(n)[:, None] == 7, np.nan, np.ones((n, 3))),
            DataError,
            "line 9: the encoder gives nan or infinity",
        ),
        (lambda n: np.full((n, 3), 1e39), DataError, "line 2: the encoder gives nan or infinity"),
    ],
)
def test_what_an_encoder_gives_is_checked(
    tmp_path: Path, rows: Any, error: type[Exception], message: str
) -> None:
    encoder = Lengths()
    encoder.encode = lambda texts: rows(len(texts))  # type: ignore[method-assign]
    with pytest.raises(error, match=message):
        TripletDataset.stream(labelled(tmp_path / "a.csv"), encoder, tmp_path)


def test_a_model_trains_on_it_and_then_encodes_texts(tmp_path: Path) -> None:
    path, encoder = labelled(tmp_path / "a.csv"), Lengths()
    dataset = TripletDataset.stream(path, encoder, tmp_path)
    train, validation = dataset.create_dataloaders(32)
    model = DTGCNN(input_dim=3, hidden_dims=[8], output_dim=4, encoder=encoder, backend="numpy")
    trainer = Trainer(model, train_loader=train, val_loader=validation, epochs=1)
    trainer.train()
    assert model.encode(["a new text"]).shape == (1, 4)


def peak_of(read: Any) -> int:
    """Bytes that Python held at most while ``read`` ran."""
    tracemalloc.start()
    try:
        read()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".txt", ".parquet"])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, suffix: str) -> None:
    path, text, count = tmp_path / f"a{suffix}", "some words of a text " * 50, 6000
    if suffix == ".csv":
        table(path, ["text", "label"], [[f"{i} {text}", "x"] for i in range(count)])
    elif suffix == ".parquet":
        parquet(path, text=[f"{i} {text}" for i in range(count)])
    else:
        lines = (f"{i} {text}" for i in range(count))
        rows = lines if suffix == ".txt" else (json.dumps({"text": line}) for line in lines)
        path.write_text("\n".join(rows))
    size = count * len(text)
    assert peak_of(lambda: read_file(path)) > size
    assert peak_of(lambda: sum(len(block.rows) for block in read_blocks(path, 100))) < size / 2
