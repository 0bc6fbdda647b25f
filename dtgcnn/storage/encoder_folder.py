"""The folder of a model's text encoder, whose name tells its content.

``model.safetensors`` names it, so that a changed byte is noticed. The path or name of a pretrained
model, ``"model"`` in its ``encoder.json``, may be changed by hand: where such a model lies is left
out of the name.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

from ..errors import CheckpointError
from .files import draft, flush, remove, remove_drafts

__all__ = ["ENCODER", "check_encoder", "save_encoder"]

ENCODER = re.compile(r"encoder-([0-9a-f]{12}|[0-9a-f]{16})$")
"""The shorter names are of earlier releases, and tell the bytes of all files."""

_DESCRIPTION = "encoder.json"


def save_encoder(encoder: Any, directory: Path) -> str:
    """Save the encoder in ``directory`` under a name made of its content, so no other model's is
    touched; returns the name.

    Raises:
        ValueError: it has no name or no ``save``, or that did not write its name, by which it is
            loaded.
    """
    if not (isinstance(getattr(encoder, "name", None), str) and hasattr(encoder, "save")):
        raise ValueError(f"an encoder that is saved must have a name and save: {encoder!r}")
    remove_drafts(directory)
    with draft(directory / "encoder") as part:
        part.mkdir()
        encoder.save(part)
        if _described(part / _DESCRIPTION).get("name") != encoder.name:
            raise ValueError(
                f"the encoder's save must write {_DESCRIPTION} with its name, {encoder.name!r}: "
                f"{encoder!r}"
            )
        mode = (part / _DESCRIPTION).stat().st_mode
        for file in _files(part):
            file.chmod(mode)  # some libraries leave files to their owner alone
            flush(file)
        name = f"encoder-{_content(part)[:16]}"
        if not _is_whole(directory / name):
            remove(directory / name)  # what is there is damaged
            os.rename(part, directory / name)
    flush(directory)
    return name


def check_encoder(folder: Path) -> None:
    """Refuse the encoder's folder where its content is not what its name tells.

    Raises:
        CheckpointError: it is missing, damaged or another one under this name.
    """
    if ENCODER.fullmatch(folder.name) is None:
        raise CheckpointError(
            f"{folder.parent}: its metadata name a text encoder that cannot be: {folder.name!r}"
        )
    if not (folder / _DESCRIPTION).is_file():
        raise CheckpointError(f"{folder / _DESCRIPTION}: cannot be read: there is no such file")
    if not _is_whole(folder):
        raise CheckpointError(
            f"{folder}: damaged: the text encoder's content does not agree with its name"
        )


def _is_whole(folder: Path) -> bool:
    """Whether the content of a folder is what its name tells, as far as it does."""
    told = folder.name.removeprefix("encoder-")
    try:
        if len(told) == 16:
            return _content(folder).startswith(told)
        return _hash(folder).startswith(told) or _without_place(folder / _DESCRIPTION) is not None
    except OSError:
        return False


def _content(folder: Path) -> str:
    """A sha256 of the files in ``folder``, but for where a pretrained model lies."""
    return _hash(folder, placed=False)


def _hash(folder: Path, placed: bool = True) -> str:
    digest = hashlib.sha256()
    for file in _files(folder):
        digest.update(str(file.relative_to(folder)).encode())
        content = None if placed or file.name != _DESCRIPTION else _without_place(file)
        digest.update(file.read_bytes() if content is None else content)
    return digest.hexdigest()


def _files(folder: Path) -> list[Path]:
    """The files of an encoder, without the hidden ones of other programs."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return sorted(p for p in found if "/." not in f"/{p.relative_to(folder).as_posix()}")


def _described(description: Path) -> dict[str, Any]:
    """What an encoder's description says; empty where it is none."""
    try:
        content = json.loads(description.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _without_place(description: Path) -> bytes | None:
    """A pretrained encoder's description without its model's path; None of any other."""
    content = _described(description)
    if "model" not in content:
        return None
    return json.dumps({**content, "model": None}, sort_keys=True).encode()
