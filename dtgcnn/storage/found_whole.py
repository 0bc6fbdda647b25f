"""What was found whole once and was not changed since.

``.checked.json``, beside a file that is mapped, keeps by its name what the system tells of it:
inode, size, and when content and inode were last changed. An edit, a copy or a restored file has
others, and is checked anew; clocks are compared for being equal alone. What changes on a disk
behind the file system's back is noticed by a load that is not mapped.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from .files import write_json

__all__ = ["once_whole"]

CHECKED = ".checked.json"


def once_whole(path: Path, check: Callable[[], object]) -> None:
    """Call ``check``, which raises where the file or folder ``path`` is damaged, unless it passed
    before and nothing was changed since. In a folder that cannot be written to it is always called.
    """
    book = path.parent / CHECKED
    known, state = _known(book), _state(path)
    if known.get(path.name) == state:
        return
    check()
    there = {name: own for name, own in known.items() if (path.parent / name).exists()}
    with suppress(OSError):
        write_json(book, {**there, path.name: state})


def _known(book: Path) -> dict[str, Any]:
    try:
        found = json.loads(book.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _state(path: Path) -> list[Any]:
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    stats = [(file.name, file.stat()) for file in files]
    return [[name, s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns] for name, s in stats]
