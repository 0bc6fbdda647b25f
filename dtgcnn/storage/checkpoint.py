"""Saved models: safetensors with dotted names, JSON beside it, and a model card. Never pickle.

A directory holds

- ``model.safetensors``: parameters, running state and bank. Its metadata hold the config, so this
  one file, replaced in one move, is what a load trusts;
- ``config.json``: the same metadata for people to read;
- ``encoder-<fingerprint>/``: the text encoder, where there is one;
- ``index-<fingerprint>.safetensors``: the rows that are searched, where it is an index;
- ``README.md``: the model card.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import CheckpointError
from .encoder_folder import ENCODER, check_encoder, save_encoder
from .files import (
    SAVING,
    lock,
    read_arrays,
    read_metadata,
    remove,
    replace_file,
    write_arrays,
    write_json,
)
from .found_whole import once_whole
from .index_file import INDEX, IndexFile, write_index
from .mapping import map_arrays

__all__ = ["Checkpoint", "check_folder", "holds_model", "read_checkpoint", "write_checkpoint"]

WEIGHTS = "model.safetensors"
ENSEMBLE = "ensemble.safetensors"
FORMAT = "dtgcnn-2"
_PARTS = re.compile(rf"{ENCODER.pattern}|{INDEX.pattern}")


@dataclass(frozen=True)
class Checkpoint:
    """What a model is saved as.

    Attributes:
        model: the name of its class.
        arguments: what makes a model of this class, beside its config.
        config: its settings.
        trained_with: versions, backend, device and threads.
        arrays: by dotted name, host arrays.
        classes: the names of the classes of its bank's rows, None where there are none.
        untrained: those of them that joined the bank after training.
        path: the file that holds them, None before they are saved.
    """

    model: str
    arguments: Mapping[str, Any]
    config: Mapping[str, Any]
    trained_with: Mapping[str, Any]
    arrays: Mapping[str, Any]
    classes: Sequence[str] | None = None
    untrained: Sequence[str] = ()
    path: Path | None = None

    def array(self, name: str, shape: Sequence[int]) -> Any:
        """The array of this name.

        Raises:
            CheckpointError: there is none, or it has another shape.
        """
        if name not in self.arrays:
            raise CheckpointError(f"{self.path}: the array {name!r} is missing")
        array = self.arrays[name]
        if array.shape != tuple(shape):
            raise CheckpointError(
                f"{self.path}: {name!r} must have shape {tuple(shape)} by the config, it has "
                f"{array.shape}"
            )
        return array

    def under(self, prefix: str) -> dict[str, Any]:
        """The arrays whose names begin with ``prefix``, by the rest of their names."""
        named = self.arrays.items()
        return {name.removeprefix(prefix): a for name, a in named if name.startswith(prefix)}


def holds_model(directory: str | Path) -> bool:
    """Whether a model was saved in ``directory``."""
    return (Path(directory) / WEIGHTS).exists()


def write_checkpoint(
    directory: str | Path,
    checkpoint: Checkpoint,
    card: str,
    encoder: Any = None,
    *,
    overwrite: bool = False,
    same_encoder: bool = False,
    index: IndexFile | None = None,
) -> Path:
    """Write a model, its card, its text encoder and the rows that are searched by it, if any, into
    ``directory``, made where it is missing.

    What was there stays loadable until ``model.safetensors`` is replaced, in one move. With
    ``same_encoder`` the encoder that an earlier save of this model left is not written again.

    Raises:
        FileExistsError, NotADirectoryError, PermissionError: see ``check_folder``.
    """
    directory = Path(directory)
    check_folder(directory, overwrite)
    directory.mkdir(parents=True, exist_ok=True)
    with lock(directory / SAVING, "saving", wait=True):  # each save deletes what the last one left
        _write(directory, checkpoint, card, encoder, same_encoder, index)
    return directory


def _write(
    directory: Path,
    checkpoint: Checkpoint,
    card: str,
    encoder: Any,
    same_encoder: bool,
    index: IndexFile | None,
) -> None:
    folder = None
    if encoder is not None:
        earlier = _named(directory, "encoder") if same_encoder else None
        folder = earlier or save_encoder(encoder, directory)
    index_name = None if index is None else write_index(directory, index)
    metadata = {
        "format": FORMAT,
        "model": checkpoint.model,
        "arguments": checkpoint.arguments,
        "config": checkpoint.config,
        "encoder": folder,
        "text_encoder": spec_of(encoder),
        "trained_with": checkpoint.trained_with,
        "classes": checkpoint.classes,
        "untrained_classes": list(checkpoint.untrained),
        "index": index_name,
    }
    try:
        write_arrays(directory / WEIGHTS, checkpoint.arrays, metadata)
    except BaseException:
        if index_name is not None and index_name != _named(directory, "index"):
            remove(directory / index_name)
        raise
    write_json(directory / "config.json", metadata)
    replace_file(directory / "README.md", card.encode())
    for path in directory.iterdir():  # of the model before, or of a save that was cut short
        if _PARTS.fullmatch(path.name) and path.name not in (folder, index_name):
            remove(path)


def read_checkpoint(
    directory: str | Path, *, mapped: bool = False
) -> tuple[Checkpoint, Path | None]:
    """What ``write_checkpoint`` wrote, and the folder of the text encoder where there is one.

    With ``mapped`` the arrays stay in their file, which is checked, as are the encoder's, the first
    time; see ``map_arrays``.

    Raises:
        CheckpointError: there is no model, or a file is damaged or foreign.
    """
    directory = Path(directory)
    path = directory / WEIGHTS
    if (directory / ENSEMBLE).is_file() and not path.is_file():
        members = sorted(member.name for member in directory.glob("member-*"))
        such = f", as {directory / members[0]} does" if members else ""
        raise CheckpointError(f"{directory}: must hold one model, it holds an ensemble{such}")
    if not path.is_file():
        raise CheckpointError(f"{directory}: no model here ({WEIGHTS} is missing)")
    metadata, arrays = (map_arrays if mapped else read_arrays)(path, FORMAT)
    names = ("model", "arguments", "config", "trained_with")
    try:
        parts = {name: metadata[name] for name in names}
    except KeyError as error:
        raise CheckpointError(f"{path}: its config is not valid: {error}") from None
    classes = metadata.get("classes")
    if classes is not None and not (
        isinstance(classes, list) and all(isinstance(name, str) for name in classes)
    ):
        raise CheckpointError(f"{path}: its classes are not a list of names")
    untrained = metadata.get("untrained_classes") or []
    encoder = metadata.get("encoder")
    checkpoint = Checkpoint(**parts, arrays=arrays, classes=classes, untrained=untrained, path=path)
    if not encoder:
        return checkpoint, None
    folder = directory / str(encoder)
    if mapped and folder.is_dir():
        once_whole(folder, lambda: check_encoder(folder))
    else:
        check_encoder(folder)
    return checkpoint, folder


def check_folder(
    directory: str | Path,
    overwrite: bool = False,
    *,
    what: str = "a model",
    main: str = WEIGHTS,
    parts: re.Pattern[str] = _PARTS,
) -> None:
    """Refuse a folder that a model cannot or must not be saved in, before any work is done.

    A folder of other files is never written to, so nothing of them can be lost.

    Args:
        directory: the folder.
        overwrite: whether it may hold what is to be saved.
        what, main, parts: what is to be saved, the file that tells it, and the names of folders
            that a save which was killed may have left.

    Raises:
        FileExistsError: it holds a model and ``overwrite`` is False, or files but no model.
        NotADirectoryError: the path, or a part of it, is a file.
        PermissionError: it, or the folder to make it in, cannot be written to.
    """
    directory = Path(directory)
    for path in (directory.absolute(), *directory.absolute().parents):
        if path.is_symlink() and not path.exists():
            target = path.readlink()
            raise NotADirectoryError(f"{directory}: {path} is a link to {target}, which is missing")
    nearest = next(
        path for path in (directory.absolute(), *directory.absolute().parents) if path.exists()
    )
    if not nearest.is_dir():
        raise NotADirectoryError(f"{directory}: {nearest} must be a folder, it is a file")
    if not os.access(nearest, os.W_OK):
        raise PermissionError(f"{directory}: the folder {nearest} cannot be written to")
    if (directory / main).exists():
        if not overwrite:
            raise FileExistsError(f"{directory} already holds {what}; overwrite replaces it")
        return
    kept = [] if nearest != directory.absolute() else sorted(directory.iterdir())
    foreign = [p.name for p in kept if not (p.name.startswith(".") or parts.match(p.name))]
    if foreign:
        raise FileExistsError(
            f"{directory} must be empty or hold {what}, it holds other files ({foreign[0]})"
        )


def _named(directory: Path, part: str) -> str | None:
    """The name of the model's "encoder" or "index" in ``directory``, as its metadata tell it."""
    try:
        name = read_metadata(directory / WEIGHTS).get(part)
    except CheckpointError:
        return None
    return name if isinstance(name, str) and _PARTS.fullmatch(name) else None


def spec_of(encoder: Any) -> str | None:
    """What the encoder is called on the command line."""
    if encoder is None:
        return None
    named = (getattr(encoder, name, None) for name in ("spec", "name"))
    return str(next(filter(None, named), type(encoder).__name__))
