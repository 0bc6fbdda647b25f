"""Files that appear whole or not at all, and arrays in files that tell when they are damaged.

Arrays lie in safetensors files, with JSON metadata and a checksum of all of it in the header.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from safetensors import SafetensorError, safe_open

from ..errors import CheckpointError

__all__ = [
    "SAVING",
    "draft",
    "flush",
    "lock",
    "read_arrays",
    "read_checksum",
    "read_metadata",
    "remove",
    "remove_drafts",
    "replace_file",
    "replacing",
    "write_arrays",
    "write_json",
    "write_tensors",
]

_DRAFT = re.compile(r"\..+\.dtgcnn-(\d+)-[0-9a-f]{8}")

SAVING = ".saving"
"""The lock file of a folder that a model is being saved in."""

_TYPES = (
    *("bool", "uint8", "int8", "int16", "uint16", "float16"),
    *("int32", "uint32", "float32", "float64", "int64", "uint64"),
)
"""What arrays are of, in the order in which safetensors writes them, the last one first."""

_drafts: set[str] = set()  # of this process


def replace_file(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all; see ``replacing``."""
    with replacing(path) as file:
        file.write(content)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A new file, beside ``path`` while it is written; at the end it is flushed to the disk and
    moved into place.

    Raises:
        OSError: it cannot be written; what was at ``path`` is as it was.
    """
    remove_drafts(path.parent)
    with draft(path) as part:
        try:
            with part.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
        except OSError as error:
            if error.errno is None or error.filename not in (None, str(part)):
                raise
            raise OSError(error.errno, error.strerror, str(path)) from None
    flush(path.parent)


@contextmanager
def draft(path: Path) -> Iterator[Path]:
    """A hidden name beside ``path`` under which a file or folder is written, to be moved to
    ``path`` once complete. What is still there at the end is deleted."""
    part = path.with_name(f".{path.name}.dtgcnn-{os.getpid()}-{secrets.token_hex(4)}")
    _drafts.add(part.name)
    try:
        yield part
    finally:
        remove(part)
        _drafts.discard(part.name)


def remove_drafts(folder: Path) -> None:
    """Delete the drafts that killed processes left in ``folder``."""
    for path in folder.glob(".*.dtgcnn-*"):
        name = _DRAFT.fullmatch(path.name)
        if name and path.name not in _drafts and not _runs(int(name[1])):
            remove(path)


def flush(path: Path) -> None:
    """Make the content of a file, or the names in a folder, last through a power cut, where the
    system lets one."""
    if os.name != "posix":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:  # some file systems have no such thing for folders
        if not path.is_dir():
            raise OSError(error.errno, error.strerror, str(path)) from None
    finally:
        os.close(handle)


@contextmanager
def lock(path: Path, what: str = "training", *, wait: bool = False) -> Iterator[None]:
    """Hold the lock file ``path``, made where it is missing, while the context lasts, and delete it
    at the end. One that a killed process left holds nobody up. On Windows it is not held.

    Args:
        path: the file.
        what: what another process that holds it is doing there, for the message.
        wait: until it is free.

    Raises:
        BlockingIOError: another process, or another call in this one, holds it.
    """
    try:
        handle = _locked(path, what, wait)
    except KeyboardInterrupt:  # between making the file and holding it
        _delete_free(path)
        raise
    try:
        yield
    finally:
        if os.name == "posix":
            path.unlink(missing_ok=True)  # before it is free, or it might be the next one's
        handle.close()


def _locked(path: Path, what: str, wait: bool) -> BinaryIO:
    """The open file of a lock that is held."""
    if os.name != "posix":
        return path.open("ab")
    from fcntl import LOCK_EX, LOCK_NB, flock

    while True:
        handle = path.open("ab")
        try:
            flock(handle, LOCK_EX if wait else LOCK_EX | LOCK_NB)
            if os.path.samestat(os.fstat(handle.fileno()), os.stat(path)):
                return handle
        except FileNotFoundError:  # its last holder deleted it
            pass
        except BlockingIOError as error:
            handle.close()
            folder = str(path.parent)
            raise BlockingIOError(error.errno, f"another process is {what} here", folder) from None
        except BaseException:
            handle.close()
            raise
        handle.close()


def _delete_free(path: Path) -> None:
    """Delete a lock file, unless it is held."""
    with suppress(OSError), closing(_locked(path, "", wait=False)):
        path.unlink()


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write an object as JSON for people to read, whole or not at all.

    Raises:
        OSError: it cannot be written; what was at ``path`` is as it was.
    """
    replace_file(path, (json.dumps(content, indent=2) + "\n").encode())


