"""Records of .txt files: a text a line, or a label and its text as fastText has them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from .limits import record_limit
from .lines import read_lines
from .raw import Record
from .source import Source

__all__ = ["read_texts"]

_LABEL = "__label__"


def read_texts(source: Source, file: BinaryIO) -> Iterator[Record]:
    """The lines as texts; where the first begins with ``__label__``, that word's rest as the label.

    Raises:
        DataError: a line is not UTF-8, or begins with no label, or with several, where the first
            has one.
    """
    # Blank lines at the end are no texts; one in the middle is an error, since leaving it out
    # would shift every later text against its line.
    blank: list[Record] = []
    labelled = None
    for row, line in enumerate(read_lines(source, file, record_limit()), start=1):
        if not line.strip():
            blank.append((row, {"text": line} if not labelled else {"text": line, "label": "?"}))
            continue
        labelled = line.startswith(_LABEL) if labelled is None else labelled
        yield from blank
        blank.clear()
        yield row, _labelled(source, row, line) if labelled else {"text": line}


def _labelled(source: Source, row: int, line: str) -> dict[str, object]:
    label, *rest = line.split(None, 1) or [""]
    text = rest[0] if rest else ""
    if not label.startswith(_LABEL):
        raise source.error(f"must begin with {_LABEL}, as the first line does", row)
    if text.startswith(_LABEL):
        raise source.error("has several labels; a row has one", row)
    return {"text": text, "label": label.removeprefix(_LABEL)}
