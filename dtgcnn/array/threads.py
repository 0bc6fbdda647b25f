"""A limit on the threads that the CPU's BLAS and OpenMP libraries use."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from typing import Any

__all__ = ["limit_threads", "processors", "thread_count"]


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


def processors() -> int:
    """How many processors this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)
    return os.cpu_count() or 1 if allowed is None else len(allowed(0))


def thread_count() -> int | None:
    """How many threads BLAS uses; None where no library tells."""
    from threadpoolctl import threadpool_info

    counts = [info["num_threads"] for info in threadpool_info() if info["user_api"] == "blas"]
    return max(counts) if counts else None
