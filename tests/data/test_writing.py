"""The files that datasets are written to: what is read back is what was written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dtgcnn import DataError, TripletDataset
from dtgcnn.data import write_file

from ..conftest import blobs, sentences, text_triplets


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".json", ".jsonl", ".csv.gz"])
def test_texts_come_back_as_they_were_written(tmp_path: Path, suffix: str) -> None:
    texts, labels = sentences()
    texts[0], texts[1], texts[2] = 'a "quoted", text\nof\ttwo lines', "é 借记卡 ß", "'=1+1;|"
    splits = ["train" if i % 2 else "test" for i in range(len(texts))]
    data = TripletDataset.from_labelled(texts, labels, splits, [f"g{i // 2}" for i in range(84)])
    path = tmp_path / f"d{suffix}"
    write_file(data, path)
    back = TripletDataset(path)
    assert (back.texts, back.splits, back.groups) == (texts, splits, data.groups)
    assert back.label_names == data.label_names
    np.testing.assert_array_equal(back.labels, data.labels)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".json", ".jsonl"])
def test_triplets_come_back_as_they_were_written(tmp_path: Path, suffix: str) -> None:
    data, path = text_triplets(), tmp_path / f"d{suffix}"
    write_file(data, path)
    back = TripletDataset(path)
    assert back.texts == data.texts
    np.testing.assert_array_equal(back.triplets, data.triplets)
    if suffix == ".json":
        assert set(json.loads(path.read_text())) == {"triplets"}


def test_vectors_come_back_as_they_were_written(tmp_path: Path) -> None:
    x, labels = blobs()
    names = np.array(["b", "a", "d", "c"])[labels]
    splits = ["train"] * 60 + ["test"] * 20
    data = TripletDataset.from_arrays(x, names, splits, [f"g{i // 2}" for i in range(80)])
    for name in ("a.npz", "b.npz"):
        write_file(data, tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    back = TripletDataset(tmp_path / "a.npz")
    np.testing.assert_array_equal(back.features, x)
    np.testing.assert_array_equal(back.labels, data.labels)
    assert (back.label_names, back.splits, back.groups) == (list("abcd"), splits, data.groups)
    rows = {"anchor": x[[0, 1]], "positive": x[[1, 2]], "negative": x[[20, 40]]}
    np.savez(tmp_path / "t.npz", **rows)
    write_file(TripletDataset(tmp_path / "t.npz"), tmp_path / "u.npz")
    again = np.load(tmp_path / "u.npz")
    assert all(np.array_equal(again[name], rows[name]) for name in rows)


def test_vectors_need_a_format_for_vectors(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"the suffix for vectors must be one of \.npz"):
        write_file(TripletDataset.from_arrays(*blobs()), tmp_path / "x.csv")
