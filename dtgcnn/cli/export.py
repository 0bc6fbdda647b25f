"""``dtgcnn export``: a folder that another library loads a model from."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from ..training import load_embedder
from .main import main
from .options import backend_option, model_argument, named, ops_of, overwrite_option

__all__ = ["export"]


@main.command()
@model_argument
@click.option("--to", required=True, type=click.Choice(["sentence-transformers"]))
@click.argument("output", type=click.Path(path_type=Path))
@backend_option
@overwrite_option
def export(
    model: Path, to: Literal["sentence-transformers"], output: Path, backend: str, overwrite: bool
) -> None:
    """Write a model as a folder OUTPUT that another library loads.

    \b
    Example:
      dtgcnn export model --to sentence-transformers exported
      SentenceTransformer("exported", trust_remote_code=True)
    """

    def write() -> None:
        load_embedder(model, ops=ops_of(backend)).export(output, to=to, overwrite=overwrite)

    named("OUTPUT", write)
    click.echo(f"{output}: for {to}, with trust_remote_code=True")
