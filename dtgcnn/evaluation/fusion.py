"""Two rankings of the same rows made one."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["interleaved"]


def interleaved(first: Sequence[int], second: Sequence[int], count: int) -> list[int]:
    """The ``count`` best rows of two rankings, by turns: the best of the first, the best of the
    second that is not there yet, and so on.

    A trained embedding puts whole classes first, so a query that is taken for another class finds
    none of its own among the first rows; by the input vectors it often does. By turns keeps the
    best row of the embedding and most of what the input vectors find.

    Args:
        first, second: row numbers, the best first, as many of both.
        count: rows to give; fewer where there are not as many.

    Raises:
        ValueError: the rankings differ in length, or ``count`` is below 1.
    """
    if len(first) != len(second):
        raise ValueError(
            f"first and second must be of one length, received {len(first)} and {len(second)}"
        )
    if count < 1:
        raise ValueError(f"count must be at least 1, received {count}")
    turns = (int(row) for pair in zip(first, second, strict=True) for row in pair)
    return list(dict.fromkeys(turns))[:count]
