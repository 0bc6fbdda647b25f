"""Names for what is written, beside what is there already."""

from __future__ import annotations

from pathlib import Path

__all__ = ["free_path"]


def free_path(directory: Path, name: str) -> Path:
    """``directory / name`` where nothing is there yet, else with ``-2``, ``-3``, … after it."""
    path, number = directory / name, 1
    while path.exists() or path.is_symlink():
        number += 1
        path = directory / f"{name}-{number}"
    return path
