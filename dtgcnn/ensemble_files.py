"""Saved ensembles. A directory holds

- ``member-<i>-<token>/``: a saved model each, in a folder that is new at every save;
- ``ensemble.safetensors``: the rotations, and in its metadata the members and how they are put
  together. This one file, replaced in one move, is what a load trusts;
- ``ensemble.json``: the same metadata for people to read;
- ``README.md``: the model card.
"""

from __future__ import annotations

import re
import secrets
import shutil
from pathlib import Path

from .checkpoint import check_folder, load_model, save_model
from .ensemble import Ensemble
from .files import (
    CheckpointError,
    flush,
    read_arrays,
    read_metadata,
    replace_file,
    write_arrays,
    write_json,
)
from .model import DTGCNN

__all__ = ["load_embedder", "load_ensemble", "save_ensemble"]

INDEX = "ensemble.safetensors"
FORMAT = "dtgcnn-ensemble-1"
_MEMBER = re.compile(r"member-\d+-[0-9a-f]{8}$")


def save_ensemble(ensemble: Ensemble, directory: str | Path, *, overwrite: bool = False) -> Path:
    """Write ``ensemble`` into ``directory``, made where it is missing.

    What was there stays loadable until ``ensemble.safetensors`` is replaced, in one move.

    Raises:
        FileExistsError, NotADirectoryError, PermissionError: see ``check_folder``.
    """
    directory = Path(directory)
    check_folder(directory, overwrite, what="an ensemble", main=INDEX, parts=_MEMBER)
    directory.mkdir(parents=True, exist_ok=True)
    token = secrets.token_hex(4)
    names = [f"member-{i}-{token}" for i in range(len(ensemble.models))]
    metadata = {
        "format": FORMAT,
        "mode": ensemble.mode,
        "members": names,
        "seeds": [model.config.seed for model in ensemble.models],
        "saved_with": ensemble.models[0].made_with(),
    }
    arrays = {} if ensemble.rotations is None else {"rotations": ensemble.rotations}
    try:
        for model, name in zip(ensemble.models, names, strict=True):
            save_model(model, directory / name)
        flush(directory)  # the members' names, before the file that names them
        write_arrays(directory / INDEX, arrays, metadata)
    finally:
        _remove_unnamed(directory)
    write_json(directory / "ensemble.json", metadata)
    replace_file(directory / "README.md", _model_card(ensemble).encode())
    return directory


def load_ensemble(directory: str | Path, *, backend: str = "auto") -> Ensemble:
    """The ensemble saved in ``directory``, on ``backend``.

    Raises:
        CheckpointError: there is none, or a file or a member is missing, damaged, foreign or of
            another shape than the others.
    """
    directory = Path(directory)
    path = directory / INDEX
    if not path.is_file():
        raise CheckpointError(f"{directory}: no ensemble here ({INDEX} is missing)")
    metadata, arrays = read_arrays(path, FORMAT)
    models = [load_model(directory / name, backend=backend) for name in metadata["members"]]
    try:
        ensemble = Ensemble(models, "mean")
    except ValueError as error:
        raise CheckpointError(f"{directory}: its members do not fit together: {error}") from None
    for model in models:
        model.encoder = models[0].encoder  # one copy, of equal ones
    ensemble.mode, ensemble.rotations = metadata["mode"], arrays.get("rotations")
    return ensemble


def load_embedder(directory: str | Path, *, backend: str = "auto") -> DTGCNN | Ensemble:
    """What was saved in ``directory``: an ensemble, or else a model.

    Raises:
        CheckpointError: as ``load_ensemble`` and ``load_model``.
    """
    if (Path(directory) / INDEX).exists():
        return load_ensemble(directory, backend=backend)
    return load_model(directory, backend=backend)


def _remove_unnamed(directory: Path) -> None:
    """Remove the members that ``ensemble.safetensors`` does not name: those of an ensemble that was
    replaced, or of a save that failed."""
    index = directory / INDEX
    try:
        named = read_metadata(index)["members"] if index.exists() else []
    except CheckpointError:  # it cannot be told which are in use
        return
    for path in directory.iterdir():
        if _MEMBER.match(path.name) and path.name not in named:
            shutil.rmtree(path, ignore_errors=True)


def _model_card(ensemble: Ensemble) -> str:
    first, count = ensemble.models[0], len(ensemble.models)
    seeds, width = ", ".join(str(m.config.seed) for m in ensemble.models), ensemble.output_dim
    takes = "texts" if first.encoder is not None else f"vectors of {first.config.input_dim} numbers"
    return f"""---
library_name: dtgcnn
tags: [embeddings, metric-learning, graph-neural-network]
---

# An ensemble of DT-GCNN embedding models

Takes {takes}, gives embeddings of {width} numbers. {count} models of the seeds {seeds},
put together by `{ensemble.mode}`; each has a folder and a card of its own.

```python
from dtgcnn import Ensemble

ensemble = Ensemble.load("PATH/OF/THIS/FOLDER")
embeddings = ensemble.encode(...)  # {takes}
```

The banks hold vectors of training rows: treat this folder as you treat the training data.
"""
