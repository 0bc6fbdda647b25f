"""A limit on the threads that the CPU's BLAS and OpenMP libraries use."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

__all__ = ["limit_threads", "thread_count"]


def limit_threads(num_threads: int | None) -> AbstractContextManager[Any]:
    """At most ``num_threads`` threads while the context lasts; None leaves their number alone.

    It holds for the libraries that are loaded already. MLX has threads of its own, which it leaves
    alone.
    """
    if num_threads is None:
        return nullcontext()
    from threadpoolctl import threadpool_limits

    limits: AbstractContextManager[Any] = threadpool_limits(limits=num_threads)
    return limits


def thread_count() -> int | None:
    """How many threads BLAS uses; None where no library tells."""
    from threadpoolctl import threadpool_info

    counts = [info["num_threads"] for info in threadpool_info() if info["user_api"] == "blas"]
    return max(counts) if counts else None
