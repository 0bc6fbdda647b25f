"""``dtgcnn remove``: rows leave the bank of a trained model."""

from __future__ import annotations

from pathlib import Path

import click

from ..storage import check_output
from .add import refuse_index
from .main import main
from .options import (
    about,
    backend_option,
    columns_options,
    loaded_for,
    model_argument,
    named,
    overwrite_option,
    rows_of,
    tell,
)
from .streams import InputFile, input_options

__all__ = ["remove"]


@main.command()
@model_argument
@click.argument("file", required=False, type=click.Path(path_type=Path))
@columns_options
@input_options
@click.option("--class", "classes", multiple=True, metavar="NAME", help="All rows of a class.")
@click.option("--output", required=True, type=click.Path(path_type=Path), help="Model folder.")
@backend_option
@overwrite_option
def remove(
    model: Path,
    file: InputFile | None,
    classes: tuple[str, ...],
    output: Path,
    backend: str,
    overwrite: bool,
) -> None:
    """Save the model or ensemble in DIR without FILE's rows, or without classes, in its bank.

    Nothing is trained: what the network has learnt of the rows stays in its parameters.
    """
    if file is None and not classes:
        raise ValueError("FILE or --class must say what is to be removed, received neither")
    named("--output", check_output, output, overwrite, model)
    refuse_index(model)
    rows = None if file is None else rows_of(file)
    before = loaded_for(rows, model, backend)
    tell("removing from", len(before.trained_bank()))
    with about(model):
        gone = None if rows is None else before.vectors(rows.inputs)
        after = before.remove(gone, list(classes))
    absent = 0 if gone is None else before.bank_rows_of(gone).count(-1)
    after.save(output, overwrite=overwrite)
    left = len(after.trained_bank())
    click.echo(
        f"model saved in {output}: {len(before.trained_bank()) - left:,} rows left its bank, which "
        f"has {left:,}" + (f"; {absent:,} of {file} were not in it" if absent else "")
    )
