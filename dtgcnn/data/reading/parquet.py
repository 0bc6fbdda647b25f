"""Records of .parquet files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

from ...errors import MissingExtraError
from .raw import Record
from .source import Source

__all__ = ["read_parquet"]

_ROWS = 1024  # at a time


def read_parquet(source: Source, file: BinaryIO) -> Iterator[Record]:
    """The rows as Python values by column name, in lower case. Needs pyarrow. Closes the file.

    Raises:
        DataError: the file is damaged, or a column occurs twice.
        MissingExtraError: pyarrow is not installed.
    """
    with file:
        parquet = _open(source, file)
        names = [str(name).strip().lower() for name in parquet.schema_arrow.names]
        for name in names:
            if names.count(name) > 1:
                raise source.error("the column must occur once", field=name)
        row = 0
        for columns in _blocks(source, parquet):
            for values in zip(*columns, strict=True):
                yield row, dict(zip(names, values, strict=True))
                row += 1


def _open(source: Source, file: BinaryIO) -> Any:
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise MissingExtraError(
            f"{source.name}: reading Parquet needs pyarrow: pip install 'dtgcnn[parquet]'"
        ) from error
    if not file.seekable():
        raise source.error("a Parquet file is packed within, so its suffix must be .parquet alone")
    try:
        return ParquetFile(file, pre_buffer=False)
    except (ArrowException, OSError) as error:
        raise source.error(f"is not a readable Parquet file: {error}") from None


def _blocks(source: Source, parquet: Any) -> Iterator[list[list[Any]]]:
    """The columns of some rows at a time."""
    from pyarrow import ArrowException

    batches = parquet.iter_batches(_ROWS)
    while True:
        try:
            batch = next(batches, None)
            columns = [] if batch is None else [column.to_pylist() for column in batch.columns]
        except (ArrowException, OSError, ValueError) as error:
            raise source.error(f"is not a readable Parquet file: {error}") from None
        if batch is None:
            return
        yield columns
