"""``dtgcnn discover``: groups of a file's rows, those that a model knows and new ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ..data import check_table, write_table
from ..evaluation import discover as find_groups
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
    write_figures,
)
from .streams import TABLES, InputFile, output_option, written

__all__ = ["discover"]

TYPICAL = 3
"""Texts that are shown of a group."""

SHOWN = 100
"""Groups that are shown, the largest."""


@main.command()
@model_argument
@file_argument
@click.option(
    "--groups",
    type=click.IntRange(2),
    help="How many  [default: of 2 to 200, those of the best mean silhouette]",
)
@seed_option("Of starts and samples.")
@output_option("--output", *TABLES, help="A .csv, .jsonl or .parquet file.")
@output_option("--json", ".json", help="Write all of it here.")
@backend_option
@overwrite_option
def discover(
    model: Path,
    file: InputFile,
    groups: int | None,
    seed: int,
    output: Path | None,
    json_file: Path | None,
    backend: str,
    overwrite: bool,
) -> None:
    """Put FILE's rows into groups: classes that the model or ensemble in DIR knows, and new ones.

    Each group is shown with its size, its share and the texts nearest to its centre. Labels in FILE
    are not looked at. With --output rows go to a file with the columns row, text, group, known and
    cosine, that of the row with the centre of its group.

    \b
    Examples:
      dtgcnn discover model new.csv --output groups.csv
      dtgcnn discover model new.txt --groups 40 --json groups.json
    """
    if output is not None:
        check_table(output)
        check_file("--output", output, overwrite)
    check_file("--json", json_file, overwrite=True)
    dataset = rows_of(file)
    loaded = loaded_for(dataset, model, backend)
    tell("grouping", len(dataset))
    with about(file, "groups"):
        found = find_groups(loaded, dataset.inputs, groups, seed)
    texts = dataset.texts
    click.echo("size   share  group")
    largest = sorted(range(len(found.groups)), key=lambda i: -len(found.groups[i].rows))[:SHOWN]
    for group in (found.groups[i] for i in sorted(largest)):
        count = len(group.rows)
        click.echo(f"{count:5,}  {count / len(found.assigned):6.1%}  {group.name}")
        for row in group.rows[:TYPICAL].tolist():
            click.echo(f"               {f'row {row}' if texts is None else shorten(texts[row])}")
    if len(found.groups) > SHOWN:
        click.echo(f"and {len(found.groups) - SHOWN:,} smaller groups, which --json names")
    new = [group for group in found.groups if not group.known]
    click.echo(
        f"{len(found.groups):,} groups, {len(new):,} of them new with "
        f"{sum(len(group.rows) for group in new):,} of {len(found.assigned):,} rows"
    )
    unknown = int((found.assigned < 0).sum())
    if unknown:
        click.echo(f"{unknown:,} rows are in no group: nothing of them is known to the encoder")
    if output is not None:
        known = [None if place < 0 else found.groups[place].known for place in found.assigned]
        cosines = [None if place < 0 else c for place, c in zip(found.assigned, found.cosines)]
        columns: dict[str, Sequence[Any]] = {"row": range(len(known))}
        columns |= {} if texts is None else {"text": texts}
        columns |= {"group": found.names, "known": known}
        rounded = [None if c is None else round(float(c), 6) for c in cosines]
        write_table(output, {**columns, "cosine": rounded})
        written(output, f"{len(known):,} rows")
    if json_file is not None:
        write_figures(json_file, {"model": str(model), "file": str(file), **found.to_dict()})
