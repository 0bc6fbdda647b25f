"""Writing records, as they come, and datasets, to files that ``read_file`` reads.

Equal content gives equal bytes, packed or not.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO, Literal, TextIO, TypeAlias

import numpy as np

from ...storage import replace_file, replacing
from ..items import Items, check_items
from ..reading.lines import format_of
from ..reading.raw import TRIPLET_FIELDS

__all__ = ["check_format", "record_format", "write_file", "write_records"]

_Records: TypeAlias = Iterable[Mapping[str, str]]


def write_file(dataset: Items, path: str | PathLike[str]) -> None:
    """Write the items with their labels, splits and groups, or the triplets, whole or not at all.

    Texts go into ``.csv``, ``.tsv``, ``.json`` and ``.jsonl`` files, vectors into ``.npz``; ``.gz``
    may follow. Targets are not written.

    Raises:
        DataError: the suffix is not one of those.
        OSError: the file cannot be written; what was there is as it was.
    """
    path = Path(path)
    _, packed = check_format(dataset, path)
    if dataset.texts is not None:
        write_records(path, _records(dataset), None if dataset.triplets is None else "triplets")
        return
    data = _npz(dataset)
    replace_file(path, gzip.compress(data, mtime=0) if packed else data)


def write_records(path: Path, records: _Records, name: str | None = None) -> int:
    """Write records of the same fields in the format that the suffix names; returns how many.

    Args:
        path: the file, which appears only once complete.
        records: field by name, taken as they come.
        name: of the list of records, where a ``.json`` document is an object that holds it.

    Raises:
        DataError: the suffix is none of a text file's.
        OSError: the file cannot be written; what was there is as it was.
    """
    suffix, packed = record_format(path)
    count = 0

    def counted() -> _Records:
        nonlocal count
        for record in records:
            count += 1
            yield record

    with replacing(path) as raw, _text_file(raw, packed) as file:
        _WRITERS[suffix](file, counted(), name)
    return count


def record_format(path: Path, of: str = "") -> tuple[str, bool]:
    """The suffix that names the format, and whether ``.gz`` follows it.

    Raises:
        DataError: records are not written in such a format.
    """
    return format_of(path, _WRITERS, of)


def check_format(dataset: Items, path: Path) -> tuple[str, bool]:
    """The same for ``write_file``."""
    check_items("dataset", dataset)
    if dataset.texts is not None:
        return record_format(path, " for texts")
    return format_of(path, [".npz"], " for vectors")


@contextmanager
def _text_file(raw: BinaryIO, packed: bool) -> Iterator[TextIO]:
    # Neither name nor time goes into a packed file: equal content is to be equal bytes.
    target: Any = gzip.GzipFile("", "wb", 6, raw, mtime=0) if packed else raw
    text = io.TextIOWrapper(target, "utf-8", newline="")
    yield text
    text.flush()
    text.detach()
    if packed:
        target.close()


def _json(file: TextIO, records: _Records, name: str | None) -> None:
    begin, end = ("[", "]") if name is None else (f'{{"{name}": [', "]}")
    file.write(begin)
    for number, record in enumerate(records):
        file.write(f"{',' if number else ''}\n  {json.dumps(record, ensure_ascii=False)}")
    file.write(f"\n{end}\n")


def _jsonl(file: TextIO, records: _Records, name: str | None) -> None:
    for record in records:
        file.write(f"{json.dumps(record, ensure_ascii=False)}\n")


def _csv(file: TextIO, records: _Records, name: str | None) -> None:
    _table(file, records, ",", csv.QUOTE_MINIMAL)


def _tsv(file: TextIO, records: _Records, name: str | None) -> None:
    # Quotes around the names tell readers that those in the rows enclose cells too.
    _table(file, records, "\t", csv.QUOTE_ALL)


def _table(file: TextIO, records: _Records, delimiter: str, header: Literal[0, 1, 2, 3]) -> None:
    names, some, every = (
        csv.writer(file, delimiter=delimiter, lineterminator="\n", quoting=quoting)
        for quoting in (header, csv.QUOTE_MINIMAL, csv.QUOTE_ALL)
    )
    for number, record in enumerate(records):
        if not number:
            names.writerow(record)
        # Readers take a carriage return for the end of a line, and the library does not quote it.
        writer = every if any("\r" in str(value) for value in record.values()) else some
        writer.writerow(record.values())


_WRITERS: dict[str, Callable[[TextIO, _Records, str | None], None]] = {
    ".csv": _csv,
    ".tsv": _tsv,
    ".json": _json,
    ".jsonl": _jsonl,
}


def _records(dataset: Items) -> Iterator[dict[str, str]]:
    texts, groups = dataset.texts, dataset.groups
    assert texts is not None
    columns: dict[str, list[str]] = {}
    if dataset.triplets is not None:
        for name, items in zip(TRIPLET_FIELDS, dataset.triplets.T.tolist(), strict=True):
            columns[name] = [texts[item] for item in items]
    else:
        columns["text"] = texts
    if dataset.label_names is not None and dataset.labels is not None:
        columns["label"] = dataset.names_of(range(dataset.num_items))
    if dataset.splits is not None:
        columns["split"] = dataset.splits
    if groups is not None:
        columns["group"] = [str(group) for group in groups]
    return (dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))


def _npz(dataset: Items) -> bytes:
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
