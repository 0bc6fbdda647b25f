"""How freed memory is kept."""

from __future__ import annotations

import ctypes
import sys
from typing import Any

__all__ = ["give_freed_memory_back", "keep_freed_memory"]

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h


def keep_freed_memory() -> None:
    """Have glibc keep up to 256 MiB of freed memory for what comes next.

    A training step allocates and frees the same large arrays over and over. By default glibc gives
    them back to the system each time and the system zeroes every page anew, which takes up to a
    fifth of a step. Other allocators are left as they are.
    """
    mallopt = _glibc("mallopt")
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, 32 * 2**20)  # the most that glibc accepts
        mallopt(_TRIM_THRESHOLD, 256 * 2**20)


def give_freed_memory_back() -> None:
    """Have glibc give back what it keeps."""
    trim = _glibc("malloc_trim")
    if trim is not None:
        trim(0)


def _glibc(name: str) -> Any:
    """The function of glibc, None with another library."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
