"""Writing columns of equal length, with missing values, as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ...errors import DataError, MissingExtraError
from ...storage import replacing
from .files import record_format, write_records

__all__ = ["check_parquet", "check_table", "write_table"]

PARQUET = ".parquet"


def check_table(path: Path) -> None:
    """Refuse a file that ``write_table`` could not write, before any work is done.

    Raises:
        DataError: the suffix names no format.
        MissingExtraError: it is ``.parquet``, and pyarrow is not installed.
    """
    if path.suffix.lower() != PARQUET:
        try:
            record_format(path)
        except DataError as error:
            raise DataError(str(error).replace("one of ", f"one of {PARQUET}, ")) from None
    else:
        check_parquet(path)


def check_parquet(path: Path) -> None:
    """Refuse a Parquet file where pyarrow, which writes it, is not installed."""
    if find_spec("pyarrow") is None:
        raise MissingExtraError(
            f"{path}: writing Parquet needs pyarrow: pip install 'dtgcnn[parquet]'"
        )


def write_table(path: Path, columns: Mapping[str, Sequence[Any]]) -> None:
    """Write columns in the format that the suffix names, whole or not at all: ``.parquet``, or
    ``.csv``, ``.tsv``, ``.json`` or ``.jsonl``, and maybe ``.gz``.

    Args:
        path: the file.
        columns: values by name; None where one is missing, which is empty in a CSV.

    Raises:
        DataError, MissingExtraError: see ``check_table``.
        OSError: the file cannot be written; what was there is as it was.
    """
    check_table(path)
    if path.suffix.lower() != PARQUET:
        rows = zip(*columns.values(), strict=True)
        write_records(path, (dict(zip(columns, row, strict=True)) for row in rows))
        return
    import pyarrow
    from pyarrow import parquet

    with replacing(path) as file:
        parquet.write_table(pyarrow.table(dict(columns)), file)
