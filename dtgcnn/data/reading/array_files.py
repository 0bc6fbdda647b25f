"""Reading .npy, .npz and .safetensors files."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load as load_safetensors

from ...errors import DataError
from .arrays import from_arrays
from .limits import unpacked_limit
from .raw import RawData
from .source import Source, shorten

__all__ = ["read_npy", "read_npz", "read_safetensors"]

_LAST_POINT = 0x10FFFF
"""The last code point of Unicode."""


def read_npy(source: Source, file: BinaryIO, columns: Mapping[str, str] | None = None) -> RawData:
    """Features from a .npy file; it has no names for ``columns``."""
    array = _load_numpy(source, file)
    if not isinstance(array, np.ndarray):
        raise source.error("is a .npz archive, so its suffix must be .npz")
    return from_arrays(source, {"x": array}, columns, owned=True)


def read_npz(source: Source, file: BinaryIO, columns: Mapping[str, str] | None = None) -> RawData:
    """Features, labels or triplets from a .npz file."""
    arrays = _load_numpy(source, file)
    if isinstance(arrays, np.ndarray):
        raise source.error("is a single .npy array, so its suffix must be .npy")
    return from_arrays(source, arrays, columns, owned=True)


def read_safetensors(
    source: Source, file: BinaryIO, columns: Mapping[str, str] | None = None
) -> RawData:
    """Features, labels or triplets from a .safetensors file.

    The format has no strings: ``labels``, ``split`` and ``group`` are JSON lists in its metadata.
    """
    data = file.read()
    try:
        size = int.from_bytes(data[:8], "little")
        if size > len(data) - 8:
            raise ValueError(f"its header must have {size} bytes, there are {len(data) - 8}")
        header = json.loads(data[8 : 8 + size])
        metadata = header.pop("__metadata__", None) or {}  # MLX writes null
        arrays = _tensors(header, data[8 + size :])
        for name in {"labels", "split", "group"} & set(metadata):
            arrays[name] = _strings(json.loads(metadata[name]))
    except Exception as error:  # whatever damaged bytes provoke inside the parser
        raise source.error(f"is not a readable .safetensors file: {error}") from None
    return from_arrays(source, arrays, columns, owned=True)


def _tensors(header: dict[str, Any], content: bytes) -> dict[str, NDArray[Any]]:
    """The arrays by name; those of bfloat16, which NumPy does not have, in float32."""
    brief = {n: entry for n, entry in header.items() if entry["dtype"] == "BF16"}
    as_bits = {**header, **{n: {**entry, "dtype": "U16"} for n, entry in brief.items()}}
    start = json.dumps(as_bits).encode()
    arrays = dict(load_safetensors(len(start).to_bytes(8, "little") + start + content))
    for name in brief:
        arrays[name] = (arrays[name].astype(np.uint32) << 16).view(np.float32)
    return arrays


def _strings(values: object) -> NDArray[Any]:
    if isinstance(values, list) and all(isinstance(value, str) for value in values):
        return np.array(values, np.str_)
    raise ValueError(f"the metadata must hold lists of strings, received {shorten(values)}")


def _load_numpy(source: Source, file: BinaryIO) -> Any:
    """The array of a .npy file, or the arrays by name of a .npz file."""
    try:
        _check_unpacked(source, file)
        content = np.load(file, allow_pickle=False)
        if isinstance(content, np.ndarray):
            return content
        return {name: _member(source, content, name) for name in content}
    except DataError:
        raise
    except Exception as error:  # NumPy raises seven kinds of error on damaged bytes
        raise source.error(f"is not a readable NumPy file: {error}") from None


def _member(source: Source, archive: Any, name: str) -> NDArray[Any]:
    """An array of an archive."""
    try:
        array = archive[name]
    except ValueError as error:
        if "Object arrays" not in str(error):
            raise
        raise source.error(
            "must hold numbers or strings, it holds Python's objects, which are pickled: save "
            'strings as array.astype("U")',
            field=name,
        ) from None
    _check_array(source, name, array)
    return array  # type: ignore[no-any-return]


def _check_array(source: Source, name: str, array: object) -> None:
    """Refuse a member of an archive that is no array, or text beyond Unicode, of which NumPy makes
    no string."""
    if not isinstance(array, np.ndarray):
        raise source.error("must be an array, which is a member of its own format", field=name)
    if array.dtype.kind != "U" or array.size == 0 or array.dtype.itemsize == 0:
        return
    points = np.dtype(np.uint32).newbyteorder(array.dtype.byteorder)
    largest = np.ascontiguousarray(array).view(points).reshape(array.size, -1).max(axis=1)
    beyond = np.flatnonzero(largest > _LAST_POINT)
    if len(beyond):
        found = f"received the code point {largest[beyond[0]]:#x}"
        raise source.error(f"must be Unicode, {found}", int(beyond[0]), field=name)


def _check_unpacked(source: Source, file: BinaryIO) -> None:
    """Refuse an archive of too much, as its directory tells, before any of it is unpacked."""
    is_archive = file.read(2) == b"PK"
    file.seek(0)
    if not is_archive:
        return
    with zipfile.ZipFile(file) as archive:
        packed = [entry for entry in archive.infolist() if entry.compress_size < entry.file_size]
    file.seek(0)
    size = sum(entry.file_size for entry in packed)
    if size > unpacked_limit():
        raise source.error(
            f"must unpack to at most {unpacked_limit():,} bytes, received {size:,}; the "
            "environment variable DTGCNN_MAX_UNPACKED sets the limit"
        )
