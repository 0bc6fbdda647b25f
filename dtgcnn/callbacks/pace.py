"""``Pace``: how often to save."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Pace"]


class Pace:
    """Tells when to save again, so seldom that it takes no more than ``SHARE`` of the time: at
    once, and after a save that took s seconds once s / ``SHARE`` have gone by."""

    SHARE = 1 / 40

    def __init__(self) -> None:
        self._due = 0.0

    @property
    def due(self) -> bool:
        """Whether it is time."""
        return time.monotonic() >= self._due

    @contextmanager
    def saving(self) -> Iterator[None]:
        """What is done in the context is a save."""
        begin = time.monotonic()
        yield
        end = time.monotonic()
        self._due = end + (end - begin) / self.SHARE
