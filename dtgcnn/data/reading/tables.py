"""Records of .csv and .tsv files: a header row, then one record a row."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO

from .limits import record_limit
from .lines import read_lines
from .raw import Record
from .source import Source, shorten

__all__ = ["read_table"]

_NAMES = {",": "a comma", "\t": "a tab", ";": "a semicolon", "|": "a bar"}
_SUFFIXES = {",": ".csv", "\t": ".tsv"}


def read_table(source: Source, file: BinaryIO, delimiter: str) -> tuple[Source, Iterator[Record]]:
    """The rows of a table, each with the line it begins on, as texts by lower-case column name; and
    the source with the line of the header.

    Raises:
        DataError: the table is not well-formed, a column occurs twice, or, as they are read, a row
            has more or fewer cells than the header; names the line.
    """
    limit = record_limit()
    csv.field_size_limit(max(csv.field_size_limit(), limit))
    rows = _Rows(source, read_lines(source, file, limit), delimiter, limit)
    for line, cells in rows:
        if any(cell.strip() for cell in cells):
            header = _header(source, line, cells, delimiter)
            return replace(source, header=line), _records(source, rows, header, delimiter)
    return source, iter(())


def _records(
    source: Source, rows: Iterator[tuple[int, list[str]]], header: list[str], delimiter: str
) -> Iterator[Record]:
    for line, cells in rows:
        if len(cells) != len(header):
            raise source.error(_ragged(cells, header, delimiter), line)
        yield line, dict(zip(header, cells, strict=True))


def _header(source: Source, line: int, cells: list[str], delimiter: str) -> list[str]:
    names = [cell.strip().lower() for cell in cells]
    for other in _NAMES:
        if len(cells) == 1 and other != delimiter and other in cells[0]:
            suffix = _SUFFIXES.get(other)
            remedy = f"; the suffix for that is {suffix}" if suffix else ""
            raise source.error(
                f"columns must be parted by {_NAMES[delimiter]}, found {_NAMES[other]} in "
                f"{shorten(cells[0])}{remedy}",
                line,
            )
    for name in names:
        if name and names.count(name) > 1:
            raise source.error("the column must occur once", line, name)
    return names


def _ragged(cells: list[str], header: list[str], delimiter: str) -> str:
    message = f"has {len(cells)} cells where the header has {len(header)} ({', '.join(header)})"
    if len(cells) > len(header):
        message += f"; a cell that holds {_NAMES[delimiter]} must be in double quotes"
    return message


class _Rows:
    """The cells of every row that has some, with the line it begins on.

    The lines of one row are counted: a quote that is never closed would else take in all of the
    file.
    """

    def __init__(self, source: Source, lines: Iterator[str], delimiter: str, limit: int) -> None:
        self._source, self._lines, self._limit = source, lines, limit
        self._reader = csv.reader(self._counted(), delimiter=delimiter, strict=True)
        self._line, self._size = 1, 0

    def __iter__(self) -> _Rows:
        return self

    def __next__(self) -> tuple[int, list[str]]:
        cells: list[str] = []
        while not cells:
            self._line, self._size = self._reader.line_num + 1, 0
            try:
                cells = next(self._reader)
            except csv.Error as error:
                why = str(error)
                if why == "unexpected end of data":
                    why = "a quote that opens in this row is not closed"
                raise self._source.error(f"is not well-formed CSV: {why}", self._line) from None
        return self._line, cells

    def _counted(self) -> Iterator[str]:
        for line in self._lines:
            self._size += len(line)
            if self._size > self._limit:
                message = f"a row must be at most {self._limit:,} characters long"
                raise self._source.error(f"{message} (a quote that is not closed?)", self._line)
            yield line
