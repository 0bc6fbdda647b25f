"""Writing rows of numbers, of any precision, as an array, a table or tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ...storage import replacing, write_tensors
from .table import check_parquet

__all__ = ["VECTOR_SUFFIXES", "check_vectors", "write_vectors"]

VECTOR_SUFFIXES = (".npy", ".parquet", ".safetensors")


def check_vectors(path: Path) -> None:
    """Refuse a file that ``write_vectors`` could not write, before any work is done.

    Raises:
        DataError: the suffix names no format.
        MissingExtraError: it is ``.parquet``, and pyarrow is not installed.
    """
    if path.suffix not in VECTOR_SUFFIXES:
        known = ", ".join(VECTOR_SUFFIXES)
        raise DataError(f"{path}: the suffix must be one of {known}, received {path.name!r}")
    if path.suffix == ".parquet":
        check_parquet(path)


def write_vectors(
    path: Path,
    rows: NDArray[Any],
    name: str,
    columns: Mapping[str, Sequence[Any]],
    told: Mapping[str, str],
) -> None:
    """Write rows (N, D) in the format that the suffix names, bit for bit, whole or not at all.

    ============================ =============================================================
    ``.npy``                     the rows alone
    ``.parquet``                 ``columns``, and after them ``name``, lists of D numbers;
                                 ``told`` are metadata of the schema
    ``.safetensors``             the tensor ``name``; ``told`` are its metadata
    ============================ =============================================================

    Args:
        path: the file.
        rows: float32, float16, int8 or uint8.
        name: what they are called.
        columns: N values each, by name.
        told: what a reader must know of the numbers, by name.

    Raises:
        DataError, MissingExtraError: see ``check_vectors``.
        OSError: the file cannot be written; what was there is as it was.
    """
    check_vectors(path)
    if path.suffix == ".safetensors":
        write_tensors(path, {name: np.ascontiguousarray(rows)}, told)
        return
    with replacing(path) as file:
        if path.suffix == ".npy":
            whole = np.ascontiguousarray(rows)
            form = np.lib.format.header_data_from_array_1_0(whole)
            np.lib.format.write_array_header_1_0(file, form)
            file.write(whole.data)  # not np.save, which does not say why a disk takes no more
            return
        import pyarrow
        from pyarrow import parquet

        flat = pyarrow.array(rows.reshape(-1))
        lists = pyarrow.FixedSizeListArray.from_arrays(flat, rows.shape[1])
        table = pyarrow.table({**columns, name: lists})
        parquet.write_table(table.replace_schema_metadata(dict(told)), file)
