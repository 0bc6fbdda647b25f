"""Reading a file of triplets, labelled items or plain texts, in any of the formats known here."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import BinaryIO, Self, TypeAlias

from ...errors import DataError
from .array_files import read_npy, read_npz, read_safetensors
from .arrow import is_saved_folder, read_arrow, read_folder
from .conversions import CONVERTED
from .json_records import read_json, read_jsonl
from .lines import format_of, open_bytes
from .parquet import read_parquet
from .raw import RawData, Record, from_records
from .shapes import Columns, Shape, shaped
from .source import Source, shorten
from .tables import read_table
from .texts import read_texts

__all__ = [
    "SUFFIXES",
    "RawData",
    "Records",
    "is_data_path",
    "not_pairs",
    "open_shaped",
    "read_file",
    "read_records",
]

_Found: TypeAlias = tuple[Source, Iterator[Record]]


def is_data_path(name: str | PathLike[str]) -> bool:
    """Whether there is a file of this name, or a folder that ``read_file`` reads."""
    try:
        return Path(name).is_file() or is_saved_folder(Path(name))
    except (OSError, ValueError):  # a text may be longer than a name, or hold what none may
        return False


def read_file(
    path: str | PathLike[str], *, columns: Columns | None = None, labels: bool = True
) -> RawData:
    """Read a file in the format that its suffix names; ``.gz`` may follow that of a text file.

    ============================ =============================================================
    ``.csv``, ``.tsv``           a header row: anchor, positive, negative | text, label[, split]
                                 | text, and maybe group
    ``.json``                    ``{"triplets": [...]}``, or a list of objects with the fields
                                 above, of texts, or of lists of three texts; such lists by the
                                 names of splits; or an object of columns
    ``.jsonl``, ``.ndjson``      one such object, text or list a line
    ``.txt``                     one text a line, or ``__label__class text``
    ``.parquet``, ``.arrow``,    columns as in ``.csv``; or one of vectors, and maybe ``label``;
    ``.feather``                 so of a folder that ``save_to_disk`` of ``datasets`` wrote
    ``.npy``                     features (N, D)
    ``.npz``, ``.safetensors``   ``x``[, ``y``], or ``train_x``, ``train_y`` and those of other
                                 splits, or ``anchor``, ``positive``, ``negative``; ``labels``
                                 names the classes that ``y`` counts
    ============================ =============================================================

    ``docs/data.md`` has the other names that fields may have.

    Args:
        path: the file.
        columns: the names of fields that hold the text, the label, the split or the group, where
            they are others: ``{"text": "utterance", "label": "intent"}``.
        labels: whether one label at least must be known where there are labels. If not, a file
            whose labels are all blank, null or −1 is of kind "texts".

    Raises:
        DataError: no such file, an unknown suffix, a damaged file, or a record that breaks a
            rule; names the file and the place in it.
    """
    raw = _read(path, columns or {})
    if labels:
        raw.require_label()
    elif raw.labels is not None and not any(raw.labels):
        return replace(raw, kind="texts", labels=None)
    return raw


def _read(given: str | PathLike[str], columns: Columns) -> RawData:
    path = _path(given)
    if path.is_dir() or _format(path)[0] not in _ARRAYS:
        source, shape, records = open_shaped(given, columns)
        with records:
            if shape.held == "pairs":
                raise not_pairs(source, shape)
            return from_records(source, records)
    suffix, packed = _format(path)
    source = Source(_name(given), "row")
    with open_bytes(source, path, packed) as file:
        whole = file if file.seekable() and not packed else io.BytesIO(file.read())
        return _ARRAYS[suffix](source, whole, columns)


def not_pairs(source: Source, shape: Shape) -> DataError:
    """The error where pairs are no data to train on."""
    scored = ", and 'dtgcnn evaluate' measures a model by their scores" if shape.scored else ""
    return source.error(
        f"a triplet lacks negative; found {', '.join(shape.names)}: these are pairs, of which "
        f"'dtgcnn generate' makes triplets{scored}",
        shape.row,
    )


def open_shaped(
    path: str | PathLike[str], columns: Columns | None = None
) -> tuple[Source, Shape, Records]:
    """The records of a file by our names of fields; see ``shaped``.

    Raises:
        DataError: as ``read_file``; some of it only as records are read.
    """
    source, records = read_records(path)
    try:
        source, shape, found = shaped(source, records, columns)
    except BaseException:
        records.close()
        raise
    return source, shape, Records(records, found)


class Records:
    """The records of a file, in order. Closes the file at its end, at a fault, and at the end of a
    ``with`` block."""

    def __init__(self, file: BinaryIO | Records | None, records: Iterator[Record]) -> None:
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
        if self._file is not None:
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
    name, path = _name(path), _path(path)
    if path.is_dir():
        source, found = read_folder(Source(name, "row"), path)
        return source, Records(None, found)
    suffix, packed = _format(path)
    if suffix in _ARRAYS:
        raise DataError(f"{name}: holds arrays; records are in {', '.join(_RECORDS)} files")
    read, unit = _RECORDS[suffix]
    source = Source(name, unit)
    file = open_bytes(source, path, packed)
    try:
        source, records = read(source, file)
    except BaseException:
        file.close()
        raise
    return source, Records(file, records)


def _path(given: str | PathLike[str]) -> Path:
    try:
        return Path(given)
    except TypeError:
        raise DataError(
            f"path must name a file, received {shorten(given)}; TripletDataset.from_table, "
            "from_labelled, from_triplets and from_arrays take what is in memory"
        ) from None


def _name(path: str | PathLike[str]) -> str:
    """How messages name a file: a path that is no ``Path`` may have a name of its own."""
    return str(Path(path) if isinstance(path, str) else path)


def _format(path: Path) -> tuple[str, bool]:
    """The suffix that names the format, and whether ``.gz`` follows; an error that tells, where it
    is known, what converts it."""
    try:
        return format_of(path, [*_RECORDS, *_ARRAYS])
    except DataError as error:
        suffix = path.suffix.lower()
        remedy = f"; {CONVERTED[suffix]} converts it" if suffix in CONVERTED else ""
        raise DataError(f"{error}{remedy}") from None


def _csv(source: Source, file: BinaryIO) -> _Found:
    return read_table(source, file, ",")


def _tsv(source: Source, file: BinaryIO) -> _Found:
    path = Path(file.name)
    packed = path.suffix.lower() == ".gz"
    return read_table(source, file, "\t", lambda: open_bytes(source, path, packed))


def _jsonl(source: Source, file: BinaryIO) -> _Found:
    return source, read_jsonl(source, file)


def _txt(source: Source, file: BinaryIO) -> _Found:
    return source, read_texts(source, file)


_RECORDS: dict[str, tuple[Callable[[Source, BinaryIO], _Found], str]] = {
    ".csv": (_csv, "line"),
    ".tsv": (_tsv, "line"),
    ".json": (read_json, "record"),
    ".jsonl": (_jsonl, "line"),
    ".ndjson": (_jsonl, "line"),
    ".txt": (_txt, "line"),
    ".parquet": (read_parquet, "row"),
    ".arrow": (read_arrow, "row"),
    ".feather": (read_arrow, "row"),
}

_ARRAYS: dict[str, Callable[[Source, BinaryIO, Columns], RawData]] = {
    ".npy": read_npy,
    ".npz": read_npz,
    ".safetensors": read_safetensors,
}

SUFFIXES = frozenset([*_RECORDS, *_ARRAYS])
"""What the names of files end in that are read."""
