"""Records of .json and .jsonl files."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any, BinaryIO

from ...errors import DataError
from .limits import record_limit
from .lines import read_lines
from .raw import TRIPLET_FIELDS, Record, listed, unread
from .source import Source, repeated, shorten

__all__ = ["read_json", "read_jsonl", "records_of"]

_COLUMNS = {"text", "anchor", "query", "sentence1"}
"""A list of these names makes an object one of columns."""


def read_json(source: Source, file: BinaryIO) -> tuple[Source, Iterator[Record]]:
    """Records of one document; see ``records_of``.

    Raises:
        DataError: the document is not valid JSON or of another shape.
    """
    content = _parse(source, "".join(read_lines(replace(source, unit="line"), file)))
    return records_of(source, content)


def records_of(source: Source, content: Any) -> tuple[Source, Iterator[Record]]:
    """Records of what a document holds: a list of objects, of texts or of lists of two or three
    texts; that list under ``triplets``; such lists, or lists of a text and its label, by the names
    of splits; or an object of columns.

    Raises:
        DataError: it is of another shape.
    """
    if isinstance(content, dict):
        _check_keys(source, content)
        source, content = _list_of(source, content)
    if not isinstance(content, list):
        raise source.error(f"must hold a list of records, received {shorten(content)}")
    if content and all(isinstance(entry, str) for entry in content):
        content = [{"text": entry} for entry in content]
    return source, ((row, _object(source, row, entry)) for row, entry in enumerate(content))


def _list_of(source: Source, content: dict[str, Any]) -> tuple[Source, Any]:
    """The list of records that an object holds, and the source, which tells of its other keys."""
    if "triplets" in content:
        return _telling(source, content, ["triplets"]), content["triplets"]
    lists = {name: value for name, value in content.items() if isinstance(value, list)}
    if any(name.casefold().startswith("train") for name in lists):
        rows = [_of_split(name, entry) for name, own in lists.items() for entry in own]
        return _telling(source, content, lists), rows
    if {name.strip().lower() for name in lists} & _COLUMNS:
        source.check_lengths(lists)
        rows = [dict(zip(lists, values)) for values in zip(*lists.values())]
        return _telling(source, content, lists), rows
    raise source.error(
        "must be a list, an object with 'triplets', with the splits 'train' and others, or of "
        f"columns; found keys: {listed(content)}"
    )


def _telling(source: Source, content: dict[str, Any], read: Collection[str]) -> Source:
    others = [name for name in content if name not in read]
    return replace(source, notes=(*source.notes, unread("key", others))) if others else source


def _of_split(split: str, entry: Any) -> Any:
    if isinstance(entry, list) and len(entry) == 2:
        return {"text": entry[0], "label": entry[1], "split": split}
    if isinstance(entry, list) and len(entry) == 3:
        return {**dict(zip(TRIPLET_FIELDS, entry)), "split": split}
    return {"split": split, **entry} if isinstance(entry, dict) else entry


def read_jsonl(source: Source, file: BinaryIO) -> Iterator[Record]:
    """One object, list of two or three texts, or text a line; lines of white space are left out.

    Raises:
        DataError: a line is no JSON object; names it.
    """
    for number, line in enumerate(read_lines(source, file, record_limit()), start=1):
        if line.strip():
            entry = _parse(source, line, number)
            entry = {"text": entry} if isinstance(entry, str) else entry
            yield number, _object(source, number, entry)


class _Repeated(dict[str, Any]):
    """An object with a key that occurs twice."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.key = repeated(key for key, _ in pairs)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    return content if len(content) == len(pairs) else _Repeated(pairs)


_decoder = json.JSONDecoder(object_pairs_hook=_unique)


def _parse(source: Source, text: str, line: int | None = None) -> Any:
    try:
        return _decoder.decode(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno if line is None else line} column {error.colno}"
        raise DataError(
            f"{source.name}: {place}: is not valid JSON: {error.msg}{_remedy(error, line)}"
        ) from None
    except RecursionError:
        raise source.error("is not readable JSON: it is nested too deeply", line) from None
    except ValueError as error:
        raise source.error(f"is not readable JSON: {error}", line) from None


def _remedy(error: json.JSONDecodeError, line: int | None) -> str:
    if error.msg != "Extra data":
        return "; a .jsonl file has one whole object a line" if line is not None else ""
    if line is not None:
        return "; a line holds one object"
    return "; the file holds one document (one object a line is .jsonl)"


def _object(source: Source, row: int, entry: object) -> dict[str, Any]:
    if isinstance(entry, list) and len(entry) in (2, 3):
        return dict(zip(TRIPLET_FIELDS, entry))
    if not isinstance(entry, dict):
        raise source.error(f"must be a JSON object, received {shorten(entry)}", row)
    _check_keys(source, entry, row)
    return entry


def _check_keys(source: Source, entry: dict[str, Any], row: int | None = None) -> None:
    if isinstance(entry, _Repeated):
        raise source.error("the key must occur once in an object", row, entry.key)
