"""Saved models: safetensors with dotted names, JSON beside it, and a model card. Never pickle.

A directory holds

- ``model.safetensors``: parameters, running state and bank. Its metadata hold the config, so this
  one file, replaced in one move, is what a load trusts;
- ``config.json``: the same metadata for people to read;
- ``encoder-<fingerprint>/``: the text encoder, where there is one;
- ``README.md``: the model card.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from .backends import load_ops
from .bank import Bank
from .config import DTGCNNConfig
from .model import DTGCNN
from .tree import flatten, unflatten

__all__ = ["CheckpointError", "check_folder", "holds_model", "load_model", "save_model"]

WEIGHTS = "model.safetensors"
_ENCODER = re.compile(r"encoder-[0-9a-f]{12}$")
FORMAT = "dtgcnn-1"


class CheckpointError(ValueError):
    """A directory that holds no model, or files that are not what a model's files must be."""


def holds_model(directory: str | Path) -> bool:
    """Whether a model was saved in ``directory``."""
    return (Path(directory) / WEIGHTS).exists()


def save_model(
    model: DTGCNN, directory: str | Path, *, overwrite: bool = False, same_encoder: bool = False
) -> Path:
    """Write ``model`` into ``directory``, made where it is missing.

    What was there stays loadable until ``model.safetensors`` is replaced, in one move. With
    ``same_encoder`` the encoder that an earlier save of this model left is not written again.

    Raises:
        FileExistsError, NotADirectoryError, PermissionError: see ``check_folder``.
    """
    directory = Path(directory)
    check_folder(directory, overwrite)
    directory.mkdir(parents=True, exist_ok=True)
    earlier = _encoder_of(directory)
    if model.encoder is None:
        encoder = None
    elif same_encoder and earlier is not None:
        encoder = earlier
    else:
        encoder = _save_encoder(model.encoder, directory)
    metadata = {
        "format": FORMAT,
        "config": model.config.to_dict(),
        "encoder": encoder,
        "trained_with": {
            "dtgcnn": version("dtgcnn"),
            "backend": model.ops.name,
            "device": model.ops.device,
            "dtype": model.ops.dtype,
            "python": platform.python_version(),
        },
    }
    arrays = {name: np.ascontiguousarray(model.ops.to_numpy(leaf)) for name, leaf in _leaves(model)}
    text = json.dumps(metadata, indent=2)
    replace_file(directory / WEIGHTS, save(arrays, {"dtgcnn": text}))
    replace_file(directory / "config.json", (text + "\n").encode())
    replace_file(directory / "README.md", _model_card(model).encode())
    if earlier is not None and earlier != encoder:
        shutil.rmtree(directory / earlier, ignore_errors=True)
    return directory


def check_folder(directory: str | Path, overwrite: bool = False) -> None:
    """Refuse a folder that a model cannot or must not be saved in, before any work is done.

    A folder of other files is never written to, so nothing of them can be lost.

    Raises:
        FileExistsError: it holds a model and ``overwrite`` is False, or files but no model.
        NotADirectoryError: the path, or a part of it, is a file.
        PermissionError: it, or the folder to make it in, cannot be written to.
    """
    directory = Path(directory)
    nearest = next(
        path for path in (directory.absolute(), *directory.absolute().parents) if path.exists()
    )
    if not nearest.is_dir():
        raise NotADirectoryError(f"{directory}: {nearest} must be a folder, it is a file")
    if not os.access(nearest, os.W_OK):
        raise PermissionError(f"{directory}: the folder {nearest} cannot be written to")
    if holds_model(directory):
        if not overwrite:
            raise FileExistsError(f"{directory} already holds a model; overwrite replaces it")
        return
    kept = [] if nearest != directory.absolute() else sorted(directory.iterdir())
    foreign = [p.name for p in kept if not (p.name.startswith(".") or _ENCODER.match(p.name))]
    if foreign:
        raise FileExistsError(
            f"{directory} must be empty or hold a model, it holds other files ({foreign[0]})"
        )


def load_model(directory: str | Path, *, backend: str = "auto") -> DTGCNN:
    """The model saved in ``directory``, on ``backend``.

    Raises:
        CheckpointError: there is no model, a file is damaged or foreign, or an array is missing or
            of another shape than the config asks for.
    """
    directory = Path(directory)
    path = directory / WEIGHTS
    if not path.is_file():
        raise CheckpointError(f"{directory}: no model here ({WEIGHTS} is missing)")
    metadata, arrays = _read_weights(path)
    try:
        config = DTGCNNConfig.from_dict(metadata["config"])
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: its config is not valid: {error}") from None
    model = DTGCNN(config, ops=load_ops(backend))
    named = dict(_leaves(model))
    for name, leaf in named.items():
        if name not in arrays:
            raise CheckpointError(f"{path}: the array {name!r} is missing")
        if arrays[name].shape != tuple(leaf.shape):
            raise CheckpointError(
                f"{path}: {name!r} must have shape {tuple(leaf.shape)} by the config, it has "
                f"{arrays[name].shape}"
            )
    tree = unflatten({name: model.ops.asarray(arrays[name]) for name in named})
    model.params = tree["params"]
    model.state = _refill(model.state, tree.get("state", {}))
    _load_bank(model, arrays, path)
    if metadata.get("encoder"):
        from .data import load_encoder

        model.encoder = load_encoder(directory / str(metadata["encoder"]))
    return model


