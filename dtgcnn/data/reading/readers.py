"""Reading a file of triplets, labelled items or plain texts, in any of the formats known here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import BinaryIO, Self, TypeAlias

from ...errors import DataError
from .array_files import read_npy, read_npz, read_safetensors
from .json_records import read_json, read_jsonl
from .limits import record_limit
from .lines import format_of, open_bytes, read_lines
from .parquet import read_parquet
from .raw import RawData, Record, from_records
from .source import Source
from .tables import read_table

__all__ = ["RawData", "Records", "read_file", "read_records"]

_Found: TypeAlias = tuple[Source, Iterator[Record]]


def read_file(path: str | PathLike[str], *, labels: bool = True) -> RawData:
    """Read a file in the format that its suffix names; ``.gz`` may follow every suffix.

    ============================ =============================================================
    ``.csv``, ``.tsv``           a header row: anchor, positive, negative | text, label[, split]
                                 | text, and maybe group; further columns are ignored
    ``.json``                    ``{"triplets": [...]}``, or a list of objects with the fields
                                 above, or a list of strings
    ``.jsonl``                   one such object a line
    ``.txt``                     one text a line
    ``.parquet``                 columns as in ``.csv``
    ``.npy``                     features (N, D)
    ``.npz``, ``.safetensors``   ``x``[, ``y``], or ``train_x``, ``train_y``, ``test_x``,
                                 ``test_y``, or ``anchor``, ``positive``, ``negative``;
                                 ``labels`` names the classes that ``y`` counts
    ============================ =============================================================

    Args:
        path: the file.
        labels: whether one label at least must be known where there are labels. If not, a file
            whose labels are all blank, null or −1 is of kind "texts".

    Raises:
        DataError: no such file, an unknown suffix, a damaged file, or a record that breaks a
            rule; names the file and the place in it.
    """
    raw = _read(Path(path))
    if labels:
        raw.require_label()
    elif raw.labels is not None and not any(raw.labels):
        return replace(raw, kind="texts", labels=None)
    return raw


def _read(path: Path) -> RawData:
    suffix, packed = format_of(path, [*_RECORDS, *_ARRAYS])
    if suffix not in _ARRAYS:
        origin, records = read_records(path)
        with records:
            return from_records(origin, records)
    source = Source(str(path), "row")
    with open_bytes(source, path, packed) as file:
        return _ARRAYS[suffix](source, file.read())


class Records:
    """The records of a file, in order. Closes the file at its end, at a fault, and at the end of a
    ``with`` block."""

    def __init__(self, file: BinaryIO, records: Iterator[Record]) -> None:
        self._file, self._records = file, records

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Record:
        try:
            return next(self._records)
        except BaseException:  # StopIteration too
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; no record comes after."""
        self._records = iter(())
        self._file.close()


def read_records(path: str | PathLike[str]) -> tuple[Source, Records]:
    """The raw records of a file, one after another, for whoever knows what fields they must have.

    Every record is its row and a mapping: of a table, texts by column name (lower case, white space
    stripped); of JSON, whatever the object holds; of Parquet, Python values by column name; of
    .txt, the line as ``text``. The rows are what ``source.error(message, row, field)`` takes to say
    where a record breaks a rule. One block of the file is in memory at a time (.json: all of it).

        source, records = read_records("pairs.csv")
        with records:
            for row, record in records:
                if "score" not in record:
                    raise source.error("is missing", row, "score")

    Raises:
        DataError: as ``read_file``, but for the fields; some of it only as records are read.
    """
    path = Path(path)
    suffix, packed = format_of(path, [*_RECORDS, *_ARRAYS])
    if suffix in _ARRAYS:
        raise DataError(f"{path}: holds arrays; records are in {', '.join(_RECORDS)} files")
    read, unit = _RECORDS[suffix]
    source = Source(str(path), unit)
    file = open_bytes(source, path, packed)
    try:
        source, records = read(source, file)
    except BaseException:
        file.close()
        raise
    return source, Records(file, records)


def _csv(source: Source, file: BinaryIO) -> _Found:
    return read_table(source, file, ",")


def _tsv(source: Source, file: BinaryIO) -> _Found:
    path = Path(source.name)
    packed = path.suffix.lower() == ".gz"
    return read_table(source, file, "\t", lambda: open_bytes(source, path, packed))


def _json(source: Source, file: BinaryIO) -> _Found:
    return source, read_json(source, file)


def _jsonl(source: Source, file: BinaryIO) -> _Found:
    return source, read_jsonl(source, file)


def _parquet(source: Source, file: BinaryIO) -> _Found:
    return source, read_parquet(source, file)


def _txt(source: Source, file: BinaryIO) -> _Found:
    return source, _texts(source, file)


def _texts(source: Source, file: BinaryIO) -> Iterator[Record]:
    # Blank lines at the end are no texts; one in the middle is an error, since leaving it out
    # would shift every later text against its line.
    blank: list[Record] = []
    for row, line in enumerate(read_lines(source, file, record_limit()), start=1):
        blank.append((row, {"text": line}))
        if line.strip():
            yield from blank
            blank.clear()


_RECORDS: dict[str, tuple[Callable[[Source, BinaryIO], _Found], str]] = {
    ".csv": (_csv, "line"),
    ".tsv": (_tsv, "line"),
    ".json": (_json, "record"),
    ".jsonl": (_jsonl, "line"),
    ".txt": (_txt, "line"),
    ".parquet": (_parquet, "row"),
}

_ARRAYS: dict[str, Callable[[Source, bytes], RawData]] = {
    ".npy": read_npy,
    ".npz": read_npz,
    ".safetensors": read_safetensors,
}
