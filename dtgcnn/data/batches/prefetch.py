"""``Prefetcher``: results computed ahead in threads, in order and never too many at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

__all__ = ["Prefetcher"]

T = TypeVar("T")
R = TypeVar("R")

_END: Any = object()


class Prefetcher:
    """Maps functions over iterables ahead of their use. The names are those of PyTorch's loader.

    Args:
        num_workers: threads; with 0 each result is computed when it is asked for.
        prefetch_factor: results ahead per thread.
        persistent_workers: keep the threads from one ``map`` to the next, until ``close``.

    Raises:
        ValueError: a number is out of range.
    """

    def __init__(
        self, num_workers: int = 0, prefetch_factor: int = 2, persistent_workers: bool = False
    ) -> None:
        if num_workers < 0:
            raise ValueError(f"num_workers must be at least 0, received {num_workers}")
        if prefetch_factor < 1:
            raise ValueError(f"prefetch_factor must be at least 1, received {prefetch_factor}")
        self.num_workers = num_workers
        self.prefetch_factor = prefetch_factor
        self.persistent_workers = persistent_workers
        self._pools: list[ThreadPoolExecutor] = []

    def map(self, fn: Callable[[T], R], iterable: Iterable[T]) -> Iterator[R]:
        """``fn`` of each item, in order.

        At most ``num_workers * prefetch_factor`` results are in flight beside the one handed out.
        The iterable is read in the caller's thread, ``fn`` runs in the workers. An exception of
        either is raised where its result would have come. Closing the iterator, as leaving a loop
        over it does, cancels what is not begun and waits for what is.
        """
        if not self.num_workers:
            for item in iterable:
                yield fn(item)
            return
        pool, items = self._open(), iter(iterable)
        waiting: deque[Future[R]] = deque()
        try:
            self._fill(pool, waiting, fn, items)
            while waiting:
                result = waiting.popleft().result()
                self._fill(pool, waiting, fn, items)
                yield result
        finally:
            for future in waiting:
                if not future.cancel():
                    future.exception()
            if not self.persistent_workers:
                self._shut(pool)

    def close(self) -> None:
        """End all threads, and with them every ``map`` that still runs."""
        for pool in list(self._pools):
            self._shut(pool)

    def _open(self) -> ThreadPoolExecutor:
        if not (self.persistent_workers and self._pools):
            self._pools.append(ThreadPoolExecutor(self.num_workers, "dtgcnn-prefetch"))
        return self._pools[-1]

    def _shut(self, pool: ThreadPoolExecutor) -> None:
        pool.shutdown(cancel_futures=True)
        if pool in self._pools:
            self._pools.remove(pool)

    def _fill(
        self,
        pool: ThreadPoolExecutor,
        waiting: deque[Future[R]],
        fn: Callable[[T], R],
        items: Iterator[T],
    ) -> None:
        """Hand items to the threads until as many results as allowed are in flight."""
        while len(waiting) < self.num_workers * self.prefetch_factor:
            try:
                item = next(items, _END)
            except Exception as error:
                waiting.append(_failed(error))
                return
            if item is _END:
                return
            waiting.append(pool.submit(fn, item))


def _failed(error: Exception) -> Future[R]:
    future: Future[R] = Future()
    future.set_exception(error)
    return future