def replace_file(path: Path, content: bytes) -> None:
    """Write a file in full beside ``path``, flush it to the disk, then move it into place."""
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


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _leaves(model: DTGCNN) -> list[tuple[str, Any]]:
    leaves = flatten(model.params, "params") | flatten(model.state, "state")
    if model.bank is not None:
        leaves["bank.x"] = model.bank.host_x
        leaves |= {f"bank.states.{i}": s for i, s in enumerate(model.bank.states) if i > 0}
    return list(leaves.items())


def _read_weights(path: Path, arrays: bool = True) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        with safe_open(path, framework="np") as file:
            text = (file.metadata() or {}).get("dtgcnn")
            names = file.keys() if arrays else []
            loaded = {name: file.get_tensor(name) for name in names}
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path}: not a readable safetensors file: {error}") from None
    if text is None:
        raise CheckpointError(f"{path}: a safetensors file, but not one that dtgcnn wrote")
    try:
        metadata: dict[str, Any] = json.loads(text)
    except ValueError as error:
        raise CheckpointError(f"{path}: its metadata are not valid JSON: {error}") from None
    if not isinstance(metadata, dict):
        raise CheckpointError(f"{path}: its metadata must be an object")
    if metadata.get("format") != FORMAT:
        raise CheckpointError(
            f"{path}: the format must be {FORMAT!r}, it is {metadata.get('format')!r}"
        )
    return metadata, loaded


def _encoder_of(directory: Path) -> str | None:
    """The folder name of the encoder that the model in ``directory`` uses."""
    try:
        name = _read_weights(directory / WEIGHTS, arrays=False)[0].get("encoder")
    except CheckpointError:
        return None
    return name if isinstance(name, str) and _ENCODER.match(name) else None


def _refill(state: Any, loaded: Any) -> Any:
    """``state`` with the loaded leaves; dicts without leaves are not on the disk."""
    if isinstance(state, dict):
        return {name: _refill(sub, loaded.get(name, {})) for name, sub in state.items()}
    return loaded


def _load_bank(model: DTGCNN, arrays: dict[str, Any], path: Path) -> None:
    if "bank.x" not in arrays:
        return
    host_x, ops = arrays["bank.x"], model.ops
    bank = Bank(host_x, model.device_rows(host_x))
    bank.states = [bank.x]
    widths = (model.config.input_dim, *model.config.hidden_dims)
    if host_x.shape[1] != widths[0]:
        raise CheckpointError(f"{path}: 'bank.x' must have {widths[0]} columns")
    for index in range(1, len(model.network.layers)):
        name, shape = f"bank.states.{index}", (len(host_x), widths[index])
        if name not in arrays or arrays[name].shape != shape:
            found = arrays[name].shape if name in arrays else "nothing"
            raise CheckpointError(f"{path}: {name!r} must have shape {shape}, found {found}")
        bank.states.append(ops.asarray(arrays[name]))
    model.bank = bank


def _save_encoder(encoder: Any, directory: Path) -> str:
    """Save the encoder under a name made of its content, so no other model's is touched."""
    with tempfile.TemporaryDirectory(dir=directory, prefix=".encoder-") as temporary:
        draft = Path(temporary) / "encoder"
        draft.mkdir()
        encoder.save(draft)
        digest = hashlib.sha256()
        for file in sorted(path for path in draft.rglob("*") if path.is_file()):
            digest.update(str(file.relative_to(draft)).encode() + file.read_bytes())
        name = f"encoder-{digest.hexdigest()[:12]}"
        if not (directory / name).exists():
            os.rename(draft, directory / name)
    return name


def _model_card(model: DTGCNN) -> str:
    config, bank = model.config, 0 if model.bank is None else len(model.bank)
    rows = "\n".join(f"| {name} | {value} |" for name, value in config.to_dict().items())
    takes = "texts" if model.encoder is not None else f"vectors of {config.input_dim} numbers"
    return f"""---
library_name: dtgcnn
tags: [embeddings, metric-learning, graph-neural-network]
---

# A DT-GCNN embedding model

Takes {takes}, gives embeddings of {config.output_dim} numbers. {model.num_parameters:,} parameters;
every input attaches to its {config.graph_k_neighbors} nearest of {bank:,} bank rows.

```python
from dtgcnn import DTGCNN

model = DTGCNN.load("PATH/OF/THIS/FOLDER")
embeddings = model.encode(...)  # {takes}
```

The bank holds vectors of training rows: treat this folder as you treat the training data.

| setting | value |
|---|---|
{rows}
"""
