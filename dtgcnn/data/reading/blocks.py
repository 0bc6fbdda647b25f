"""The records of a file a block at a time, so that it may be larger than memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike

from .limits import record_limit
from .raw import UNLABELLED, Kind, Rules, no_label
from .readers import not_pairs, open_shaped
from .shapes import Columns
from .source import Source

__all__ = ["Block", "read_blocks"]

BLOCK_ROWS = 4096


@dataclass(frozen=True)
class Block:
    """Some checked records, one after another.

    Attributes:
        kind: what the records of the file are.
        source: names the file in messages.
        rows: the row of each record, as ``source`` counts them.
        columns: the values of every field, such as "text" and "label", white space stripped.
    """

    kind: Kind
    source: Source
    rows: list[int]
    columns: dict[str, list[str]]


def read_blocks(
    path: str | PathLike[str], block_rows: int = BLOCK_ROWS, columns: Columns | None = None
) -> Iterator[Block]:
    """The records of a file, checked as ``read_file`` does, without ever holding all of them.

    A block has ``block_rows`` records, or fewer where their texts are long. A .json file is one
    document, which is parsed as a whole.

    Raises:
        ValueError: ``block_rows`` is not at least 1.
        DataError: as ``read_file``, when the record in question is reached.
    """
    if block_rows < 1:
        raise ValueError(f"block_rows must be at least 1, received {block_rows}")
    return _blocks(path, block_rows, columns)


def _blocks(path: str | PathLike[str], block_rows: int, names: Columns | None) -> Iterator[Block]:
    source, shape, records = open_shaped(path, names)
    if shape.held == "pairs":
        records.close()
        raise not_pairs(source, shape)
    source.tell()
    rules = Rules(source)
    rows: list[int] = []
    checked: list[list[str]] = []
    size, found, limit, labelled = 0, False, record_limit(), False

    def block() -> Block:
        columns = zip(rules.fields, map(list, zip(*checked, strict=True)), strict=True)
        return Block(rules.kind, source, rows, dict(columns))

    with records:
        for row, record in records:
            rows.append(row)
            checked.append(rules.check(row, record))
            if rules.vectors is not None:
                raise source.error("holds vectors, which need no encoder: read the file whole")
            labelled = labelled or UNLABELLED not in (
                value for name, value in zip(rules.fields, checked[-1]) if name == "label"
            )
            size += sum(map(len, checked[-1]))
            if len(rows) == block_rows or size >= limit:
                yield block()
                rows, checked, size, found = [], [], 0, True
    if not rows and not found:
        raise source.error("holds no records")
    if not labelled:
        raise no_label(source)
    if rows:
        yield block()
