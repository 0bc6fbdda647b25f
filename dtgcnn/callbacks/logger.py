"""``MetricLogger``: what every experiment tracker is told, and when."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from typing_extensions import override

from ..array import Tree
from .base import Callback, TrainerView

__all__ = ["MetricLogger"]

STEP_METRICS = ("loss", "learning_rate", "gradient_norm", "active_fraction")


class MetricLogger(Callback, ABC):
    """Hands over the metrics of steps and epochs; a subclass writes them to its tracker.

    Steps are logged as ``train/loss``, ``train/learning_rate``, ``train/gradient_norm`` and
    ``train/active_fraction``, each where the step has it; epochs as ``epoch/`` and the name, for
    every metric there is.
    """

    @abstractmethod
    def log_step(self, values: Mapping[str, float], step: int) -> None:
        """Write the values of a step; ``step`` counts from 1 over all epochs."""

    @abstractmethod
    def log_epoch(self, values: Mapping[str, float], epoch: int) -> None:
        """Write the values of an epoch, counted from 1."""

    @override
    def on_batch_end(self, trainer: TrainerView, outputs: Tree, batch: Any, batch_idx: int) -> None:
        values = {f"train/{name}": outputs[name] for name in STEP_METRICS if name in outputs}
        self.log_step(values, trainer.global_step)

    @override
    def on_epoch_end(self, trainer: TrainerView, metrics: dict[str, float]) -> None:
        values = {f"epoch/{name}": value for name, value in metrics.items() if name != "epoch"}
        self.log_epoch(values, int(metrics["epoch"]))
