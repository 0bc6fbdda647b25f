"""``dtgcnn compare``: figures of several models on a file, side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..array import ArrayOps
from ..data import Pairs, TripletDataset
from ..evaluation import COUNTS, table_lines
from .evaluate import measured, rows_or_pairs
from .main import main
from .options import backend_option, check_file, file_argument, ops_of, write_figures
from .streams import InputFile, output_option

__all__ = ["compare"]


@main.command()
@click.argument("models", metavar="DIR DIR...", nargs=-1, type=click.Path(path_type=Path))
@file_argument
@output_option("--json", ".json", help="Write figures here.")
@backend_option
def compare(
    models: tuple[Path, ...], file: InputFile, json_file: Path | None, backend: str
) -> None:
    """Measure the models, or ensembles, in several folders on FILE, side by side.

    What is measured is what evaluate measures, of the same rows for all. Models that know classes
    are asked for those as well: the share that is told right, and how far their probabilities are
    off. As with evaluate, rows of classes that a model does not know do not count there, nor,
    without a split, those of its bank; where that leaves other rows for each model, a line says so.

    \b
    Example:
      dtgcnn compare before after tickets.csv
    """
    if len(models) < 2:
        raise ValueError(
            f"two or more models, and after them FILE, must be given, received {len(models)} and "
            f"{file}; evaluate measures one"
        )
    check_file("--json", json_file, overwrite=True)
    ops, given_rows = ops_of(backend), rows_or_pairs(file)
    found: list[dict[str, Any]] = []
    protocol = ""
    for folder in models:
        own = _figures(folder, file, given_rows, ops)
        protocol = own.pop("protocol")
        found.append(own)
    names = list(dict.fromkeys(name for own in found for name in own["figures"]))
    rows = [["", *names]]
    inputs = [own["input"] for own in found]
    firsts = [own for place, own in enumerate(found) if inputs.index(own["input"]) == place]
    for own in firsts:
        of = f" of {own['model']}" if len(firsts) > 1 else ""
        rows.append([f"input vectors{of}", *_cells(own["input"], names)])
    rows += [[own["model"], *_cells(own["figures"], names)] for own in found]
    click.echo("\n".join([protocol, "", *table_lines(rows)]))
    told = {own["model"]: own["rows_told"] for own in found if own["rows_told"] is not None}
    if len(set(told.values())) > 1:
        counts = ", ".join(f"{count:,} for {model}" for model, count in told.items())
        click.echo(f"\naccuracy and calibration error are not of the same rows: {counts}")
    for own in found:
        if own["rows_of_the_bank"]:
            click.echo(
                f"\n{own['rows_of_the_bank']:,} of the rows are in the bank of {own['model']}: "
                "of others its figures will be lower"
            )
    if json_file is not None:
        write_figures(json_file, {"file": str(file), "protocol": protocol, "models": found})


def _figures(
    folder: Path, file: InputFile, given: TripletDataset | Pairs, ops: ArrayOps
) -> dict[str, Any]:
    """What is measured of one model, shares by name."""
    result, classes = measured(folder, file, given, ops, rivals=False, progress=True)
    told: dict[str, float] = {}
    if classes is not None:
        told = {"accuracy": classes.accuracy, "calibration error": classes.calibration_error}
    views = [
        {name: value for name, value in view.items() if name not in COUNTS}
        for view in (result.input, {**result.trained, **told})
    ]
    return {
        "model": str(folder),
        "protocol": result.protocol,
        "input": views[0],
        "figures": views[1],
        "rows_told": None if classes is None else classes.rows,
        "rows_of_the_bank": result.known,
    }


def _cells(figures: dict[str, float], names: list[str]) -> list[str]:
    return [f"{100 * figures[name]:.1f}" if name in figures else "-" for name in names]
