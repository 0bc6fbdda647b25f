"""``dtgcnn settings``: every setting of a config file."""

from __future__ import annotations

import click

from ..config import describe_settings
from .main import main

__all__ = ["settings"]


@main.command()
def settings() -> None:
    """Print every setting with its meaning and default, as a config file of comments.

    \b
    Example:
      dtgcnn settings > config.toml
      dtgcnn train FILE --output DIR --config config.toml
    """
    click.echo(describe_settings(), nl=False)
