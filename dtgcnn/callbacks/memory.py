"""Giving unused device memory back, and recording how much was in use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..ops import Tree
from .base import Callback

if TYPE_CHECKING:
    from ..trainer import Trainer

__all__ = ["MemoryManager"]


class MemoryManager(Callback):
    """Empty the backend's cache of freed memory every ``clear_every`` steps.

    That lowers the memory held, at some cost in speed. A backend without a method ``clear_cache``
    has none to empty, and only ``peak`` is recorded.

    Args:
        clear_every: steps between two clearings, at least 1.

    Raises:
        ValueError: ``clear_every`` is below 1.
    """

    def __init__(self, clear_every: int = 10) -> None:
        if clear_every < 1:
            raise ValueError(f"clear_every must be at least 1, received {clear_every}")
        self.clear_every = clear_every
        self.peak = 0
        """The most bytes that the backend reported in use; 0 where it reports none."""
        self.cleared = 0
        """How often the cache was emptied."""
        self._steps = 0

    def on_train_begin(self, trainer: Trainer) -> None:
        self.peak = self.cleared = self._steps = 0

    def on_batch_end(self, trainer: Trainer, outputs: Tree, batch: Any, batch_idx: int) -> None:
        self._steps += 1
        if self._steps % self.clear_every:
            return
        self._record(trainer)
        clear = getattr(trainer.model.ops, "clear_cache", None)
        if clear is not None:
            clear()
            self.cleared += 1

    def on_epoch_end(self, trainer: Trainer, metrics: dict[str, float]) -> None:
        self._record(trainer)

    def _record(self, trainer: Trainer) -> None:
        figures = trainer.model.ops.memory()
        self.peak = max(self.peak, figures.get("peak", figures.get("active", 0)))
