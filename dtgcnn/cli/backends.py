"""``dtgcnn backends``: the compute backends that there are."""

from __future__ import annotations

import click

from ..array import available_backends, load_backend, load_ops
from .main import main

__all__ = ["backends"]


@main.command()
def backends() -> None:
    """List the compute backends: installed or not, their devices, and which one auto picks."""
    picked = load_ops("auto").name
    for name in available_backends():
        try:
            state = ", ".join(load_backend(name).available_devices())
        except Exception as error:  # of a foreign module
            state = f"not usable: {error}"
        click.echo(f"{name:<10} {state}{'  (auto)' if name == picked else ''}")
