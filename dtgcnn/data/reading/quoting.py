"""Whether the quotes of a table of tabs enclose cells, or are characters of the texts."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Generator
from contextlib import closing

from .source import Source

__all__ = ["quoting_of"]

_WHOLE = re.compile(r'"(?:[^"]|"")*"')


def quoting_of(lines: Callable[[], Generator[str, None, None]]) -> tuple[bool, str]:
    """Whether quotes enclose cells, as writers of CSV have it, and what to say of that; nothing
    where it makes no difference.

    Most public .tsv files quote nothing: a quote is a character of the text, and a line is a row.
    So they are read where every line has as many cells as the header, and some quote encloses no
    cell. A header whose own cells are all in quotes, as ``write_file`` writes it, decides for
    quotes. Where lines alone are no rows, they are rows by quotes; where they are neither, that
    reading is taken which gets further.

    Args:
        lines: the lines of the file, from the start at each call.
    """
    width = first_odd = fault = quotes = 0
    with closing(lines()) as found:
        for number, line in enumerate(found, start=1):
            cells = line.rstrip("\r\n").split("\t")
            if cells == [""] or (not width and not line.strip()):
                continue
            whole = [_WHOLE.fullmatch(cell) is not None for cell in cells]
            if not width:
                width = len(cells)
                if all(whole):
                    return True, ""
            quotes += '"' in line
            if any('"' in cell and not closed for cell, closed in zip(cells, whole)):
                first_odd = first_odd or number
            if len(cells) != width:
                fault = fault or number
    if not quotes:
        return True, ""
    if not first_odd:
        told = f"{quotes:,} lines hold cells in quotes, which are read without them"
        return True, "" if fault else told
    if fault and _quoted_until(lines) > fault:
        return True, ""
    return False, (
        f"quotes are read as characters of the texts, and every line as a row: {quotes:,} lines "
        f"hold some, and that of {Source('', 'line').place(first_odd)} encloses no cell"
    )


def _quoted_until(lines: Callable[[], Generator[str, None, None]]) -> float:
    """The line of the first row by quotes without as many cells as the first; else infinity."""
    with closing(lines()) as found:
        reader = csv.reader(found, delimiter="\t", strict=True)
        width, begin = 0, 1
        try:
            for cells in reader:
                width = width or len(cells)
                if cells and len(cells) != width:
                    return begin
                begin = reader.line_num + 1
        except csv.Error:
            return begin
    return float("inf")
