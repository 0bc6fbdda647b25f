"""Arrays that stay in their file: pages of it are read when they are used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import CheckpointError
from .files import check_arrays, read_metadata
from .found_whole import once_whole

__all__ = ["map_arrays"]

_DTYPES = {"F64": "<f8", "F32": "<f4", "I64": "<i8", "I32": "<i4", "U32": "<u4", "U8": "|u1"}


def map_arrays(path: Path, form: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The metadata and the arrays that ``write_arrays`` wrote, read-only and mapped from the file.

    That takes no longer for a large file than for a small one but for the first time: the checksum
    is computed then, and again once the file was changed; see ``once_whole``.

    Raises:
        CheckpointError: the file cannot be read, another program wrote it, it is damaged, or the
            ``format`` that its metadata name is not ``form``.
    """
    metadata = read_metadata(path, form)
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        entries: dict[str, Any] = json.loads(file.read(size))
    entries.pop("__metadata__", None)
    content = np.memmap(path, np.uint8, "r").view(np.ndarray)[8 + size :]
    arrays = {}
    for name, entry in entries.items():
        begin, end = entry["data_offsets"]
        if entry["dtype"] not in _DTYPES:
            raise CheckpointError(f"{path}: {name!r} is of an unknown dtype, {entry['dtype']}")
        arrays[name] = content[begin:end].view(_DTYPES[entry["dtype"]]).reshape(entry["shape"])
    once_whole(path, lambda: check_arrays(path, arrays))
    return metadata, arrays
