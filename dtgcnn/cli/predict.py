"""``dtgcnn predict``: the classes of texts or vectors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from ..data import TripletDataset, check_table, is_data_path, write_table
from ..model import DTGCNN, VOTES
from ..training import Ensemble
from .main import main
from .options import (
    about,
    backend_option,
    check_file,
    columns_options,
    loaded_for,
    model_argument,
    overwrite_option,
    rows_of,
    shorten,
    tell,
)
from .streams import (
    TABLES,
    given_file,
    input_options,
    is_named_as_file,
    is_stream,
    output_option,
    written,
)

__all__ = ["predict"]

REFUSED = "(refused)"
SHOWN = 5
"""Rows without a known word that are named."""


@main.command()
@model_argument
@click.argument("inputs", metavar="FILE_OR_TEXT...", nargs=-1, required=True)
@columns_options
@input_options
@click.option(
    "--reject",
    type=float,
    metavar="RATE",
    help="Refuse rows less like those trained on than this share of the held-out rows, as 0.05.",
)
@click.option("--why", is_flag=True, help="Show the training rows that each answer rests on.")
@click.option("--k", default=VOTES, show_default=True, type=click.IntRange(1), help="How many.")
@output_option("--output", *TABLES, help="A .csv, .jsonl or .parquet file.")
@backend_option
@overwrite_option
def predict(
    model: Path,
    inputs: tuple[str, ...],
    reject: float | None,
    why: bool,
    k: int,
    output: Path | None,
    backend: str,
    overwrite: bool,
) -> None:
    """Tell the class of each text, or of each row of a FILE, and its probability.

    What is a file is read as one, - is standard input, and anything else is a text. The k nearest
    training rows vote. With --output rows go to a file with the columns row, text, label,
    probability and rejected.
    Where FILE has labels, the accuracy is shown at the end, that of its rows "test" where it has
    some.

    \b
    Examples:
      dtgcnn predict model "where is my parcel?" --why
      dtgcnn predict model new.csv --reject 0.05 --output answers.csv
      cat new.jsonl | dtgcnn predict model - --format jsonl --output - > answers.csv
    """
    if output is not None:
        check_table(output)
        check_file("--output", output, overwrite)
    dataset = _file(inputs)
    loaded = loaded_for(dataset, model, backend)
    texts = list(inputs) if dataset is None else dataset.texts
    with about(model, "reject"):
        limit = None if reject is None else loaded.threshold(reject)
        loaded.class_names()
        given = list(inputs) if dataset is None else dataset.inputs
        tell("telling the classes of", len(given))
        vectors = loaded.vectors(given)
        answers = loaded.answers(vectors, k=k)
    nothing = np.flatnonzero(~loaded.tells(vectors)).tolist()
    if limit is None and len(nothing) == len(vectors):
        raise ValueError(_unknown(nothing, texts, means="so no class can be told"))
    found = answers.labels(limit)
    sure = answers.sure[:, 0]
    shown = texts or [f"row {row}" for row in range(len(found))]
    known = shown if texts else [f"{row} of {Path(inputs[0]).name}" for row in shown]
    reasons = _reasons(loaded, vectors, known, k, answers.classes) if why else None
    if output is not None:
        columns: dict[str, Sequence[Any]] = {"row": range(len(found))}
        columns |= {} if texts is None else {"text": texts}
        columns |= {"label": found, "probability": [round(float(p), 6) for p in sure]}
        write_table(output, {**columns, "rejected": [name is None for name in found]})
    if output is None or why:
        width = max(map(len, [*answers.classes, REFUSED]))
        for row, name in enumerate(found):
            label = REFUSED if name is None else name
            click.echo(f"{label:{width}}  {sure[row]:5.3f}  {shorten(shown[row])}")
            for line in [] if reasons is None else reasons[row]:
                click.echo(line)
    if output is not None:
        written(output, f"{len(found):,} rows")
    if nothing:
        means = "refused" if limit is not None else "their answers mean nothing"
        click.echo(f"warning: {_unknown(nothing, texts, means)}", err=True)
    if dataset is not None and dataset.label_names is not None:
        seen = [place >= 0 for place in loaded.bank_rows_of(vectors)]
        click.echo(_accuracy(dataset, found, loaded.told_classes(), seen))


def _file(inputs: Sequence[str]) -> TripletDataset | None:
    """The rows of the one file; None where all are texts."""
    files = [name for name in inputs if is_stream(name) or is_data_path(name)]
    if files and len(inputs) > 1:
        raise ValueError(f"give one FILE, or texts, not both or several: {files[0]} is a file")
    if files:
        return rows_of(given_file(files[0]))
    for number, text in enumerate(inputs, 1):
        if is_named_as_file(text):
            raise ValueError(f"{text}: no such file")
        if not text.strip():
            raise ValueError(
                f"text {number} of {len(inputs)}: must not be blank, received {text!r}"
            )
    return None


def _unknown(rows: Sequence[int], texts: Sequence[str] | None, means: str) -> str:
    """What to say of rows whose vectors are zero."""
    what = "rows of zeros" if texts is None else "texts of which the encoder knows no word"
    shown = [f"row {row}" + ("" if texts is None else f" ({shorten(texts[row])})") for row in rows]
    listed = ", ".join([*shown[:SHOWN], *(["…"] if len(shown) > SHOWN else [])])
    return f"{what}: {len(rows):,}, {means}: {listed}"


def _reasons(
    loaded: DTGCNN | Ensemble, vectors: Any, texts: Sequence[str], k: int, classes: list[str]
) -> list[list[str]]:
    """Of each row the lines that tell what its answer rests on."""
    near = loaded.neighbors(vectors, k)
    known = dict(zip(loaded.bank_rows_of(vectors), texts, strict=True))
    width = max(map(len, classes))

    def line(row: int, label: int, cosine: float) -> str:
        text = f"  {shorten(known[row])}" if row in known else ""
        return f"    {cosine:6.3f}  {classes[label]:{width}}  bank row {row}{text}"

    return [[line(*one) for one in zip(*each, strict=True)] for each in zip(*near[:3], strict=True)]


def _accuracy(
    dataset: TripletDataset, found: Sequence[str | None], classes: set[str], seen: Sequence[bool]
) -> str:
    """How many of the rows whose labels are known were told right, in words."""
    assert dataset.labels is not None
    assert dataset.label_names is not None
    test = dataset.split_items("test")
    rows = [row for row in (test if len(test) else range(len(found))) if dataset.labels[row] >= 0]
    names = {row: dataset.label_names[dataset.labels[row]] for row in rows}
    told = [row for row in rows if found[row] is not None]
    right = {row: found[row] == names[row] for row in told}
    share = np.mean(list(right.values())) if told else 0.0
    said = f"accuracy {share:.1%} of {len(told):,} {'test ' if len(test) else ''}rows with a label"
    if len(told) < len(rows):
        said += f"; {len(rows) - len(told):,} more were refused"
    known = sum(seen[row] for row in rows)
    if known:
        said += f"; {known:,} of these {len(rows):,} are rows of the model's own bank"
    unknown = sum(names[row] not in classes for row in rows)
    if unknown:
        said += f"; {unknown:,} of classes that the model does not know"
        others = [right[row] for row in told if names[row] in classes]
        said += f", without which it is {np.mean(others):.1%}" if others else ""
    return said
