"""``dtgcnn evaluate``: figures of a trained model on a file."""

from __future__ import annotations

from pathlib import Path

import click

from ..array import ArrayOps
from ..data import Pairs, TripletDataset, holds_pairs, read_pairs
from ..errors import MissingExtraError
from ..evaluation import Classification, Comparison, compare, compare_pairs, measure_classes
from ..training import load_embedder
from .main import main
from .options import (
    backend_option,
    check_file,
    check_rows,
    columns_named,
    dataset_of,
    file_argument,
    model_argument,
    ops_of,
    write_figures,
)
from .streams import InputFile, output_option

__all__ = ["evaluate", "measured", "rows_or_pairs"]


@main.command()
@model_argument
@file_argument
@output_option("--json", ".json", help="Write figures here.")
@backend_option
def evaluate(model: Path, file: InputFile, json_file: Path | None, backend: str) -> None:
    """Measure the model, or ensemble, in DIR on FILE, against the vectors that go into it.

    Labelled data with a split column: the rows "test", or else "validation", are looked up among
    the rows "train". Without one, every row is looked up among all others. Triplets: the share
    whose positive is nearer than their negative. Pairs (sentence1, sentence2, score): how well
    their cosines follow the scores.

    A model that knows classes is then asked for those of the same rows, or without a split of the
    rows that it was not trained on: its worst classes, the pairs that it confuses most, how far its
    probabilities are off, and what is gained by refusing rows. --json has all classes.
    """
    check_file("--json", json_file, overwrite=True)
    ops = ops_of(backend)
    result, classes = measured(model, file, rows_or_pairs(file), ops, progress=True)
    click.echo(f"{result.protocol}\n")
    if result.known:
        click.echo(
            f"warning: {result.known:,} of the {len(result.labels):,} rows are rows of the model's "
            "own bank, those that it\nwas trained on or was given since: of new ones "
            "the figures will be lower\n"
        )
    click.echo(result.table())
    if result.rivals is not None:
        click.echo(f"\n{result.rivals_table()}")
    if classes is not None:
        click.echo(f"\n{classes.table()}")
    if json_file is not None:
        figures = {"model": str(model), "file": str(file), **result.to_dict()}
        write_figures(
            json_file,
            figures if classes is None else {**figures, "classification": classes.to_dict()},
        )


def rows_or_pairs(file: InputFile) -> TripletDataset | Pairs:
    """What a file holds."""
    if holds_pairs(file, columns_named()):
        return read_pairs(file, columns_named())
    return dataset_of(file)


def measured(
    model: Path,
    file: InputFile,
    given: TripletDataset | Pairs,
    ops: ArrayOps,
    *,
    rivals: bool = True,
    progress: bool = False,
) -> tuple[Comparison, Classification | None]:
    """The figures of the model, or ensemble, in a folder on what ``file`` holds, and where it knows
    classes how well it tells them.

    Raises:
        ValueError: there is nothing to measure, or the model does not take these rows.
    """
    loaded = load_embedder(model, ops=ops)
    if isinstance(given, Pairs):
        return compare_pairs(loaded, given, progress=progress), None
    check_rows(model, loaded, given)
    result = compare(loaded, given, rivals=rivals, progress=progress)
    if result is None:
        raise ValueError(
            f"{file}: nothing to measure: no triplets, and no two rows of one class to look up"
        )
    try:
        return result, measure_classes(loaded, given, progress=progress)
    except MissingExtraError as error:
        click.echo(f"without figures of classes: {error}", err=True)
        return result, None
