"""Writing a dataset to a file that ``read_file`` reads; the same dataset gives the same bytes."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from ...files import replace_file
from ..dataset import TripletDataset
from ..errors import DataError
from .raw import TRIPLET_FIELDS

__all__ = ["check_format", "write_file"]


def write_file(dataset: TripletDataset, path: str | PathLike[str]) -> None:
    """Write the items with their labels, splits and groups, or the triplets, whole or not at all.

    Texts go into ``.csv``, ``.tsv``, ``.json`` and ``.jsonl`` files, vectors into ``.npz``; ``.gz``
    may follow. Targets are not written.

    Raises:
        DataError: the suffix is not one of those.
        OSError: the file cannot be written; what was there is as it was.
    """
    path = Path(path)
    write, packed = check_format(dataset, path)
    data = write(dataset)
    replace_file(path, gzip.compress(data, mtime=0) if packed else data)


def check_format(
    dataset: TripletDataset, path: Path
) -> tuple[Callable[[TripletDataset], bytes], bool]:
    """What writes the dataset in the format that the suffix names, and whether it is packed."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    packed = suffixes[-1:] == [".gz"]
    suffix = "".join(suffixes[:-1][-1:] if packed else suffixes[-1:])
    known = _TEXTS if dataset.texts is not None else _VECTORS
    if suffix not in known:
        holds = "texts" if dataset.texts is not None else "vectors"
        raise DataError(
            f"{path}: the suffix for {holds} must be one of {', '.join(known)} (or that and .gz), "
            f"received {path.name!r}"
        )
    return known[suffix], packed


def _records(dataset: TripletDataset) -> list[dict[str, str]]:
    texts, groups = dataset.texts, dataset.groups
    assert texts is not None
    columns: dict[str, list[str]] = {}
    if dataset.triplets is not None:
        for name, items in zip(TRIPLET_FIELDS, dataset.triplets.T.tolist(), strict=True):
            columns[name] = [texts[item] for item in items]
    else:
        columns["text"] = texts
    if dataset.label_names is not None and dataset.labels is not None:
        columns["label"] = [dataset.label_names[label] for label in dataset.labels]
    if dataset.splits is not None:
        columns["split"] = dataset.splits
    if groups is not None:
        columns["group"] = [str(group) for group in groups]
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _table(dataset: TripletDataset, delimiter: str) -> bytes:
    records, text = _records(dataset), io.StringIO(newline="")
    writer = csv.DictWriter(text, list(records[0]), delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue().encode()


def _csv(dataset: TripletDataset) -> bytes:
    return _table(dataset, ",")


def _tsv(dataset: TripletDataset) -> bytes:
    return _table(dataset, "\t")


def _json(dataset: TripletDataset) -> bytes:
    records = _records(dataset)
    content = records if dataset.triplets is None else {"triplets": records}
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()


def _jsonl(dataset: TripletDataset) -> bytes:
    lines = (json.dumps(record, ensure_ascii=False) for record in _records(dataset))
    return "".join(f"{line}\n" for line in lines).encode()


def _npz(dataset: TripletDataset) -> bytes:
    x, groups = dataset.features, dataset.groups
    assert x is not None
    arrays: dict[str, Any] = {"x": x}
    if dataset.triplets is not None:
        arrays = {n: x[own] for n, own in zip(TRIPLET_FIELDS, dataset.triplets.T, strict=True)}
    elif dataset.label_names is not None:
        arrays |= {"y": dataset.labels, "labels": np.array(dataset.label_names)}
    if dataset.splits is not None:
        arrays["split"] = np.array(dataset.splits)
    if groups is not None:
        arrays["group"] = np.array([str(group) for group in groups])
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


_TEXTS = {".csv": _csv, ".tsv": _tsv, ".json": _json, ".jsonl": _jsonl}
_VECTORS = {".npz": _npz}
