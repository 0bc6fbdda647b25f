"""``dtgcnn encode``: the embeddings of a file's rows."""

from __future__ import annotations

import io
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, get_args

import click
import numpy as np

from ..array import load_ops
from ..array.distributed import shared_rows
from ..evaluation import Precision, kept_neighbors, smaller
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
    together,
)

__all__ = ["encode"]


@main.command()
@model_argument
@file_argument
@click.option("--output", required=True, type=click.Path(path_type=Path), help="A .npy file.")
@click.option(
    "--dtype",
    type=click.Choice(get_args(Precision)),
    default="float32",
    show_default=True,
    help="int8 scales all numbers alike; binary packs the signs, eight a byte.",
)
@backend_option
@overwrite_option
def encode(
    model: Path, file: Path, output: Path, dtype: Precision, backend: str, overwrite: bool
) -> None:
    """Write the embeddings of FILE's rows as an array, one row each, in order.

    FILE may be labelled or plain: a .txt file of one text a line, a column "text", or vectors.
    Processes that a launcher started share the rows, and the first writes them.
    """
    if output.suffix != ".npy":
        raise ValueError(f"--output must end in .npy, received {output}")
    ops = load_ops(backend)
    world = together(ops)
    world.from_first("--output", lambda: check_file("--output", output, overwrite))
    dataset = rows_of(file)
    loaded = load_embedder(model, backend=backend)
    check_rows(model, loaded, dataset)
    if world.size > 1:
        world.check_same("what is encoded", _told(dataset.inputs, loaded.encode))
    embeddings = shared_rows(world, ops, "embeddings", dataset.inputs, loaded.encode)
    if not world.is_first:
        return
    rows = smaller(embeddings, dtype)
    buffer = io.BytesIO()
    np.save(buffer, rows)
    replace_file(output, buffer.getvalue())
    click.echo(f"{output}: {rows.shape[0]} rows of {rows.shape[1]}")
    if dtype != "float32":
        kept = kept_neighbors(embeddings, rows)
        share = rows.nbytes / max(embeddings.nbytes, 1)
        click.echo(f"{dtype}: {share:.1%} of the bytes, {kept:.1%} of the ten nearest rows")


def _told(inputs: Any, encode: Callable[[Any], Any]) -> dict[str, str | int]:
    """What tells rows and models apart."""
    texts = isinstance(inputs, list)
    content = "\0".join(inputs).encode("utf-8", "surrogatepass") if texts else inputs.tobytes()
    return {
        "number of rows": len(inputs),
        "rows (a digest of them)": sha256(content).hexdigest(),
        "model (a digest of the first row's embedding)": sha256(encode(inputs[:1])).hexdigest(),
    }
