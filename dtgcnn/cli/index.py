"""``dtgcnn index``: a trained model over the rows that will be searched."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import click

from ..evaluation import SearchIndex
from ..storage import check_output
from .main import main
from .options import (
    about,
    backend_option,
    check_file,
    file_argument,
    loaded_for,
    model_argument,
    named,
    overwrite_option,
    rows_of,
    tell,
)
from .streams import InputFile

__all__ = ["index"]


@main.command()
@model_argument
@file_argument
@click.option("--output", required=True, type=click.Path(path_type=Path), help="Model folder.")
@click.option(
    "--hops", default=3, show_default=True, type=click.IntRange(0), help="Steps of propagation."
)
@click.option(
    "--export", type=click.Path(path_type=Path), help="A .usearch file of the embeddings as well."
)
@backend_option
@overwrite_option
def index(
    model: Path,
    file: InputFile,
    output: Path,
    hops: int,
    export: Path | None,
    backend: str,
    overwrite: bool,
) -> None:
    """Save the model or ensemble in DIR with FILE's rows, labelled or not, as its graph.

    Texts of classes that training never saw find neighbours of their own class among the rows that
    are searched, and so come to lie closer together. The folder is a model like any other, and
    ``dtgcnn search`` finds its rows without FILE: it holds their embeddings, vectors, texts and
    labels.
    """
    named("--output", check_output, output, overwrite, model)
    if export is not None:
        if export.suffix != ".usearch":
            raise ValueError(f"--export must end in .usearch, received {export}")
        check_file("--export", export, overwrite)
        if find_spec("usearch") is None:
            raise ImportError("--export needs usearch: pip install 'dtgcnn[usearch]'")
    dataset = rows_of(file)
    loaded = loaded_for(dataset, model, backend)
    tell("indexing", len(dataset))
    with about(file):
        indexed = SearchIndex.build(loaded, dataset, hops=hops)
    indexed.save(output, overwrite=overwrite)
    bank = indexed.model.trained_bank()
    if export is not None:
        indexed.export(export)
    click.echo(f"model saved in {output}, its graph over {len(bank):,} of {len(dataset):,} rows")
