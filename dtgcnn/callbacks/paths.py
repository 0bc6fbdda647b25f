"""Names for what is written, beside what is there already."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

__all__ = ["free_path"]


def free_path(directory: Path, name: str, own: Callable[[Path], bool] = lambda path: False) -> Path:
    """``directory / name`` where nothing is there yet, or what is there is the caller's ``own``;
    else with ``-2``, ``-3``, … after it."""
    path, number = directory / name, 1
    while (path.exists() or path.is_symlink()) and not own(path):
        number += 1
        path = directory / f"{name}-{number}"
    return path
