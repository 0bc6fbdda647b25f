"""Reading .npy, .npz and .safetensors files."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load as load_safetensors

from ...errors import DataError
from .arrays import from_arrays
from .limits import unpacked_limit
from .raw import RawData
from .source import Source, shorten

__all__ = ["read_npy", "read_npz", "read_safetensors"]


def read_npy(source: Source, data: bytes) -> RawData:
    """Features from the bytes of a .npy file."""
    array = _load_numpy(source, data)
    if not isinstance(array, np.ndarray):
        raise source.error("is a .npz archive, so its suffix must be .npz")
    return from_arrays(source, {"x": array})


def read_npz(source: Source, data: bytes) -> RawData:
    """Features, labels or triplets from the bytes of a .npz file."""
    arrays = _load_numpy(source, data)
    if isinstance(arrays, np.ndarray):
        raise source.error("is a single .npy array, so its suffix must be .npy")
    return from_arrays(source, arrays)


def read_safetensors(source: Source, data: bytes) -> RawData:
    """Features, labels or triplets from the bytes of a .safetensors file.

    The format has no strings: ``labels``, ``split`` and ``group`` are JSON lists in its metadata.
    """
    try:
        arrays: dict[str, NDArray[Any]] = dict(load_safetensors(data))
        size = int.from_bytes(data[:8], "little")
        metadata = json.loads(data[8 : 8 + size]).get("__metadata__", {})
        for name in {"labels", "split", "group"} & set(metadata):
            arrays[name] = _strings(json.loads(metadata[name]))
    except Exception as error:  # whatever damaged bytes provoke inside the parser
        raise source.error(f"is not a readable .safetensors file: {error}") from None
    return from_arrays(source, arrays)


def _strings(values: object) -> NDArray[Any]:
    if isinstance(values, list) and all(isinstance(value, str) for value in values):
        return np.array(values, np.str_)
    raise ValueError(f"the metadata must hold lists of strings, received {shorten(values)}")


def _load_numpy(source: Source, data: bytes) -> Any:
    """The array of a .npy file, or the arrays by name of a .npz file."""
    try:
        _check_unpacked(source, data)
        content = np.load(io.BytesIO(data), allow_pickle=False)
        return content if isinstance(content, np.ndarray) else dict(content)
    except DataError:
        raise
    except Exception as error:  # NumPy raises seven kinds of error on damaged bytes
        raise source.error(f"is not a readable NumPy file: {error}") from None


def _check_unpacked(source: Source, data: bytes) -> None:
    """Refuse an archive of too much, as its directory tells, before any of it is unpacked."""
    if not data.startswith(b"PK"):
        return
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        packed = [entry for entry in archive.infolist() if entry.compress_size < entry.file_size]
    size = sum(entry.file_size for entry in packed)
    if size > unpacked_limit():
        raise source.error(
            f"must unpack to at most {unpacked_limit():,} bytes, received {size:,}; the "
            "environment variable DTGCNN_MAX_UNPACKED sets the limit"
        )
