"""Giving unused device memory back, and recording how much was in use."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from ..array import Tree, numerics
from .base import Callback, TrainerView

__all__ = ["MemoryManager"]


class MemoryManager(Callback):
    """Empty the backend's cache of freed memory every ``clear_every`` steps, or bound it.

    That lowers the memory held, at some cost in speed. The cache of a backend without a method
    ``clear_cache`` is not emptied, and that of one without ``set_cache_limit``, such as NumPy's,
    not bounded; ``peak`` is recorded from its method ``memory``, where it has one.

    Args:
        clear_every: steps between two clearings; 0 never clears it.
        cache_limit: most bytes of freed memory that are kept for reuse, while training lasts; None
            for the backend's own limit.

    Raises:
        ValueError: an argument is below 0.
    """

    every_process = True

    def __init__(self, clear_every: int = 10, cache_limit: int | None = None) -> None:
        if clear_every < 0:
            raise ValueError(f"clear_every must be at least 0, received {clear_every}")
        if cache_limit is not None and cache_limit < 0:
            raise ValueError(f"cache_limit must be at least 0, received {cache_limit}")
        self.clear_every = clear_every
        self.cache_limit = cache_limit
        self.peak = 0
        """The most bytes that the backend reported in use; 0 where it reports none."""
        self.cleared = 0
        """How often the cache was emptied."""
        self._steps = 0
        self._former: int | None = None

    @override
    def on_train_begin(self, trainer: TrainerView) -> None:
        self.peak = self.cleared = self._steps = 0
        self._former = self._limit(trainer, self.cache_limit)

    @override
    def state_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("peak", "cleared", "_steps")}

    @override
    def load_state_dict(self, state: dict[str, Any]) -> None:
        vars(self).update(state)

    @override
    def on_batch_end(self, trainer: TrainerView, outputs: Tree, batch: Any, batch_idx: int) -> None:
        self._steps += 1
        if not self.clear_every or self._steps % self.clear_every:
            return
        self._record(trainer)
        self.cleared += numerics.clear_cache(trainer.model.ops)

    @override
    def on_epoch_end(self, trainer: TrainerView, metrics: dict[str, float]) -> None:
        self._record(trainer)

    @override
    def on_train_end(self, trainer: TrainerView) -> None:
        self._limit(trainer, self._former)

    def _limit(self, trainer: TrainerView, limit: int | None) -> int | None:
        """Set the limit where there is one to set, and return the former."""
        own = getattr(trainer.model.ops, "set_cache_limit", None)
        return None if own is None or limit is None else int(own(limit))

    def _record(self, trainer: TrainerView) -> None:
        figures: dict[str, int] = getattr(trainer.model.ops, "memory", dict)()
        self.peak = max(self.peak, figures.get("peak", figures.get("active", 0)))
