"""``dtgcnn evaluate``: figures of a trained model on a file."""

from __future__ import annotations

from pathlib import Path

import click

from ..data import TripletDataset, holds_pairs, read_pairs
from ..evaluation import Comparison, compare, compare_pairs
from ..storage import write_json
from ..training import load_embedder
from .main import main
from .options import backend_option, check_file, file_argument, model_argument

__all__ = ["evaluate"]


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
    if result.rivals is not None:
        click.echo(f"\n{result.rivals_table()}")
    if json_file is not None:
        write_json(json_file, {"model": str(model), "file": str(file), **result.to_dict()})
