"""``dtgcnn plot``: pictures of a trained model."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import click

from ..evaluation import Method
from ..model import DTGCNN
from ..plots import plot_degrees, plot_purity, visualize_embeddings
from ..training import load_embedder
from .main import main
from .options import (
    backend_option,
    check_file,
    dataset_of,
    file_argument,
    model_argument,
    ops_of,
    overwrite_option,
    tell,
)
from .streams import InputFile, output_option, written

__all__ = ["plot"]


@main.command()
@model_argument
@file_argument
@output_option("--output", ".png", ".svg", help="A .png or .svg file.  [default: KIND.png]")
@click.option(
    "--kind",
    type=click.Choice(["embeddings", "degrees", "purity"]),
    default="embeddings",
    show_default=True,
    help="What to draw, see above.",
)
@click.option(
    "--method",
    type=click.Choice(get_args(Method)),
    help="How embeddings are projected  [default: auto, which is tsne]",
)
@click.option(
    "--max-points", type=click.IntRange(1), help="Embeddings drawn at most  [default: 1000]"
)
@backend_option
@overwrite_option
def plot(
    model: Path,
    file: InputFile,
    output: Path | None,
    kind: str,
    method: Method | None,
    max_points: int | None,
    backend: str,
    overwrite: bool,
) -> None:
    """Draw a picture of the model in DIR with the data in FILE.

    \b
    embeddings  FILE's rows on a plane, coloured by label
    degrees     how many links of FILE's rows end at each row of the bank
    purity      how many neighbours are of a row's own class, for each class;
                FILE must hold the training rows too

    Of data with a split column, "embeddings" and "purity" show the rows "test".

    \b
    Examples:
      dtgcnn plot model tickets.csv --output map.svg
      dtgcnn plot model tickets.csv --kind purity
    """
    output = Path(f"{kind}.png") if output is None else output
    if output.suffix.lower() not in (".png", ".svg"):
        raise ValueError(f"--output must end in .png or .svg, received {output}")
    check_file("--output", output, overwrite)
    for option, value in (("--method", method), ("--max-points", max_points)):
        if value is not None and kind != "embeddings":
            raise ValueError(f"{option} goes with --kind embeddings, received --kind {kind}")
    dataset = dataset_of(file, labels=kind == "purity")
    loaded = load_embedder(model, ops=ops_of(backend))
    tell("drawing", dataset.num_items)
    if kind == "embeddings":
        figure = visualize_embeddings(
            loaded,
            dataset,
            output,
            method=method or "auto",
            num_samples=max_points or 1000,
        )
        said = figure.axes[0].get_title()
    elif not isinstance(loaded, DTGCNN):
        raise ValueError(f"--kind {kind} needs a model, {model} holds an ensemble: plot a member")
    else:
        draw = plot_degrees if kind == "degrees" else plot_purity
        said = draw(loaded, dataset, output).get_suptitle()
    click.echo(said.replace("\n", ", "))
    written(output)
