"""Reading a file of triplets, labelled items or plain texts, in any of the formats known here."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Callable
from os import PathLike
from pathlib import Path

from .arrays import read_npy, read_npz, read_safetensors
from .errors import DataError, Source, shorten
from .raw import RawData, Record, from_records, kind_of

__all__ = ["RawData", "read_file"]


def read_file(path: str | PathLike[str]) -> RawData:
    """Read a file in the format that its suffix names; ``.gz`` may follow every suffix.

    ============================ =============================================================
    ``.csv``, ``.tsv``           a header row: anchor, positive, negative | text, label[, split]
                                 | text; further columns are ignored
    ``.json``                    ``{"triplets": [...]}``, or a list of objects with the fields
                                 above, or a list of strings
    ``.jsonl``                   one such object a line
    ``.txt``                     one text a line
    ``.npy``                     features (N, D)
    ``.npz``, ``.safetensors``   ``x``[, ``y``], or ``train_x``, ``train_y``, ``test_x``,
                                 ``test_y``, or ``anchor``, ``positive``, ``negative``;
                                 ``labels`` names the classes that ``y`` counts
    ============================ =============================================================

    Raises:
        DataError: no such file, an unknown suffix, a damaged file, or a record that breaks a
            rule; names the file and the place in it.
    """
    path = Path(path)
    suffixes = [suffix.lower() for suffix in path.suffixes]
    packed = suffixes[-1:] == [".gz"]
    suffix = "".join(suffixes[:-1][-1:] if packed else suffixes[-1:])
    if suffix not in _PARSERS:
        known = ", ".join(_PARSERS)
        raise DataError(
            f"{path}: the suffix must be one of {known} (or that and .gz), received {path.name!r}"
        )
    parse, unit = _PARSERS[suffix]
    source = Source(str(path), unit)
    data = _read_bytes(source, path, packed)
    if not data:
        raise source.error("the file is empty")
    return parse(source, data)


def _read_bytes(source: Source, path: Path, packed: bool) -> bytes:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise source.error("no such file") from None
    except OSError as error:
        raise source.error(f"cannot be read: {error.strerror or error}") from None
    try:
        return gzip.decompress(data) if packed else data
    except (OSError, EOFError, zlib.error) as error:
        raise source.error(f"is not a whole gzip file: {error}") from None


def _decode(source: Source, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{source.name}: line {line}: must be UTF-8, found byte 0x{data[error.start]:02x} "
            f"at offset {error.start} ({error.reason})"
        ) from None


def _parse_table(source: Source, data: bytes, delimiter: str) -> RawData:
    csv.field_size_limit(max(csv.field_size_limit(), len(data)))
    reader = csv.reader(
        io.StringIO(_decode(source, data), newline=""), delimiter=delimiter, strict=True
    )
    header: list[str] = []
    records: list[Record] = []
    line = 1
    try:
        for cells in reader:
            if not header and cells:
                header = _header(source, line, cells)
            elif cells:
                if len(cells) != len(header):
                    message = f"has {len(cells)} cells where the header has {len(header)}"
                    raise source.error(f"{message} ({', '.join(header)})", line)
                records.append((line, dict(zip(header, cells, strict=True))))
            line = reader.line_num + 1
    except csv.Error as error:
        raise source.error(f"is not well-formed CSV: {error}", line) from None
    return from_records(source, records)


def _header(source: Source, line: int, cells: list[str]) -> list[str]:
    names = [cell.strip().lower() for cell in cells]
    kind_of(source, names, line)
    for name in ("anchor", "positive", "negative", "text", "label", "split"):
        if names.count(name) > 1:
            raise source.error("the column must occur once", line, name)
    return names


def _parse_csv(source: Source, data: bytes) -> RawData:
    return _parse_table(source, data, ",")


def _parse_tsv(source: Source, data: bytes) -> RawData:
    return _parse_table(source, data, "\t")


def _parse_json(source: Source, data: bytes) -> RawData:
    content = _json(source, _decode(source, data))
    if isinstance(content, dict):
        if "triplets" not in content:
            keys = ", ".join(map(repr, content)) or "none"
            raise source.error(f"must be a list or an object with 'triplets', found keys: {keys}")
        content = content["triplets"]
    if not isinstance(content, list):
        raise source.error(f"must hold a list of records, received {shorten(content)}")
    if all(isinstance(entry, str) for entry in content):
        content = [{"text": entry} for entry in content]
    return from_records(source, [(i, _object(source, i, entry)) for i, entry in enumerate(content)])


def _parse_jsonl(source: Source, data: bytes) -> RawData:
    records: list[Record] = []
    for number, line in enumerate(io.StringIO(_decode(source, data), newline=None), start=1):
        if line.strip():
            records.append((number, _object(source, number, _json(source, line, number))))
    return from_records(source, records)


def _parse_txt(source: Source, data: bytes) -> RawData:
    # Blank lines at the end are no texts; one in the middle is an error, since leaving it out
    # would shift every later text against its line.
    text = _decode(source, data).rstrip()
    lines = enumerate(io.StringIO(text, newline=None), start=1)
    return from_records(source, [(number, {"text": line}) for number, line in lines])


def _json(source: Source, text: str, line: int | None = None) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno if line is None else line} column {error.colno}"
        raise DataError(f"{source.name}: {place}: is not valid JSON: {error.msg}") from None
    except (RecursionError, ValueError) as error:
        raise source.error(f"is not readable JSON: {error}", line) from None


def _object(source: Source, row: int, entry: object) -> dict[str, object]:
    if isinstance(entry, dict):
        return entry
    raise source.error(f"must be a JSON object, received {shorten(entry)}", row)


_PARSERS: dict[str, tuple[Callable[[Source, bytes], RawData], str]] = {
    ".csv": (_parse_csv, "line"),
    ".tsv": (_parse_tsv, "line"),
    ".json": (_parse_json, "record"),
    ".jsonl": (_parse_jsonl, "line"),
    ".txt": (_parse_txt, "line"),
    ".npy": (read_npy, "row"),
    ".npz": (read_npz, "row"),
    ".safetensors": (read_safetensors, "row"),
}
