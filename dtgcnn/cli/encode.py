"""``dtgcnn encode``: the embeddings of a file's rows."""

from __future__ import annotations

import io
from pathlib import Path

import click
import numpy as np

from ..storage import replace_file
from ..training import load_embedder
from .main import main
from .options import (
    backend_option,
    check_file,
    check_rows,
    file_argument,
    model_argument,
    overwrite_option,
    rows_of,
)

__all__ = ["encode"]


@main.command()
@model_argument
@file_argument
@click.option("--output", required=True, type=click.Path(path_type=Path), help="A .npy file.")
@backend_option
@overwrite_option
def encode(model: Path, file: Path, output: Path, backend: str, overwrite: bool) -> None:
    """Write the embeddings of FILE's rows as a float32 array, one row each, in order.

    FILE may be labelled or plain: a .txt file of one text a line, a column "text", or vectors.
    """
    if output.suffix != ".npy":
        raise ValueError(f"--output must end in .npy, received {output}")
    check_file("--output", output, overwrite)
    dataset = rows_of(file)
    loaded = load_embedder(model, backend=backend)
    check_rows(model, loaded, dataset)
    embeddings = loaded.encode(dataset.inputs)
    buffer = io.BytesIO()
    np.save(buffer, embeddings)
    replace_file(output, buffer.getvalue())
    click.echo(f"{output}: {embeddings.shape[0]} rows of {embeddings.shape[1]}")
