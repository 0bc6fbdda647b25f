"""``dtgcnn evaluate``, ``encode`` and ``search``: what a trained model is used for."""

from __future__ import annotations

import io
from pathlib import Path

import click
import numpy as np

from ..data import TripletDataset, read_pairs
from ..data.reading.pairs import holds_pairs
from ..ensemble_files import load_embedder
from ..evaluate import unit_rows
from ..files import replace_file, write_json
from ..report import Comparison, compare, compare_pairs
from .main import main
from .options import (
    backend_option,
    check_file,
    file_argument,
    model_argument,
    overwrite_option,
    rows_of,
)

__all__ = ["encode", "evaluate", "search"]


@main.command()
@model_argument
@file_argument
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write figures here.")
@backend_option
def evaluate(model: Path, file: Path, json_file: Path | None, backend: str) -> None:
    """Measure the model, or ensemble, in DIR on FILE, against the vectors that go into it.

    Labelled data with a split column: the rows "test" are looked up among the rows "train".
    Without one, every row is looked up among all others. Triplets: the share whose positive is
    nearer than their negative. Pairs (sentence1, sentence2, score): how well their cosines follow
    the scores.
    """
    if json_file is not None:
        check_file("--json", json_file, overwrite=True)
    result: Comparison | None
    if holds_pairs(file):
        pairs = read_pairs(file)
        result = compare_pairs(load_embedder(model, backend=backend), pairs)
    else:
        result = compare(load_embedder(model, backend=backend), TripletDataset(file))
    if result is None:
        raise ValueError(
            f"{file}: nothing to measure: no triplets, and no two rows of one class to look up"
        )
    click.echo(f"{result.protocol}\n\n{result.table()}")
    if json_file is not None:
        write_json(json_file, {"model": str(model), "file": str(file), **result.to_dict()})


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
    embeddings = loaded.encode(dataset.inputs)
    buffer = io.BytesIO()
    np.save(buffer, embeddings)
    replace_file(output, buffer.getvalue())
    click.echo(f"{output}: {embeddings.shape[0]} rows of {embeddings.shape[1]}")


@main.command()
@model_argument
@file_argument
@click.argument("query")
@click.option("--top", default=5, show_default=True, type=click.IntRange(1), help="How many.")
@backend_option
def search(model: Path, file: Path, query: str, top: int, backend: str) -> None:
    """Print the texts of FILE that are nearest to QUERY, with their cosine similarity."""
    dataset = rows_of(file)
    if dataset.texts is None:
        raise ValueError(f"{file}: holds vectors; search needs texts to print")
    if not query.strip():
        raise ValueError("QUERY must not be empty")
    loaded = load_embedder(model, backend=backend)
    embeddings = unit_rows(loaded.encode([*dataset.texts, query]))
    similarity = embeddings[:-1] @ embeddings[-1]
    names = dataset.label_names
    for row in np.argsort(-similarity, kind="stable")[:top]:
        label = "" if names is None or dataset.labels is None else f"{names[dataset.labels[row]]}  "
        click.echo(f"{similarity[row]:.3f}  {label}{dataset.texts[row]}")
