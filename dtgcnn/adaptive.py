"""``AdaptiveStep``: training steps in as many parts as memory asks for."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .data import Batch

__all__ = ["AdaptiveStep", "out_of_memory"]

_log = logging.getLogger("dtgcnn")

_SIGNS = (
    *("out of memory", "insufficient memory", "unable to allocate", "attempting to allocate"),
    *("[metal::malloc]", "resource_exhausted", "alloc_failed"),
)
"""What MLX on Metal, CUDA and the CPU, PyTorch, JAX and cuBLAS say, in lower case."""


def out_of_memory(error: Exception) -> bool:
    """Whether a backend means by ``error`` that memory ran out."""
    return isinstance(error, MemoryError) or any(sign in str(error).lower() for sign in _SIGNS)


class AdaptiveStep:
    """Takes a step as a whole, or, once memory ran out, its batches in halves, quarters, ….

    Args:
        take: takes one step of these batches and returns its metrics. Where it raises, it has
            changed nothing.
        least_rows: a part of a batch holds so many rows at least.
    """

    def __init__(
        self, take: Callable[[list[Batch], int], dict[str, float]], least_rows: int = 1
    ) -> None:
        self._take = take
        self._least = least_rows
        self.pieces = 1
        """How many parts memory lets a step be taken in."""

    def __call__(self, group: list[Batch], epoch: int) -> list[dict[str, float]]:
        """The metrics of each part of the step.

        Raises:
            MemoryError: memory ran out for a part that cannot be halved.
        """
        todo = [group]
        for _ in range(self.pieces.bit_length() - 1):
            todo = self._halved(todo)
        done: list[dict[str, float]] = []
        while todo:
            try:
                done.append(self._take(todo[0], epoch))
            except Exception as error:
                if not out_of_memory(error):
                    raise
                if not self._halves(todo[0]):
                    rows = sum(len(batch.items) for batch in todo[0])
                    raise MemoryError(
                        f"not enough memory for a step of {rows} rows, which cannot be halved"
                    ) from error
                todo = self._halved(todo)
                self.pieces *= 2
                _log.warning("out of memory: each step is taken in %d parts now", self.pieces)
                continue
            todo.pop(0)
        return done

    def _halved(self, groups: list[list[Batch]]) -> list[list[Batch]]:
        return [half for group in groups for half in self._halves(group) or [group]]

    def _halves(self, group: list[Batch]) -> list[list[Batch]]:
        """Two groups of a step's batches, or the halves of its only one; none where a half would
        hold no triplet or too few rows."""
        from .data.regroup import halves

        if len(group) > 1:
            middle = len(group) // 2
            return [group[:middle], group[middle:]]
        parts = halves(group[0])
        large = all(len(part.items) >= self._least for part in parts)
        return [[part] for part in parts] if large else []
