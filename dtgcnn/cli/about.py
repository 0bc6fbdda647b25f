"""``dtgcnn backends``, ``sample`` and ``settings``: what there is."""

from __future__ import annotations

from pathlib import Path

import click

from ..backends import BackendError, available_backends, load_backend, load_ops
from ..config_file import describe_settings
from ..data import sample_path
from ..files import replace_file
from .main import main
from .options import check_file, overwrite_option

__all__ = ["backends", "sample", "settings"]


@main.command()
def backends() -> None:
    """List the compute backends: installed or not, their devices, and which one auto picks."""
    picked = load_ops("auto").name
    for name in available_backends():
        try:
            state = ", ".join(load_backend(name).available_devices())
        except BackendError as error:
            state = f"not usable: {error}"
        click.echo(f"{name:<10} {state}{'  (auto)' if name == picked else ''}")


@main.command()
@click.argument("path", default="sample.csv", type=click.Path(path_type=Path))
@overwrite_option
def sample(path: Path, overwrite: bool) -> None:
    """Write the bundled sample to PATH: support-desk messages with their intents."""
    if path.suffix.lower() != ".csv":
        raise ValueError(f"PATH must end in .csv, received {path}")
    check_file("PATH", path, overwrite)
    replace_file(path, Path(sample_path()).read_bytes())
    click.echo(f"{path}: try  dtgcnn train {path} --output model")


@main.command()
def settings() -> None:
    """Print every setting with its meaning and default, as a config file of comments.

    \b
    Example:
      dtgcnn settings > config.toml
      dtgcnn train FILE --output DIR --config config.toml
    """
    click.echo(describe_settings(), nl=False)
