"""Tables that are plain text and Markdown in one."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["table_lines"]


def table_lines(rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table of ``rows`` under the first one, with all but the first column to the
    right."""
    first, *rest = (max(map(len, column)) for column in zip(*rows, strict=True))
    lines = [" | ".join([row[0].ljust(first), *map(str.rjust, row[1:], rest)]) for row in rows]
    lines.insert(1, " | ".join(["-" * first, *("-" * (width - 1) + ":" for width in rest)]))
    return lines
