"""Records of .parquet files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

from .arrow import limited, pyarrow_of, records_of
from .raw import Record
from .source import Source

__all__ = ["read_parquet"]

_ROWS = 1024  # at a time


def read_parquet(source: Source, file: BinaryIO) -> tuple[Source, Iterator[Record]]:
    """The rows, see ``records_of``. Needs pyarrow. Closes the file.

    Raises:
        DataError: the file is damaged, or a column occurs twice.
        MissingExtraError: pyarrow is not installed.
    """
    parquet = _open(source, file)
    batches = limited(source, parquet.iter_batches(_ROWS), file)
    return records_of(source, parquet.schema_arrow, batches, "Parquet file")


def _open(source: Source, file: BinaryIO) -> Any:
    pyarrow = pyarrow_of(source, "Parquet")
    from pyarrow.parquet import ParquetFile

    if not file.seekable():
        raise source.error("a Parquet file is packed within, so its suffix must be .parquet alone")
    try:
        return ParquetFile(file, pre_buffer=False)
    except UnicodeDecodeError as error:
        raise source.error(f"the names of columns must be UTF-8: {error}") from None
    except (pyarrow.ArrowException, OSError) as error:
        raise source.error(f"is not a readable Parquet file: {error}") from None
