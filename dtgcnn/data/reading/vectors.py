"""Rows of numbers among the fields of records."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .source import Source, shorten

__all__ = ["FloatArray", "VectorRule", "is_vector"]

FloatArray: TypeAlias = NDArray[np.float32]


def is_vector(value: object) -> bool:
    """Whether a value is a row of one number or more."""
    if isinstance(value, np.ndarray):
        return value.ndim == 1 and value.dtype.kind in "fiu"
    if not isinstance(value, list | tuple) or not value:
        return False
    return all(isinstance(n, int | float | np.number) and not isinstance(n, bool) for n in value)


class VectorRule:
    """What every vector of a source must be."""

    def __init__(self, source: Source) -> None:
        self._source, self._width = source, 0

    def check(self, row: int, value: Any, field: str) -> FloatArray:
        """The row (D,) in float32.

        Raises:
            DataError: it is no row of numbers, is of another width than the first, or not finite
                in float32.
        """
        if not is_vector(value):
            raise self._source.error(
                f"must be a list of numbers, as in the first record, received {shorten(value)}",
                row,
                field,
            )
        self._width = self._width or len(value)
        if len(value) != self._width:
            message = f"must have the {self._width} numbers of the first record"
            raise self._source.error(f"{message}, received {len(value)}", row, field)
        with np.errstate(over="ignore", invalid="ignore"):
            try:
                found = np.asarray(value, np.float64).astype(np.float32) + np.float32(0)
            except OverflowError:
                found = np.array([np.inf], np.float32)
        if not np.isfinite(found).all():
            raise self._source.error(
                f"must be finite in float32, received {shorten(value)}", row, field
            )
        return found
