"""``dtgcnn report``: one HTML file about a trained model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import click

from ..evaluation import Method
from ..plots import write_report
from .main import main
from .options import (
    backend_option,
    check_file,
    dataset_of,
    file_argument,
    loaded_for,
    model_argument,
    overwrite_option,
    tell,
)
from .streams import InputFile, output_option, written

__all__ = ["report"]


@main.command()
@model_argument
@file_argument
@output_option("--output", ".html", default=Path("report.html"), help="An .html file.")
@click.option(
    "--method",
    type=click.Choice(get_args(Method)),
    default="auto",
    help="How the map is laid out  [default: auto, which is tsne]",
)
@click.option(
    "--max-points",
    type=click.IntRange(1),
    default=10_000,
    show_default=True,
    help="Rows on the map at most.",
)
@click.option(
    "--reject",
    type=float,
    default=0.05,
    show_default=True,
    metavar="RATE",
    help="Mark rows as out of scope that predict refuses at this rate.",
)
@backend_option
@overwrite_option
def report(
    model: Path,
    file: InputFile,
    output: Path,
    method: Method,
    max_points: int,
    reject: float,
    backend: str,
    overwrite: bool,
) -> None:
    """Write what there is to know of the model in DIR, and of the rows in FILE, as one page.

    The page opens in a browser, without a network: what was trained on what, the figures of
    evaluate, a map of the rows to point at and to search in, the classes and what is confused, the
    rows with the worst neighbours, the curves of the training, the settings. It holds the texts of
    FILE.

    \b
    Example:
      dtgcnn report model tickets.csv --output report.html
    """
    if output.suffix.lower() != ".html":
        raise ValueError(f"--output must end in .html, received {output}")
    if not 0.0 < reject < 1.0:
        raise ValueError(f"--reject must be above 0 and below 1, received {reject}")
    check_file("--output", output, overwrite)
    dataset = dataset_of(file, labels=False)
    loaded = loaded_for(dataset, model, backend)
    run = _run_of(model)
    tell("measuring and drawing", len(dataset))
    write_report(
        loaded,
        dataset,
        output,
        run=run,
        name=f"{model} on {file.name}",
        method=method,
        max_points=max_points,
        reject=reject,
    )
    written(output, f"{output.stat().st_size / 1e6:.1f} MB")


def _run_of(model: Path) -> dict[str, Any]:
    """What the folder of a model tells of its training."""
    found: dict[str, Any] = {}
    for name, keys in (
        ("metrics.json", ("history", "start", "best_epoch", "data")),
        ("config.json", ("trained_with",)),
    ):
        path = model / name
        if path.is_file():
            try:
                content = json.loads(path.read_text("utf-8"))
            except ValueError as error:
                raise ValueError(f"{path}: not valid JSON: {error}") from None
            found |= {key: content[key] for key in keys if key in content}
    return found
