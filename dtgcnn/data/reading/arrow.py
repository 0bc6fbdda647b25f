"""Records of Arrow's tables: .parquet and .arrow files, and folders that ``datasets`` saved."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ...errors import DataError, needing
from .limits import unpacked_limit
from .raw import Record
from .source import Source

__all__ = ["limited", "pyarrow_of", "read_arrow", "read_folder", "records_of"]
__all__ += ["is_saved_folder"]

_SPLITS, _STATE = "dataset_dict.json", "state.json"
"""What ``datasets`` writes into the folder of several splits, and of one."""


def pyarrow_of(source: Source, what: str) -> Any:
    """The library.

    Raises:
        MissingExtraError: it is not installed.
    """
    with needing(f"{source.name}: reading {what} needs pyarrow", "parquet"):
        import pyarrow
    return pyarrow


def read_arrow(source: Source, file: BinaryIO) -> tuple[Source, Iterator[Record]]:
    """The rows of an Arrow file, of IPC's file format, as Feather has it, or of its stream format,
    as ``datasets`` has it. Closes the file."""
    pyarrow = pyarrow_of(source, "Arrow")
    return records_of(source, *_opened(source, pyarrow, file))


def is_saved_folder(folder: Path) -> bool:
    """Whether ``save_to_disk`` of ``datasets`` wrote the folder."""
    return any((folder / name).is_file() for name in (_SPLITS, _STATE))


def read_folder(source: Source, folder: Path) -> tuple[Source, Iterator[Record]]:
    """The rows of a folder that ``save_to_disk`` of ``datasets`` wrote, of all its splits.

    Raises:
        DataError: it is another folder, or damaged.
        MissingExtraError: pyarrow is not installed.
    """
    if not is_saved_folder(folder):
        raise source.error(
            "cannot be read: it is a folder, and none that save_to_disk of the library datasets "
            "wrote"
        )
    pyarrow = pyarrow_of(source, "such a folder")
    parts: list[tuple[str, Path]] = []
    for split, part in _splits(source, folder):
        listed = _json(source, part / _STATE, "_data_files")
        parts += [(split, part / Path(str(entry["filename"])).name) for entry in listed]
    if not parts:
        raise source.error("holds no records")
    with _part(source, parts[0][1]) as file:
        schema, _ = _opened(source, pyarrow, file)

    def records() -> Iterator[Record]:
        row = 0
        for split, path in parts:
            part = Source(str(path), source.unit)
            _, found = records_of(part, *_opened(part, pyarrow, _part(part, path)))
            for _, record in found:
                yield row, ({"split": split, **record} if split else record)
                row += 1

    return records_of(source, schema, ())[0], records()


def records_of(
    source: Source, schema: Any, batches: Iterable[Any], what: str = "Arrow file"
) -> tuple[Source, Iterator[Record]]:
    """The rows of record batches as Python values by column name, in lower case, rows of numbers
    as arrays; and the source, which knows the names of Hugging Face's classes.

    Raises:
        DataError: a column occurs twice; later, the content is damaged, or too much.
    """
    try:
        names = [str(name).strip().lower() for name in schema.names]
    except UnicodeDecodeError as error:
        raise source.error(f"the names of columns must be UTF-8: {error}") from None
    source.check_names(names)
    return replace(source, class_names=_class_names(schema)), _records(source, names, batches, what)


def _records(
    source: Source, names: list[str], batches: Iterable[Any], what: str
) -> Iterator[Record]:
    from pyarrow import ArrowException

    row = 0
    batches = iter(batches)
    while True:
        try:
            batch = next(batches, None)
            columns = [] if batch is None else [_values(column) for column in batch.columns]
        except (ArrowException, OSError, ValueError, MemoryError) as error:
            said = error if str(error) else "it asks for more memory than there is"
            raise source.error(f"is not a readable {what}: {said}") from None
        if batch is None:
            return
        for values in zip(*columns, strict=True):
            yield row, dict(zip(names, values, strict=True))
            row += 1


def _values(column: Any) -> Sequence[Any]:
    """The values of a column; of lists of floats, all of one length, the rows of one array."""
    from pyarrow import types

    kind = column.type
    lists = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
    if not lists or not types.is_floating(kind.value_type) or column.null_count:
        found: Sequence[Any] = column.to_pylist()
        return found
    flat = column.flatten()
    lengths = set(column.value_lengths().to_pylist()) if len(column) else set()
    if len(lengths) != 1 or 0 in lengths or flat.null_count:
        return list(column.to_pylist())
    rows = np.asarray(flat.to_numpy(zero_copy_only=False)).reshape(len(column), -1)
    return list(rows)


def _class_names(schema: Any) -> dict[str, list[str]]:
    """The names of the classes that ``ClassLabel`` columns number."""
    try:
        about = json.loads((schema.metadata or {})[b"huggingface"])
        features = about["info"]["features"]
        return {
            str(name).strip().lower(): [str(label) for label in feature["names"]]
            for name, feature in features.items()
            if isinstance(feature, dict) and feature.get("_type") == "ClassLabel"
        }
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}


def _opened(source: Source, pyarrow: Any, file: Any) -> tuple[Any, Iterator[Any]]:
    """The schema and the batches of a file, which is closed after the last of them."""
    if not file.seekable():
        raise source.error("must not be packed: its suffix is .arrow alone")
    try:
        try:
            found = pyarrow.ipc.open_file(file)
            return found.schema, limited(source, _blocks(found), file)
        except pyarrow.ArrowInvalid:
            file.seek(0)
            stream = pyarrow.ipc.open_stream(file)
            return stream.schema, limited(source, stream, file)
    except (pyarrow.ArrowException, OSError, ValueError, MemoryError) as error:
        file.close()
        said = error if str(error) else "it asks for more memory than there is"
        raise source.error(f"is not a readable Arrow file: {said}") from None


def _blocks(found: Any) -> Iterator[Any]:
    return (found.get_batch(number) for number in range(found.num_record_batches))


def limited(source: Source, batches: Iterable[Any], file: Any) -> Iterator[Any]:
    """The batches, as far as they take no more memory than a file may unpack to; closes the file
    after them.

    Raises:
        DataError: they take more.
    """
    size = 0
    with file:
        for batch in batches:
            batch.validate(full=True)  # damaged offsets would lead outside of it
            size += batch.nbytes
            if size > unpacked_limit():
                raise source.error(
                    f"must unpack to at most {unpacked_limit():,} bytes, received more; the "
                    "environment variable DTGCNN_MAX_UNPACKED sets the limit"
                )
            yield batch


def _part(source: Source, path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise source.error(f"{path.name} cannot be read: {error.strerror or error}") from None


def _splits(source: Source, folder: Path) -> list[tuple[str, Path]]:
    """The names of the splits and their folders; one without a name where there are none."""
    if not (folder / _SPLITS).is_file():
        return [("", folder)]
    names = _json(source, folder / _SPLITS, "splits")
    return [(str(name), folder / Path(str(name)).name) for name in names]


def _json(source: Source, path: Path, key: str) -> list[Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))[key]
        if not isinstance(found, list):
            raise TypeError(f"{key!r} must be a list")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(
            f"{source.name}: {path.name} is not what datasets writes: {error}"
        ) from None
    return found
