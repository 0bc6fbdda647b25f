"""The file of an index: the rows that are searched by a model, beside the model.

``model.safetensors`` names it, and its name is made of its content, so a load tells it from the
file of another model, and a save that is cut short leaves model and index as they were.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import CheckpointError
from .files import draft, flush, read_checksum, read_metadata, write_arrays
from .mapping import map_arrays

__all__ = ["INDEX", "IndexFile", "holds_index", "read_index", "write_index"]

INDEX = re.compile(r"index-([0-9a-f]{12})\.safetensors$")
FORMAT = "dtgcnn-index-1"


class IndexFile(NamedTuple):
    """What an index holds beside its model.

    Attributes:
        arrays: by name, host arrays.
        metadata: what JSON can hold.
        path: the file that holds them, None before they are saved.
    """

    arrays: Mapping[str, Any]
    metadata: Mapping[str, Any]
    path: Path | None = None

    def array(self, name: str, shape: tuple[int | None, ...]) -> Any:
        """The array of this name, whose shape is ``shape`` but where that is None.

        Raises:
            CheckpointError: there is none, or it has another shape.
        """
        found = getattr(self.arrays.get(name), "shape", None)
        fits = found is not None and len(found) == len(shape)
        if not fits or any(w not in (None, h) for w, h in zip(shape, found or (), strict=True)):
            raise CheckpointError(
                f"{self.path}: {name!r} must be an array of shape {shape}, found {found}"
            )
        return self.arrays[name]


def holds_index(weights: Path) -> bool:
    """Whether the model in the file ``weights`` is one of an index."""
    try:
        return weights.is_file() and read_metadata(weights).get("index") is not None
    except CheckpointError:
        return False


def write_index(directory: Path, index: IndexFile) -> str:
    """Write an index beside what is in ``directory``; returns the name of its file."""
    with draft(directory / "index") as part:
        checksum = write_arrays(part, index.arrays, {"format": FORMAT, **index.metadata})
        name = f"index-{checksum[:12]}.safetensors"
        os.replace(part, directory / name)
    flush(directory)
    return name


def read_index(weights: Path) -> IndexFile:
    """The index of the model in the file ``weights``, its arrays mapped; see ``map_arrays``.

    Raises:
        CheckpointError: the model has none, or its file is missing, damaged or another model's.
    """
    name, folder = read_metadata(weights).get("index"), weights.parent
    if name is None:
        raise CheckpointError(f"{folder}: a model without an index; `dtgcnn index` makes one")
    made_of = INDEX.fullmatch(str(name))
    if made_of is None:
        raise CheckpointError(f"{weights}: its metadata name an index that cannot be: {name!r}")
    path = folder / str(name)
    if not path.is_file():
        others = sorted(found.name for found in folder.iterdir() if INDEX.fullmatch(found.name))
        other = f"; {others[0]} is another model's" if others else ""
        raise CheckpointError(f"{folder}: {name}, the index of the model here, is missing{other}")
    metadata, arrays = map_arrays(path, FORMAT)
    if not read_checksum(path).startswith(made_of[1]):
        raise CheckpointError(f"{path}: it is the index of another model under this one's name")
    return IndexFile(arrays, metadata, path)
