"""``dtgcnn add``: rows join the bank of a trained model."""

from __future__ import annotations

from pathlib import Path

import click

from ..model import Embedder
from ..storage import check_output, holds_index, main_file
from .main import main
from .options import (
    about,
    backend_option,
    file_argument,
    loaded_for,
    model_argument,
    named,
    overwrite_option,
    rows_of,
    tell,
)
from .streams import InputFile

__all__ = ["add", "refuse_index"]


@main.command()
@model_argument
@file_argument
@click.option("--output", required=True, type=click.Path(path_type=Path), help="Model folder.")
@backend_option
@overwrite_option
def add(model: Path, file: InputFile, output: Path, backend: str, overwrite: bool) -> None:
    """Save the model or ensemble in DIR with FILE's rows, labelled or not, beside its bank's.

    Nothing is trained. The classes of rows may be new to the model: its network has not learnt to
    part them, so train anew once there are many.
    """
    named("--output", check_output, output, overwrite, model)
    refuse_index(model)
    dataset = rows_of(file)
    before = loaded_for(dataset, model, backend)
    labels = None
    if dataset.label_names is not None:
        labels = [name or None for name in dataset.names_of(range(len(dataset)))]
    tell("adding", len(dataset))
    with about(file):
        after = before.add(dataset.inputs, labels, places=dataset.place)
    after.save(output, overwrite=overwrite)
    bank, rows = before.trained_bank(), len(after.trained_bank())
    joined = rows - len(bank)
    click.echo(
        f"model saved in {output}: {joined:,} of {len(dataset):,} rows joined its bank, which has "
        f"{rows:,}; {len(dataset) - joined:,} were there already or stand twice in {file.name}"
    )
    told = _labelled(after)[: len(bank)].count(True) - _labelled(before).count(True)
    if told:
        click.echo(f"rows of its bank that had no label and have one now: {told:,}")
    new = after.untrained_classes[len(before.untrained_classes) :]
    if new:
        click.echo(f"the network was not trained on the new classes: {', '.join(new)}")


def _labelled(model: Embedder) -> list[bool]:
    """Which rows of the bank have a class."""
    bank = model.trained_bank()
    labels = None if model.classes_ is None else bank.labels
    return [label >= 0 for label in labels or [-1] * len(bank)]


def refuse_index(model: Path) -> None:
    """Refuse the model of an index, whose bank's rows are those of a file."""
    if holds_index(main_file(model)):
        raise ValueError(
            f"{model}: holds an index, whose rows are those of a file; change that file, and make "
            "it anew of the trained model by `dtgcnn index`"
        )
