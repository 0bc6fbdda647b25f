"""Records of tables in memory: of pandas, polars, PyArrow, ``datasets``, columns by name, or a list
of rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from .inputs import unmasked
from .json_records import records_of
from .raw import Record
from .source import Source, shorten

__all__ = ["read_frame"]


def read_frame(source: Source, table: Any) -> tuple[Source, Iterator[Record]]:
    """The rows of a table with named columns, of a mapping of tables by the names of splits, or of
    a list of rows, as JSON has it.

    Raises:
        DataError: it is none, or a column occurs twice or is of another length.
    """
    if isinstance(table, list) or (isinstance(table, dict) and "triplets" in table):
        return records_of(source, table)
    if isinstance(table, Mapping) and table and all(map(_is_table, table.values())):
        return _of_splits(source, table)
    columns = _columns(source, table)
    source.check_lengths(columns)
    rows = zip(*columns.values(), strict=True)
    records = ((row, dict(zip(columns, values, strict=True))) for row, values in enumerate(rows))
    return replace(source, class_names=_class_names(table)), records


def _of_splits(source: Source, tables: Mapping[Any, Any]) -> tuple[Source, Iterator[Record]]:
    parts = {str(split): read_frame(source, table) for split, table in tables.items()}

    def records() -> Iterator[Record]:
        row = 0
        for split, (_, found) in parts.items():
            for _, record in found:
                yield row, {"split": split, **record}
                row += 1

    return next(iter(parts.values()))[0], records()


def _is_table(value: Any) -> bool:
    return hasattr(value, "column_names") or hasattr(value, "columns") or isinstance(value, Mapping)


def _columns(source: Source, table: Any) -> dict[str, Any]:
    if hasattr(table, "collect_schema") and hasattr(table, "lazy") and hasattr(table, "collect"):
        raise source.error("must be a table that was collected, received a LazyFrame of polars")
    names = getattr(table, "column_names", None)  # PyArrow and datasets
    if names is None:
        names = table.keys() if isinstance(table, Mapping) else getattr(table, "columns", None)
    if names is None or isinstance(names, str):
        raise source.error(
            "must be a table of pandas, polars, PyArrow or datasets, columns by name or a list of "
            "rows, received "
            f"{shorten(table)}"
        )
    lower = [str(name).strip().lower() for name in names]
    source.check_names(lower)
    return {low: _values(source, low, table[name]) for low, name in zip(lower, names, strict=True)}


def _values(source: Source, name: str, column: Any) -> Any:
    """The values of a column, as Python has them; of an array of rows, the rows."""
    if isinstance(column, np.ndarray) and column.ndim > 1:
        return list(unmasked(column))
    for method in ("to_pylist", "to_list", "tolist"):
        if hasattr(column, method):
            return getattr(column, method)()
    try:
        return list(column)
    except TypeError:
        raise source.error(f"must be a column, received {shorten(column)}", field=name) from None


def _class_names(table: Any) -> dict[str, list[str]]:
    """The names that columns of ``ClassLabel`` have in ``datasets``."""
    features = getattr(table, "features", None)
    if not isinstance(features, Mapping):
        return {}
    named = {name: getattr(feature, "names", None) for name, feature in features.items()}
    return {str(name).strip().lower(): list(own) for name, own in named.items() if own}
