"""Blocks of work over threads, as many as BLAS has.

NumPy and SciPy release the interpreter's lock in whatever takes long. Blocks are cut by the shapes
alone and each is the work of one thread, BLAS within it too, so no bit depends on how many threads
there are.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import copy_context
from functools import cache
from typing import Any, TypeVar

from threadpoolctl import ThreadpoolController

__all__ = ["blocks", "each", "most_threads", "one_thread"]

T = TypeVar("T")

_lock = threading.Lock()
_held: list[int] = []
"""How many threads BLAS had before it was held at one, and how often it is held."""
_inside = threading.local()


@cache
def _libraries() -> list[Any]:
    controllers = ThreadpoolController().select(user_api="blas").lib_controllers
    return list(controllers)


@cache  # the system reads files for it
def most_threads() -> int:
    """The processors, but two at least."""
    return max(2, os.cpu_count() or 1)


@cache
def _workers() -> ThreadPoolExecutor:
    """They begin as they are needed."""
    return ThreadPoolExecutor(most_threads() - 1, "dtgcnn")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_workers.cache_clear)  # threads do not come along


@contextmanager
def one_thread() -> Iterator[int]:
    """Hold BLAS at one thread, and tell how many it had."""
    libraries = _libraries()
    with _lock:
        if not _held:
            counts = [library.num_threads for library in libraries]
            _held[:] = [max(counts, default=1), 0, *counts]
            if _held[0] > 1:
                for library in libraries:
                    library.set_num_threads(1)
        _held[1] += 1
        threads = _held[0]
    try:
        yield threads
    finally:
        with _lock:
            _held[1] -= 1
            if not _held[1]:
                if _held[0] > 1:
                    for library, count in zip(libraries, _held[2:], strict=True):
                        library.set_num_threads(count)
                _held.clear()


def blocks(count: int, height: int) -> list[slice]:
    """Slices of ``height`` that make up ``count``, the last one of what is left."""
    return [slice(start, min(start + height, count)) for start in range(0, count, height)]


def each(work: Callable[[T], object], parts: list[T]) -> None:
    """``work`` on each part; the threads take them in order. One part is worked on as it is."""
    if len(parts) < 2:
        for part in parts:
            work(part)
        return
    with one_thread() as threads:
        threads = min(threads, len(parts), most_threads())
        if threads < 2 or getattr(_inside, "pool", False):
            for part in parts:
                work(part)
            return
        waiting = iter(parts)
        taking = threading.Lock()

        def take() -> None:
            _inside.pool = True
            try:
                while True:
                    with taking:
                        part = next(waiting, None)
                    if part is None:
                        return
                    work(part)
            finally:
                _inside.pool = False

        others = [_workers().submit(copy_context().run, take) for _ in range(threads - 1)]
        try:
            take()
        finally:
            begun = [other for other in others if not other.cancel()]
            wait(begun)
        for other in begun:
            other.result()
