"""The files of a pretrained model: where they are, and a hash that tells them from others."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from ...errors import DataError
from .encoding import digest, require

__all__ = ["find_model", "revision_of", "weights_of"]

_SETTINGS = ("*.json", "*.txt", "*.model")
_CODE = "*.py"
_WEIGHTS = "*.safetensors"
_OLD_WEIGHTS = "*.bin"  # of PyTorch, where there are no others
_OTHER_FORMATS = {"onnx", "openvino", "coreml", "gguf"}
_COMMIT = re.compile(r"[0-9a-f]{40}")


def find_model(
    name: str, extra: str, revision: str | None = None, local: bool = False, code: bool = False
) -> Path:
    """The folder of a model: ``name`` itself, or where the Hugging Face hub's files were put.

    Args:
        name: a folder, or a name on the hub, which is downloaded where it is not there yet.
        extra: the extra of dtgcnn that brings huggingface-hub.
        revision: a commit, branch or tag on the hub.
        local: ask for what was downloaded before only.
        code: download Python files too.

    Raises:
        DataError: there is no such model, or it cannot be downloaded.
        MissingExtraError: huggingface-hub is not installed.
    """
    path = Path(name).expanduser()
    if path.is_dir():
        return path.resolve()
    if path.is_absolute() or name.startswith((".", "~")) or name.count("/") > 1:
        raise DataError(f"the model {name!r} cannot be found: there is no such folder")
    hub = require("huggingface_hub", f"the model {name!r}", extra)
    settings = [*_SETTINGS, _CODE] if code else list(_SETTINGS)
    patterns, options = [*settings, _WEIGHTS], {"revision": revision, "local_files_only": local}
    try:
        folder = Path(hub.snapshot_download(name, allow_patterns=patterns, **options))
        if not any(folder.rglob(_WEIGHTS)):
            old = [*settings, _OLD_WEIGHTS]
            folder = Path(hub.snapshot_download(name, allow_patterns=old, **options))
    except Exception as error:  # of the network, the hub's client or the disk
        reason = str(error).partition("\n")[0]
        raise DataError(
            f"the model {name!r} cannot be found: it is not a folder, and the Hugging Face hub "
            f"did not give it ({type(error).__name__}: {reason})"
        ) from None
    return folder


def revision_of(folder: Path) -> str | None:
    """The commit whose files the hub's client put in ``folder``; None where it did not."""
    return folder.name if _COMMIT.fullmatch(folder.name) else None


def weights_of(folder: Path, code: bool = False) -> str:
    """A sha256 of the names and contents of a model's files: weights, vocabulary, settings, and
    with ``code`` Python files.

    Raises:
        DataError: there are no weights.
    """
    files = _matching(folder, _WEIGHTS) or _matching(folder, _OLD_WEIGHTS)
    if not files:
        raise DataError(f"{folder}: holds no model: there is no file {_WEIGHTS}")
    for pattern in [*_SETTINGS, _CODE] if code else _SETTINGS:
        files += _matching(folder, pattern)
    parts = []
    for path in sorted(files):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        parts += [path.relative_to(folder).as_posix(), content]
    return digest(*parts)


def _matching(folder: Path, pattern: str) -> list[Path]:
    """Files below ``folder``, but for hidden folders and the formats of other programs."""
    found = []
    for path in folder.rglob(pattern):
        parents = path.relative_to(folder).parts[:-1]
        hidden = any(part.startswith(".") or part in _OTHER_FORMATS for part in parents)
        if path.is_file() and not hidden:
            found.append(path)
    return found
