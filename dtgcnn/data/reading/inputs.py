"""Texts or vectors as Python programs hold them: lists, arrays, columns of tables."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["as_inputs", "in_single", "texts_of", "unmasked"]


def texts_of(x: Any, name: str = "x") -> list[str] | None:
    """The texts of a sequence; None where it holds none.

    Args:
        x: a list, an array, or a column of pandas, polars, PyArrow or ``datasets``.
        name: what messages call it.

    Raises:
        ValueError: it is one string, a dict or a set, or texts stand among other things; names the
            first of these.
    """
    if isinstance(x, str):
        raise ValueError(f"{name} must be a sequence of texts, received one string: {x!r}")
    if isinstance(x, Mapping | Set) and not hasattr(x, "shape"):  # SciPy has sparse dicts
        raise ValueError(
            f"{name} must be a sequence of texts or vectors, received {type(x).__name__}"
        )
    values = _values(x)
    if not isinstance(values, list) or not values:
        return None
    missing = all(value is None for value in values)
    if not missing and not any(isinstance(value, str) for value in values):
        return None
    for row, value in enumerate(values):
        if not isinstance(value, str):
            raise ValueError(f"{name} must hold texts alone; row {row} is {value!r}")
    return [str(value) for value in values]  # NumPy's strings are a class of their own


def as_inputs(x: Any, name: str = "x") -> list[str] | NDArray[Any]:
    """Texts as a list, or vectors as an array.

    Args:
        x: as of ``texts_of``; vectors may also be a list of lists of numbers, a column of lists, a
            tensor, or a table of numbers.
        name: what messages call it.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(x, np.ndarray) and x.dtype.kind in "fiub":
        return unmasked(x)
    texts = texts_of(x, name)
    if texts is not None:
        return texts
    values = _values(x)
    if isinstance(values, list) and not values:
        return []
    if isinstance(values, list) and isinstance(values[0], bytes | bytearray):
        raise ValueError(
            f"{name} must hold texts, as decode gives them; row 0 is {values[0][:60]!r}"
        )
    try:
        rows = np.asarray([list(v) for v in values] if isinstance(values, list) else values)
    except (TypeError, ValueError):
        rows = np.empty(0, object)
    if rows.dtype.kind not in "fiub":
        raise ValueError(
            f"{name} must be an array of vectors or a list of texts, received {type(x).__name__}"
        )
    return rows


def unmasked(array: NDArray[Any]) -> NDArray[Any]:
    """``array``, NaN where NumPy's mask hides a number."""
    if not np.ma.is_masked(array):
        return array
    kept: NDArray[Any] = np.where(np.ma.getmaskarray(array), np.nan, np.ma.getdata(array))
    return kept


def in_single(array: NDArray[Any]) -> NDArray[np.float32]:
    """``array`` in float32, itself where it is, and without a warning: beyond the range is
    infinity."""
    with np.errstate(over="ignore", invalid="ignore"):
        return array.astype(np.float32, copy=False)


def _values(x: Any) -> Any:
    """The values of a column as Python has them; an array of two dimensions as it is."""
    if len(getattr(x, "shape", (0,))) > 1:
        return x.to_numpy() if hasattr(x, "to_numpy") else x
    for method in ("to_pylist", "to_list", "tolist"):
        if hasattr(x, method):
            found = getattr(x, method)()
            return found if isinstance(found, list) else [found]
    return list(x) if hasattr(x, "__iter__") else x
