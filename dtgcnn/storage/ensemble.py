"""Saved ensembles.

A directory holds

- ``member-<i>-<token>/``: a saved model each, in a folder that is new at every save;
- ``ensemble.safetensors``: the rotations, and in its metadata the members and how they are put
  together. This one file, replaced in one move, is what a load trusts;
- ``index-<digest>.safetensors``: of an index, the rows that are searched, named by the metadata;
- ``ensemble.json``: the same metadata for people to read;
- ``README.md``: the model card.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import CheckpointError
from .checkpoint import ENSEMBLE, WEIGHTS, check_folder
from .files import (
    SAVING,
    flush,
    lock,
    read_arrays,
    read_metadata,
    remove,
    replace_file,
    write_arrays,
    write_json,
)
from .index_file import INDEX, IndexFile, write_index

__all__ = ["check_output", "holds_ensemble", "main_file", "read_ensemble", "write_ensemble"]

FORMAT = "dtgcnn-ensemble-1"
_MEMBER = re.compile(r"member-\d+-[0-9a-f]{8}$")
_PARTS = re.compile(f"{_MEMBER.pattern}|{INDEX.pattern}")


def holds_ensemble(directory: str | Path) -> bool:
    """Whether an ensemble was saved in ``directory``."""
    return (Path(directory) / ENSEMBLE).exists()


def check_output(directory: str | Path, overwrite: bool, source: str | Path) -> None:
    """``check_folder`` of a folder for what is made of the model or ensemble in ``source``."""
    if holds_ensemble(source):
        check_folder(directory, overwrite, what="an ensemble", main=ENSEMBLE, parts=_PARTS)
    else:
        check_folder(directory, overwrite)


def main_file(directory: str | Path) -> Path:
    """The file that tells what else is in ``directory``: an ensemble's, or else a model's."""
    return Path(directory) / (ENSEMBLE if holds_ensemble(directory) else WEIGHTS)


def write_ensemble(
    directory: str | Path,
    savers: Sequence[Callable[[Path], object]],
    arrays: Mapping[str, Any],
    mode: str,
    seeds: Sequence[int],
    saved_with: Mapping[str, Any],
    card: str,
    *,
    overwrite: bool = False,
    index: IndexFile | None = None,
) -> Path:
    """Write an ensemble into ``directory``, made where it is missing.

    What was there stays loadable until ``ensemble.safetensors`` is replaced, in one move.

    Args:
        directory: new, empty, or the folder of an ensemble that ``overwrite`` replaces.
        savers: for each member what saves it in a folder.
        arrays: the rotations, if any.
        mode, seeds, saved_with: for the metadata.
        card: the model card.
        overwrite: whether the folder may hold an ensemble.
        index: the rows that are searched by it, if any.

    Raises:
        FileExistsError, NotADirectoryError, PermissionError: see ``check_folder``.
    """
    directory = Path(directory)
    check_folder(directory, overwrite, what="an ensemble", main=ENSEMBLE, parts=_PARTS)
    directory.mkdir(parents=True, exist_ok=True)
    token = secrets.token_hex(4)
    names = [f"member-{i}-{token}" for i in range(len(savers))]
    metadata = {
        "format": FORMAT,
        "mode": mode,
        "members": names,
        "seeds": list(seeds),
        "saved_with": dict(saved_with),
    }
    with lock(directory / SAVING, "saving", wait=True):
        try:
            for save, name in zip(savers, names, strict=True):
                save(directory / name)
            if index is not None:
                metadata["index"] = write_index(directory, index)
            flush(directory)  # the members' names, before the file that names them
            write_arrays(directory / ENSEMBLE, arrays, metadata)
        finally:
            _remove_unnamed(directory)
        write_json(directory / "ensemble.json", metadata)
        replace_file(directory / "README.md", card.encode())
    return directory


def read_ensemble(directory: str | Path) -> tuple[list[Path], str, Any]:
    """The members' folders, the mode and the rotations, None where there are none.

    Raises:
        CheckpointError: there is no ensemble, or its file is damaged or foreign.
    """
    directory = Path(directory)
    path = directory / ENSEMBLE
    if not path.is_file():
        raise CheckpointError(f"{directory}: no ensemble here ({ENSEMBLE} is missing)")
    metadata, arrays = read_arrays(path, FORMAT)
    members = [directory / name for name in metadata["members"]]
    return members, metadata["mode"], arrays.get("rotations")


def _remove_unnamed(directory: Path) -> None:
    """Remove the members, and the index, that ``ensemble.safetensors`` does not name: those of an
    ensemble that was replaced, or of a save that failed."""
    main = directory / ENSEMBLE
    try:
        metadata = read_metadata(main) if main.exists() else {"members": []}
    except CheckpointError:  # it cannot be told which are in use
        return
    named = {*metadata["members"], metadata.get("index")}
    for path in directory.iterdir():
        if _PARTS.fullmatch(path.name) and path.name not in named:
            remove(path)
