"""Freed memory of the host."""

from __future__ import annotations

import ctypes
import sys

__all__ = ["give_freed_memory_back"]


def give_freed_memory_back() -> None:
    """Have glibc give back to the system what it keeps of freed memory: before a part that takes
    arrays of other sizes than the one before it. Other allocators are left as they are."""
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)
