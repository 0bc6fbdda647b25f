"""A limit on the threads that the CPU's BLAS and OpenMP libraries use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from threading import RLock
from typing import Any

__all__ = ["limit_threads", "one_thread", "processors", "thread_count"]

_limiting = RLock()


def limit_threads(num_threads: int | None) -> AbstractContextManager[Any]:
    """At most ``num_threads`` threads while the context lasts; None leaves their number alone.

    There are no more than the processors that there are: BLAS comes to a crawl with more. It holds
    for the libraries that are loaded already. MLX has threads of its own, which it leaves alone.
    """
    if num_threads is None:
        return nullcontext()
    from threadpoolctl import threadpool_limits

    limit = min(num_threads, processors())
    limits: AbstractContextManager[Any] = threadpool_limits(limits=limit)
    return limits


@contextmanager
def one_thread() -> Iterator[None]:
    """``limit_threads(1)`` by one thread of the process at a time: of limits that overlap the last
    one to end would leave what the first had set."""
    with _limiting, limit_threads(1):
        yield


def processors() -> int:
    """How many processors this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)
    return os.cpu_count() or 1 if allowed is None else len(allowed(0))


def thread_count() -> int | None:
    """How many threads BLAS uses; None where no library tells."""
    from threadpoolctl import threadpool_info

    counts = [info["num_threads"] for info in threadpool_info() if info["user_api"] == "blas"]
    return max(counts) if counts else None
