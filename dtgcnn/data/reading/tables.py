"""Records of .csv and .tsv files: a header row, then one record a row."""

from __future__ import annotations

import csv
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import BinaryIO

from .limits import record_limit
from .lines import read_lines
from .quoting import quoting_of
from .raw import Record
from .source import Source, shorten

__all__ = ["read_table"]

_log = logging.getLogger("dtgcnn")

_NAMES = {",": "a comma", "\t": "a tab", ";": "a semicolon", "|": "a bar"}
_SUFFIXES = {",": ".csv", "\t": ".tsv"}


def read_table(
    source: Source,
    file: BinaryIO,
    delimiter: str,
    again: Callable[[], BinaryIO] | None = None,
) -> tuple[Source, Iterator[Record]]:
    """The rows of a table, each with the line it begins on, as texts by lower-case column name; and
    the source with the line of the header.

    Args:
        source: names the file in messages.
        file: its content.
        delimiter: what parts its cells.
        again: opens it once more, where its lines are to tell whether quotes enclose cells.

    Raises:
        DataError: the table is not well-formed, a column occurs twice, or, as they are read, a row
            has more or fewer cells than the header; names the line.
    """
    limit = record_limit()
    csv.field_size_limit(max(csv.field_size_limit(), limit))
    lines, quoted = read_lines(source, file, limit), True
    if again is not None:
        quoted, note = quoting_of(lambda: read_lines(source, again(), limit))
        source = replace(source, notes=(*source.notes, note)) if note else source
    rows = _Rows(source, lines, delimiter, limit) if quoted else _lines(lines, delimiter)
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
        if isinstance(rows, _Rows):
            rows.look(line, len(header))
    if isinstance(rows, _Rows) and rows.joined:
        _log.warning(
            "%s: rows of several lines, each of which would be a row without the quotes around "
            "them: %s; the first begins in %s",
            *(source.name, f"{len(rows.joined):,}", source.place(rows.joined[0])),
        )


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
    source.check_names(filter(None, names), line)
    return names


def _ragged(cells: list[str], header: list[str], delimiter: str) -> str:
    message = f"has {len(cells)} cells where the header has {len(header)} ({', '.join(header)})"
    if len(cells) > len(header):
        message += f"; a cell that holds {_NAMES[delimiter]} must be in double quotes"
    return message


def _lines(lines: Iterator[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The cells of every line that has some, quotes being characters like others."""
    for number, line in enumerate(lines, start=1):
        if cells := line.rstrip("\r\n"):
            yield number, cells.split(delimiter)


class _Rows:
    """The cells of every row that has some, with the line it begins on.

    The lines of one row are counted: a quote that is never closed would else take in all of the
    file.

    Attributes:
        joined: the first lines of rows whose every line would be a row where quotes were none.
    """

    def __init__(self, source: Source, lines: Iterator[str], delimiter: str, limit: int) -> None:
        self._source, self._lines, self._limit = source, lines, limit
        self._reader = csv.reader(self._counted(), delimiter=delimiter, strict=True)
        self._line, self._size = 1, 0
        self._own: list[str] = []
        self._delimiter = delimiter
        self.joined: list[int] = []

    def __iter__(self) -> _Rows:
        return self

    def __next__(self) -> tuple[int, list[str]]:
        cells: list[str] = []
        while not cells:
            self._line, self._size = self._reader.line_num + 1, 0
            self._own.clear()
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
            self._own.append(line)
            yield line

    def look(self, line: int, width: int) -> None:
        """Keep ``line``, where the row that was read last begins, if it is one of ``joined``."""
        several = len(self._own) > 1 and width > 1
        if several and all(own.count(self._delimiter) == width - 1 for own in self._own):
            self.joined.append(line)
