"""Files that appear whole or not at all, and arrays in files that tell when they are damaged.

Arrays lie in safetensors files, with JSON metadata and a checksum of all of it in the header.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

__all__ = ["CheckpointError", "read_arrays", "read_metadata", "replace_file", "write_arrays"]


class CheckpointError(ValueError):
    """A directory that holds no model, or files that are not what a model's files must be."""


def replace_file(path: Path, content: bytes) -> None:
    """Write a file in full beside ``path``, flush it to the disk, then move it into place.

    Raises:
        OSError: it cannot be written; what was at ``path`` is as it was.
    """
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, path)
    except BaseException as error:
        os.unlink(name)
        if isinstance(error, OSError):
            raise OSError(error.errno, error.strerror, str(path)) from None
        raise
    _flush_folder(path.parent)


def write_arrays(path: Path, arrays: Mapping[str, Any], metadata: Mapping[str, Any]) -> None:
    """Write named host arrays and JSON metadata as one safetensors file, whole or not at all.

    Raises:
        OSError: it cannot be written; what was at ``path`` is as it was.
    """
    contiguous = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    text = json.dumps(metadata)
    header = {"dtgcnn": text, "sha256": _checksum(contiguous, text)}
    replace_file(path, save(contiguous, header))


def read_arrays(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The metadata and the arrays that ``write_arrays`` wrote.

    Raises:
        CheckpointError: the file cannot be read, another program wrote it, or it is damaged.
    """
    header, arrays = _read(path, with_arrays=True)
    if header.get("sha256") != _checksum(arrays, header["dtgcnn"]):
        raise CheckpointError(f"{path}: damaged: its content does not agree with its checksum")
    return _parse(path, header["dtgcnn"]), arrays


def read_metadata(path: Path) -> dict[str, Any]:
    """The metadata alone, unchecked.

    Raises:
        CheckpointError: the file cannot be read, or another program wrote it.
    """
    return _parse(path, _read(path, with_arrays=False)[0]["dtgcnn"])


def _read(path: Path, with_arrays: bool) -> tuple[dict[str, str], dict[str, Any]]:
    try:
        with safe_open(path, framework="np") as file:
            header = dict(file.metadata() or {})
            names = file.keys() if with_arrays else []
            arrays = {name: file.get_tensor(name) for name in names}
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path}: not a readable safetensors file: {error}") from None
    if "dtgcnn" not in header:
        raise CheckpointError(f"{path}: a safetensors file, but not one that dtgcnn wrote")
    return header, arrays


def _parse(path: Path, text: str) -> dict[str, Any]:
    try:
        metadata = json.loads(text)
    except ValueError as error:
        raise CheckpointError(f"{path}: its metadata are not valid JSON: {error}") from None
    if not isinstance(metadata, dict):
        raise CheckpointError(f"{path}: its metadata must be an object")
    return metadata


def _checksum(arrays: Mapping[str, Any], text: str) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _flush_folder(folder: Path) -> None:
    """Make a rename in ``folder`` last through a power cut, where the system lets one."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError:  # some file systems have no such thing; the file itself is on the disk
        pass
    finally:
        os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
