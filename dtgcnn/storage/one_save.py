"""What is read of a folder that another process may save over meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

__all__ = ["of_one_save"]

_TRIES = 10

T = TypeVar("T")


def of_one_save(main: Path, read: Callable[[], T]) -> T:
    """What ``read`` gives of the folder whose parts the file ``main`` names: of one save.

    A save puts another ``main`` in its place and deletes the parts that the one before named. What
    was read by then, or failed, is read anew; after some such times whatever comes of it.
    """
    for _ in range(_TRIES - 1):
        before = _state(main)
        try:
            found = read()
        except Exception:
            if _state(main) == before:
                raise
        else:
            if _state(main) == before:
                return found
    return read()


def _state(path: Path) -> tuple[int, ...] | None:
    """What differs once another file has this name; clocks are compared for being equal alone."""
    try:
        told = path.stat()
    except OSError:
        return None
    return told.st_ino, told.st_size, told.st_mtime_ns, told.st_ctime_ns
