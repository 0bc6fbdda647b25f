"""Ending a training after so many epochs of its schedule."""

from __future__ import annotations

from typing_extensions import override

from .base import Callback, TrainerView

__all__ = ["StopAfter"]


class StopAfter(Callback):
    """End training after ``epochs`` of the schedule that ``config.num_epochs`` stretches over; 0
    takes no step, which leaves the start.

    Raises:
        ValueError: ``epochs`` is below 0.
    """

    def __init__(self, epochs: int) -> None:
        if epochs < 0:
            raise ValueError(f"epochs must be at least 0, received {epochs}")
        self.epochs = epochs

    @override
    def on_train_begin(self, trainer: TrainerView) -> None:
        trainer.should_stop = self.epochs == 0

    @override
    def on_epoch_end(self, trainer: TrainerView, metrics: dict[str, float]) -> None:
        if metrics["epoch"] >= self.epochs:
            trainer.should_stop = True