def write_arrays(path: Path, arrays: Mapping[str, Any], metadata: Mapping[str, Any]) -> str:
    """Write named host arrays and JSON metadata as one safetensors file, whole or not at all.

    Returns:
        The checksum of all of it.

    Raises:
        OSError: it cannot be written; what was at ``path`` is as it was.
    """
    contiguous = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    text = json.dumps(metadata)
    checksum = _checksum(contiguous, text)
    header = {"dtgcnn": text, "sha256": checksum}
    write_tensors(path, contiguous, header)
    return checksum


def write_tensors(path: Path, arrays: Mapping[str, Any], told: Mapping[str, str]) -> None:
    """Write named host arrays, and metadata, as a safetensors file as others write them, whole or
    not at all; the same ones give the same bytes.

    Raises:
        OSError: it cannot be written; what was at ``path`` is as it was.
    """
    parts = {name: _little(array) for name, array in arrays.items()}
    in_order = sorted(parts, key=lambda name: (-_TYPES.index(parts[name].dtype.name), name))
    entries: dict[str, Any] = {"__metadata__": dict(told)}
    end = 0
    for name in in_order:
        array, start = parts[name], end
        end += array.nbytes
        kind = "BOOL" if array.dtype.kind == "b" else array.dtype.kind.upper()
        bits = "" if array.dtype.kind == "b" else 8 * array.itemsize
        entries[name] = {
            "dtype": f"{kind}{bits}",
            "shape": list(array.shape),
            "data_offsets": [start, end],
        }
    header = json.dumps(entries, sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)  # data begin at a multiple of 8
    with replacing(path) as file:
        file.write(len(header).to_bytes(8, "little") + header)
        for name in in_order:
            file.write(_bytes_of(parts[name]))


def read_arrays(path: Path, form: str | None = None) -> tuple[dict[str, Any], dict[str, Any]]:
    """The metadata and the arrays that ``write_arrays`` wrote.

    Raises:
        CheckpointError: the file cannot be read, another program wrote it, it is damaged, or the
            ``format`` that its metadata name is not ``form``, where that is given.
    """
    header, arrays = _read(path, with_arrays=True)
    _check(path, header, arrays)
    return _parse(path, header["dtgcnn"], form), arrays


def check_arrays(path: Path, arrays: Mapping[str, Any]) -> None:
    """Hold arrays of the file ``path``, mapped, to its checksum.

    Raises:
        CheckpointError: they do not agree with it.
    """
    _check(path, _read(path, with_arrays=False)[0], arrays)


def _check(path: Path, header: Mapping[str, str], arrays: Mapping[str, Any]) -> None:
    if header.get("sha256") != _checksum(arrays, header["dtgcnn"]):
        raise CheckpointError(f"{path}: damaged: its content does not agree with its checksum")


def read_metadata(path: Path, form: str | None = None) -> dict[str, Any]:
    """The metadata alone, unchecked but for their ``format``, where ``form`` is given.

    Raises:
        CheckpointError: the file cannot be read, another program wrote it, or the format is not
            ``form``.
    """
    return _parse(path, _read(path, with_arrays=False)[0]["dtgcnn"], form)


def read_checksum(path: Path) -> str:
    """The checksum that ``write_arrays`` wrote, not computed anew.

    Raises:
        CheckpointError: the file cannot be read, or another program wrote it.
    """
    return _read(path, with_arrays=False)[0].get("sha256", "")


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


def _parse(path: Path, text: str, form: str | None) -> dict[str, Any]:
    try:
        metadata = json.loads(text)
    except ValueError as error:
        raise CheckpointError(f"{path}: its metadata are not valid JSON: {error}") from None
    if not isinstance(metadata, dict):
        raise CheckpointError(f"{path}: its metadata must be an object")
    if form is not None and metadata.get("format") != form:
        found = metadata.get("format")
        raise CheckpointError(f"{path}: the format must be {form!r}, it is {found!r}")
    return metadata


def _little(array: Any) -> Any:
    """The array in order of rows and, as in safetensors files, of bytes from the lowest; itself
    where it is so."""
    array = np.asarray(array, order="C")
    return array.astype(array.dtype.newbyteorder("<"), copy=False)


def _bytes_of(array: Any) -> memoryview:
    """Those of an array in order of rows, which are not copied."""
    data: memoryview = array.reshape(-1).view(np.uint8).data
    return data


def _checksum(arrays: Mapping[str, Any], text: str) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(_bytes_of(np.ascontiguousarray(array)))
    return digest.hexdigest()


def _runs(process: int) -> bool:
    """Whether another process of this number runs, or none can tell."""
    if process == os.getpid():
        return False
    if os.name != "posix":
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


def remove(path: Path) -> None:
    """Delete a file or a folder, if it is there and can be deleted."""
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
