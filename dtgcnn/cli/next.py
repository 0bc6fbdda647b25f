"""``dtgcnn next``: which rows of a file to label next."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from ..data import check_table, write_table
from ..evaluation import next_rows
from .main import main
from .options import (
    about,
    backend_option,
    check_file,
    file_argument,
    loaded_for,
    model_argument,
    overwrite_option,
    rows_of,
    seed_option,
    shorten,
    tell,
)
from .streams import TABLES, InputFile, output_option, written

__all__ = ["choose"]


@main.command("next")
@model_argument
@file_argument
@click.option(
    "--count", default=20, show_default=True, type=click.IntRange(1), help="Rows to choose."
)
@seed_option("Of the starts.")
@output_option("--output", *TABLES, help="A .csv, .jsonl or .parquet file.")
@backend_option
@overwrite_option
def choose(
    model: Path,
    file: InputFile,
    count: int,
    seed: int,
    output: Path | None,
    backend: str,
    overwrite: bool,
) -> None:
    """Choose rows of FILE to label next: those that the model or ensemble in DIR would gain
    most from.

    Each is of another group of rows, unsure and typical of its group, and none is nearly equal to
    another. Shown are the share of what the model does not know that is in the group, and the two
    likeliest classes. Rows of FILE with a label are left out, and rows that the model was trained
    on with one. With --output rows go to a file with the columns row, text, share, margin, first
    and second.

    \b
    Example:
      dtgcnn next model unlabelled.csv --count 50 --output label-these.csv
    """
    if output is not None:
        check_table(output)
        check_file("--output", output, overwrite)
    dataset = rows_of(file)
    open_rows = np.arange(len(dataset))
    if dataset.labels is not None:
        open_rows = np.flatnonzero(dataset.labels < 0)
        if not len(open_rows):
            raise ValueError(f"{file}: every row has a label, so there is none to label next")
    loaded = loaded_for(dataset, model, backend)
    with about(model):
        loaded.answers(loaded.trained_bank().host_x[:1])  # refuses a model that knows no classes
    tell("choosing among", len(open_rows))
    with about(file, "count"):
        found = next_rows(loaded, dataset.inputs_of(open_rows), count, seed=seed)
    places = [int(open_rows[one.row]) for one in found]
    texts = None if dataset.texts is None else [dataset.texts[place] for place in places]
    width = max(len(f"{one.first} or {one.second}") for one in found)
    click.echo(f"share  margin  {'classes':{width}}  text")
    for i, one in enumerate(found):
        shown = f"row {places[i]}" if texts is None else shorten(texts[i])
        classes = f"{one.first} or {one.second}"
        click.echo(f"{one.share:5.1%}  {one.margin:6.3f}  {classes:{width}}  {shown}")
    if len(found) < count:
        click.echo(f"{len(found):,} of {count:,}: the others are nearly equal to these")
    if output is not None:
        columns: dict[str, Sequence[Any]] = {"row": places}
        columns |= {} if texts is None else {"text": texts}
        for name in ("share", "margin"):
            columns[name] = [round(getattr(one, name), 6) for one in found]
        columns |= {name: [getattr(one, name) for one in found] for name in ("first", "second")}
        write_table(output, columns)
        written(output, f"{len(found):,} rows")
