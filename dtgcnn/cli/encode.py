"""``dtgcnn encode``: the embeddings of a file's rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, get_args

import click

from ..array.distributed import shared_rows
from ..data import VECTOR_SUFFIXES, TripletDataset, check_vectors, write_vectors
from ..evaluation import Precision, kept_neighbors, smaller, step_of
from ..training import load_embedder
from .main import main
from .options import (
    backend_option,
    check_file,
    check_rows,
    file_argument,
    model_argument,
    ops_of,
    overwrite_option,
    rows_of,
    tell,
    together,
)
from .streams import InputFile, output_option, written

__all__ = ["encode"]


@main.command()
@model_argument
@file_argument
@output_option(
    "--output", *VECTOR_SUFFIXES, required=True, help="A .npy, .parquet or .safetensors file."
)
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
    model: Path, file: InputFile, output: Path, dtype: Precision, backend: str, overwrite: bool
) -> None:
    """Write the embeddings of FILE's rows, one row each, in order.

    FILE may be labelled or plain: a .txt file of one text a line, a column "text", or vectors.
    A .npy file holds an array, .safetensors a tensor x, and .parquet the column embedding after
    FILE's texts and labels; packed signs are called bits. Processes that a launcher started share
    the rows, and the first writes them.

    \b
    Examples:
      dtgcnn encode model tickets.csv --output vectors.npy
      dtgcnn encode model tickets.csv --output vectors.parquet --dtype int8
      cat texts.txt | dtgcnn encode model - --format txt --output - > vectors.npy
    """
    check_vectors(output)
    ops = ops_of(backend)
    world = together(ops)
    world.from_first("--output", lambda: check_file("--output", output, overwrite))
    dataset = rows_of(file)
    loaded = load_embedder(model, ops=ops)
    check_rows(model, loaded, dataset)
    tell("encoding", len(dataset))
    if world.size > 1:
        world.check_same("what is encoded", _told(dataset.inputs, loaded.encode))
    shown = partial(loaded.encode, show_progress_bar=world.size == 1)
    embeddings = shared_rows(world, ops, "embeddings", dataset.inputs, shown)
    if not world.is_first:
        return
    rows = smaller(embeddings, dtype)
    told = {"dtype": dtype, "columns": str(embeddings.shape[1])}
    if dtype == "int8":
        told["step"] = repr(step_of(embeddings))
    write_vectors(output, rows, _called(output, dtype), _columns(dataset), told)
    written(output, f"{rows.shape[0]:,} rows of {rows.shape[1]}")
    if dtype != "float32":
        kept = kept_neighbors(embeddings, rows)
        share = rows.nbytes / max(embeddings.nbytes, 1)
        click.echo(f"{dtype}: {share:.1%} of the bytes, {kept:.1%} of the ten nearest rows")


def _called(output: Path, dtype: Precision) -> str:
    """The name of the embeddings in a file: by its own reading rows of vectors, which packed signs
    are not."""
    if dtype == "binary":
        return "bits"
    return "embedding" if output.suffix == ".parquet" else "x"


def _columns(dataset: TripletDataset) -> dict[str, Sequence[Any]]:
    """Texts and labels of the rows, where there are some."""
    columns: dict[str, Sequence[Any]] = {} if dataset.texts is None else {"text": dataset.texts}
    if dataset.label_names is not None:
        columns["label"] = [name or None for name in dataset.names_of(range(len(dataset)))]
    return columns


def _told(inputs: Any, encode: Callable[[Any], Any]) -> dict[str, str | int]:
    """What tells rows and models apart."""
    texts = isinstance(inputs, list)
    content = "\0".join(inputs).encode("utf-8", "surrogatepass") if texts else inputs.tobytes()
    return {
        "number of rows": len(inputs),
        "rows (a digest of them)": sha256(content).hexdigest(),
        "model (a digest of the first row's embedding)": sha256(encode(inputs[:1])).hexdigest(),
    }
