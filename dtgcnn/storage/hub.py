"""Models on the Hugging Face hub: their files, and cards that its pages read."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import CheckpointError, MissingExtraError
from .checkpoint import spec_of

__all__ = ["fetched", "pushed"]

FILES = ["*.json", "*.safetensors", "README.md"]
"""What is taken of a repository: no code."""


def fetched(name: str, revision: str | None = None, token: str | bool | None = None) -> Path:
    """The folder of a model: ``name`` itself, or where the hub's client put its files.

    Raises:
        CheckpointError: it is no folder, and the hub did not give it.
        MissingExtraError: huggingface-hub is not installed.
    """
    if Path(name).expanduser().is_dir():
        return Path(name).expanduser()
    if name.startswith((".", "~")) or Path(name).is_absolute() or name.count("/") > 1:
        raise CheckpointError(f"{name}: no such folder")
    hub = _library()
    try:
        return Path(
            hub.snapshot_download(name, revision=revision, token=token, allow_patterns=FILES)
        )
    except Exception as error:  # of the network, the hub's client or the disk
        reason = str(error).partition("\n")[0]
        raise CheckpointError(
            f"the model {name!r} cannot be found: it is not a folder, and the Hugging Face hub did "
            f"not give it ({type(error).__name__}: {reason})"
        ) from None


def pushed(
    model: Any,
    repo_id: str,
    *,
    figures: Mapping[str, Any] | None,
    dataset: str | None,
    license: str | None,
    private: bool | None,
    token: str | bool | None,
    commit_message: str,
) -> str:
    """Save a model with its card in a repository, made where it is missing; its address.

    Raises:
        ValueError: the text encoder's pretrained model lies in a folder of this machine.
        MissingExtraError: huggingface-hub is not installed.
    """
    hub = _library()
    for part in _joined(model.encoder):
        local = "" if getattr(part, "keeps_weights", False) else getattr(part, "model_name", "")
        if local and Path(local).is_dir():
            raise ValueError(
                f"the text encoder's model lies in the folder {local}, where nobody else has it: "
                "train with its name on the hub"
            )
    with tempfile.TemporaryDirectory() as name:
        folder = model.save(Path(name) / "model")
        card = _card(hub, model, folder, repo_id, figures, dataset, license)
        (folder / "README.md").write_text(card, encoding="utf-8")
        api = hub.HfApi(token=token)
        made = api.create_repo(repo_id, private=private, exist_ok=True)
        gone = ["encoder-*/*", "index-*"]  # of a model before
        api.upload_folder(
            repo_id=made.repo_id,
            folder_path=str(folder),
            commit_message=commit_message,
            delete_patterns=gone,
        )
    return str(made)


def _joined(encoder: Any) -> list[Any]:
    """The encoders that one joins, and those that they join; or that one itself."""
    parts = getattr(encoder, "encoders", None)
    return [encoder] if parts is None else [one for part in parts for one in _joined(part)]


def _card(
    hub: Any,
    model: Any,
    folder: Path,
    repo_id: str,
    figures: Mapping[str, Any] | None,
    dataset: str | None,
    license: str | None,
) -> str:
    """The card: what ``save`` wrote, figures as the hub reads them, data and limits."""
    measured = {
        name: value
        for name, value in (figures or {}).get("trained", {}).items()
        if isinstance(value, int | float)
    }
    results = [
        hub.EvalResult("feature-extraction", dataset or "own", dataset or "own data", name, value)
        for name, value in measured.items()
    ]
    data = hub.ModelCardData(
        library_name="dtgcnn",
        license=license,
        tags=["embeddings", "metric-learning", "graph-neural-network"],
        pipeline_tag="feature-extraction",
        model_name=repo_id.rpartition("/")[2] if results else None,
        eval_results=results or None,
        datasets=[dataset] if dataset else None,
    )
    body = re.sub(r"\A---\n.*?\n---\n", "", (folder / "README.md").read_text("utf-8"), flags=re.S)
    body = body.replace(
        'DTGCNN.load("PATH/OF/THIS/FOLDER")', f'DTGCNN.from_pretrained("{repo_id}")'
    )
    classes = "" if model.classes_ is None else f" {len(model.classes_):,} classes."
    spec = spec_of(model.encoder)
    encoded = "The model takes vectors." if spec is None else f"Texts become vectors by `{spec}`."
    table = "".join(f"| {name} | {value:.4f} |\n" for name, value in measured.items())
    return f"""---
{data.to_yaml()}
---
{body}
## Data

{dataset or "Not named."}{classes} {encoded}

## Figures

{"Of rows that were held out:" if table else "None were given."}

{"| figure | value |" + chr(10) + "|---|---|" + chr(10) + table if table else ""}
## Limits

It tells apart what its training data tell apart. Rows unlike them get embeddings too, and answers:
`predict(..., reject=0.05)` refuses the least like them. The bank holds vectors of training rows,
from which much of a text can be told.
"""


def _library() -> Any:
    try:
        import huggingface_hub
    except ImportError as error:
        raise MissingExtraError(
            f"the Hugging Face hub needs huggingface-hub ({error}): pip install 'dtgcnn[hub]'"
        ) from None
    return huggingface_hub
