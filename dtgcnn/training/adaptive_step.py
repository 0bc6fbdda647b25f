"""``AdaptiveStep``: training steps that become smaller where memory asks for it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..array import ArrayOps

if TYPE_CHECKING:
    from ..data import Batch

__all__ = ["AdaptiveStep", "out_of_memory"]

_log = logging.getLogger("dtgcnn")

PART_ROWS = 16
"""Rows of a part of a batch, at least."""

Take = Callable[[list["Batch"], int, int], dict[str, float]]


def out_of_memory(ops: ArrayOps, error: Exception) -> bool:
    """Whether memory ran out: ``error`` is a ``MemoryError``, or the backend's ``out_of_memory``
    says so."""
    own: Callable[[Exception], bool] | None = getattr(ops, "out_of_memory", None)
    return isinstance(error, MemoryError) or (own is not None and own(error))


class AdaptiveStep:
    """Takes a step as a whole, or, once memory ran out, a smaller part of it at a time.

    Where a batch can be encoded in parts, it is, in ever smaller ones: the step stays the same.
    Where it cannot, or that is not enough, its batches are halved, and each half is a step.

    Args:
        ops: the backend, which knows its library's errors.
        least_rows: a half of a batch holds so many rows at least.
        in_parts: whether batches can be encoded in parts.
    """

    def __init__(
        self,
        ops: ArrayOps,
        least_rows: int = 1,
        in_parts: bool = False,
    ) -> None:
        self._ops = ops
        self._least = least_rows
        self._in_parts = in_parts
        self.parts = 1
        """How many parts memory lets a batch be encoded in."""
        self.pieces = 1
        """How many steps memory lets a step be taken in."""

    def __call__(self, take: Take, group: list[Batch], epoch: int) -> list[dict[str, float]]:
        """The metrics of each step that this one was taken in.

        Args:
            take: takes one step of these batches in an epoch, each batch encoded in so many parts,
                and returns its metrics. Where it raises, it has changed nothing.
            group: the batches of the step.
            epoch: from 1.

        Raises:
            MemoryError: memory ran out for a part that cannot be halved.
        """
        todo = [group]
        for _ in range(self.pieces.bit_length() - 1):
            todo = self._halved(todo)
        done: list[dict[str, float]] = []
        while todo:
            try:
                done.append(take(todo[0], epoch, self.parts))
            except Exception as error:
                if not out_of_memory(self._ops, error):
                    raise
                rows = min(len(batch.items) for batch in todo[0])
                if self._in_parts and rows // (2 * self.parts) >= PART_ROWS:
                    self.parts *= 2
                    _log.warning("out of memory: batches are encoded in %d parts now", self.parts)
                    continue
                if not self._halves(todo[0]):
                    rows = sum(len(batch.items) for batch in todo[0])
                    raise MemoryError(
                        f"not enough memory for a step of {rows} rows, which cannot be halved"
                    ) from error
                todo = self._halved(todo)
                self.pieces *= 2
                _log.warning("out of memory: a step is taken as %d smaller ones now", self.pieces)
                continue
            todo.pop(0)
        return done

    def _halved(self, groups: list[list[Batch]]) -> list[list[Batch]]:
        return [half for group in groups for half in self._halves(group) or [group]]

    def _halves(self, group: list[Batch]) -> list[list[Batch]]:
        """Two groups of a step's batches, or the halves of its only one; none where a half would
        hold no triplet or too few rows."""
        from ..data import halves

        if len(group) > 1:
            middle = len(group) // 2
            return [group[:middle], group[middle:]]
        parts = halves(group[0])
        large = all(len(part.items) >= self._least for part in parts)
        return [[part] for part in parts] if large else []
