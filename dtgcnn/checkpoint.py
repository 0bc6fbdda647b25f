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
import os
import re
import shutil
from pathlib import Path
from typing import Any

from .backends import load_ops
from .bank import Bank, nodes_of
from .config import DTGCNNConfig
from .files import (
    CheckpointError,
    draft,
    flush,
    read_arrays,
    read_metadata,
    remove_drafts,
    replace_file,
    write_arrays,
    write_json,
)
from .model import DTGCNN
from .multitask import MultiTaskDTGCNN
from .tree import flatten, refill

__all__ = ["CheckpointError", "check_folder", "holds_model", "load_model", "save_model"]

WEIGHTS = "model.safetensors"
FORMAT = "dtgcnn-2"
_ENCODER = re.compile(r"encoder-[0-9a-f]{12}$")
_MODELS = {model.__name__: model for model in (DTGCNN, MultiTaskDTGCNN)}


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
    encoder = None
    if model.encoder is not None:
        earlier = _encoder_of(directory) if same_encoder else None
        encoder = earlier or _save_encoder(model.encoder, directory)
    metadata = {
        "format": FORMAT,
        "model": type(model).__name__,
        "arguments": model.extras(),
        "config": model.config.to_dict(),
        "encoder": encoder,
        "text_encoder": _spec(model.encoder),
        "trained_with": model.made_with(),
    }
    arrays = {name: model.ops.to_numpy(leaf) for name, leaf in _leaves(model).items()}
    if model.bank is not None:
        arrays["bank.x"] = model.bank.host_x
    write_arrays(directory / WEIGHTS, arrays, metadata)
    write_json(directory / "config.json", metadata)
    replace_file(directory / "README.md", _model_card(model).encode())
    for path in directory.iterdir():  # of the model before, or of a save that was cut short
        if _ENCODER.fullmatch(path.name) and path.name != encoder:
            shutil.rmtree(path, ignore_errors=True)
    return directory


def check_folder(
    directory: str | Path,
    overwrite: bool = False,
    *,
    what: str = "a model",
    main: str = WEIGHTS,
    parts: re.Pattern[str] = _ENCODER,
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
    metadata, arrays = read_arrays(path, FORMAT)
    ops = load_ops(backend)
    try:
        # The device it was trained on may not be here.
        config = DTGCNNConfig.from_dict({**metadata["config"], "device": "auto"})
        model = _MODELS[metadata["model"]](config, ops=ops, **metadata["arguments"])
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: its config is not valid: {error}") from None
    named = _leaves(model)
    for name, leaf in named.items():
        if name not in arrays:
            raise CheckpointError(f"{path}: the array {name!r} is missing")
        if arrays[name].shape != tuple(leaf.shape):
            raise CheckpointError(
                f"{path}: {name!r} must have shape {tuple(leaf.shape)} by the config, it has "
                f"{arrays[name].shape}"
            )
    loaded = {name: model.ops.asarray(arrays[name]) for name in named}
    model.params = refill(model.params, loaded, "params")
    model.state = refill(model.state, loaded, "state")
    _load_bank(model, arrays, path)
    if metadata.get("encoder"):
        from .data import load_encoder

        model.encoder = load_encoder(directory / str(metadata["encoder"]))
    return model


def _leaves(model: DTGCNN) -> dict[str, Any]:
    leaves = flatten(model.params, "params") | flatten(model.state, "state")
    if model.bank is not None:
        leaves |= {f"bank.states.{i}": s for i, s in enumerate(model.bank.states) if i > 0}
    return leaves


def _encoder_of(directory: Path) -> str | None:
    """The folder name of the encoder that the model in ``directory`` uses."""
    try:
        name = read_metadata(directory / WEIGHTS).get("encoder")
    except CheckpointError:
        return None
    return name if isinstance(name, str) and _ENCODER.match(name) else None


def _load_bank(model: DTGCNN, arrays: dict[str, Any], path: Path) -> None:
    if "bank.x" not in arrays:
        return
    host_x, ops = arrays["bank.x"], model.ops
    widths = (model.config.input_dim, *model.config.hidden_dims)
    if host_x.ndim != 2 or host_x.shape[1] != model.config.row_width:
        raise CheckpointError(f"{path}: 'bank.x' must have {model.config.row_width} columns")
    bank = Bank(host_x, model.device_rows(host_x))
    bank.states = [nodes_of(ops, model.network, model.params, bank.x)]
    for index in range(1, len(model.network.layers)):
        name, shape = f"bank.states.{index}", (len(host_x), widths[index])
        if name not in arrays or arrays[name].shape != shape:
            found = arrays[name].shape if name in arrays else "nothing"
            raise CheckpointError(f"{path}: {name!r} must have shape {shape}, found {found}")
        bank.states.append(ops.asarray(arrays[name]))
    model.bank = bank


def _save_encoder(encoder: Any, directory: Path) -> str:
    """Save the encoder under a name made of its content, so no other model's is touched."""
    remove_drafts(directory)
    with draft(directory / "encoder") as part:
        part.mkdir()
        encoder.save(part)
        digest = hashlib.sha256()
        for file in sorted(path for path in part.rglob("*") if path.is_file()):
            digest.update(str(file.relative_to(part)).encode() + file.read_bytes())
            flush(file)
        name = f"encoder-{digest.hexdigest()[:12]}"
        if not (directory / name).exists():
            os.rename(part, directory / name)
    flush(directory)
    return name


def _spec(encoder: Any) -> str | None:
    """What the encoder is called on the command line."""
    return None if encoder is None else str(getattr(encoder, "spec", encoder.name))


def _model_card(model: DTGCNN) -> str:
    config, bank = model.config, 0 if model.bank is None else len(model.bank)
    rows = "\n".join(f"| {name} | {value} |" for name, value in config.to_dict().items())
    vectors = f"vectors of {config.input_dim} numbers"
    what = vectors if config.vocab_size is None else f"rows of {config.max_length} pieces"
    takes = "texts" if model.encoder is not None else what
    spec = _spec(model.encoder)
    by = "" if spec is None else f"\nTexts become {what} by `{spec}`."
    return f"""---
library_name: dtgcnn
tags: [embeddings, metric-learning, graph-neural-network]
---

# A DT-GCNN embedding model

Takes {takes}, gives embeddings of {config.output_dim} numbers. {model.num_parameters:,} parameters;
every input attaches to its {config.graph_k_neighbors} nearest of {bank:,} bank rows.{by}

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
