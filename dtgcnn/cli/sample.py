"""``dtgcnn sample``: the bundled data, to try things on."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ..data import sample_path
from ..storage import replace_file
from .main import main
from .options import check_file, overwrite_option

__all__ = ["sample"]


@main.command()
@click.argument("path", default="sample.csv", type=click.Path(path_type=Path))
@overwrite_option
def sample(path: Path, overwrite: bool) -> None:
    """Write the bundled sample to PATH, - for standard output: support-desk messages with their
    intents."""
    if str(path) == "-":
        sys.stdout.buffer.write(Path(sample_path()).read_bytes())
        return
    if path.suffix.lower() != ".csv":
        raise ValueError(f"PATH must end in .csv, received {path}")
    check_file("PATH", path, overwrite)
    replace_file(path, Path(sample_path()).read_bytes())
    click.echo(f"{path}: try  dtgcnn train {path} --output model")
