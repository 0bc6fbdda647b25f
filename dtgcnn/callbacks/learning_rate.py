"""Recording the learning rate."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from ..array import Tree
from .base import Callback, TrainerView

__all__ = ["LearningRateMonitor"]


class LearningRateMonitor(Callback):
    """Record the learning rate of every step in ``rates``: pairs (steps taken, rate).

    An epoch's ``metrics["learning_rate"]`` becomes that of its last step, in place of their mean,
    for the history and for the callbacks that follow.
    """

    def __init__(self) -> None:
        self.rates: list[tuple[int, float]] = []

    @override
    def on_train_begin(self, trainer: TrainerView) -> None:
        self.rates = []

    @override
    def state_dict(self) -> dict[str, Any]:
        return {"rates": self.rates}

    @override
    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.rates = [(step, rate) for step, rate in state["rates"]]

    @override
    def on_batch_end(self, trainer: TrainerView, outputs: Tree, batch: Any, batch_idx: int) -> None:
        self.rates.append((trainer.global_step, outputs["learning_rate"]))

    @override
    def on_epoch_end(self, trainer: TrainerView, metrics: dict[str, float]) -> None:
        if self.rates:
            metrics["learning_rate"] = self.rates[-1][1]
