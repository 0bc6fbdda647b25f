"""What arguments that are numbers must be."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..config import is_whole, refuse_unless, to_python

__all__ = ["check_part", "check_rows", "check_seed", "check_share"]


def check_part(name: str, value: object) -> None:
    """Raise ``ValueError`` unless ``value`` is a number in [0, 1)."""
    if not _is_number(value) or not 0 <= value < 1:  # type: ignore[operator]
        raise ValueError(f"{name} must be in [0, 1), received {value!r}")


def check_rows(name: str, rows: object, count: int) -> NDArray[np.int64]:
    """``rows`` as int64; raise ``ValueError`` unless they are numbers (T,) of ``count`` rows."""
    try:
        array = np.asarray(rows)
    except ValueError:  # rows of several lengths
        array = np.empty((), object)
    whole = array.ndim == 1 and (array.dtype.kind in "iu" or not len(array))
    there = whole and (not len(array) or (array.min() >= 0 and array.max() < count))
    refuse_unless(there, name, f"must be row numbers (T,), from 0 to {count - 1}", rows)
    return array.astype(np.int64)


def check_seed(value: object) -> None:
    """Raise ``ValueError`` unless ``value`` is a seed that scikit-learn takes."""
    seed = to_python(value)
    refuse_unless(
        is_whole(seed, 0) and seed < 2**32, "seed", f"must be from 0 to {2**32 - 1}", value
    )


def check_share(name: str, value: object) -> None:
    """Raise ``ValueError`` unless ``value`` is a number in (0, 1]."""
    if not _is_number(value) or not 0 < value <= 1:  # type: ignore[operator]
        raise ValueError(f"{name} must be in (0, 1], received {value!r}")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)
