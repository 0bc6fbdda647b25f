"""Keeping the metrics of every step, to look at and to draw."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from ..array import Tree
from .base import Callback, TrainerView

if TYPE_CHECKING:
    from matplotlib.figure import Figure


__all__ = ["MetricsTracker"]

HELD_OUT = ("val_map@r", "val_recall@1", "val_pair_auc")
"""What validation alone has, and is kept too."""

TRACKED = (
    "loss",
    "triplet_accuracy",
    "mean_positive_distance",
    "mean_negative_distance",
    "hard_negative_ratio",
    "gradient_norm",
)


class MetricsTracker(Callback):
    """Keep the loss, the distances and the gradient norm of every step in ``metrics``, and those of
    the held-out rows in ``validation``.

    As a callback it is updated by the trainer; in a loop of one's own, call ``update``. Training
    again adds to what is there.
    """

    def __init__(self) -> None:
        self.metrics: dict[str, list[float]] = {name: [] for name in TRACKED}
        """For each tracked metric its values, step by step; empty where no step had it."""
        self.validation: dict[str, list[list[float]]] = {}
        """For each metric of the held-out rows, whose names begin with ``val_``, pairs of the steps
        taken until then and the value, epoch by epoch."""
        self.kept: int | None = None
        """The steps taken until the epoch whose weights were kept; None where the last one's."""
        self._ends = [0]

    @override
    def on_train_begin(self, trainer: TrainerView) -> None:
        self.kept, self._ends = None, [len(self.metrics["loss"])]

    @override
    def state_dict(self) -> dict[str, Any]:
        return {"metrics": self.metrics, "validation": self.validation, "ends": self._ends}

    @override
    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.metrics = state["metrics"]
        self.validation = state.get("validation", {})
        self._ends = state.get("ends", self._ends)

    @override
    def on_batch_end(self, trainer: TrainerView, outputs: Tree, batch: Any, batch_idx: int) -> None:
        self.update(outputs)

    @override
    def on_epoch_end(self, trainer: TrainerView, metrics: dict[str, float]) -> None:
        step = len(self.metrics["loss"])
        self._ends.append(step)
        for name in (*(f"val_{name}" for name in TRACKED), *HELD_OUT):
            if name in metrics:
                self.validation.setdefault(name, []).append([step, metrics[name]])

    @override
    def on_train_end(self, trainer: TrainerView) -> None:
        if trainer.best_epoch is not None and trainer.best_epoch < len(self._ends):
            self.kept = self._ends[trainer.best_epoch]

    def update(self, batch_metrics: Mapping[str, float]) -> None:
        """Append the tracked ones of a step's metrics; others are left out."""
        for name, values in self.metrics.items():
            if name in batch_metrics:
                values.append(float(batch_metrics[name]))

    def plot_metrics(self, path: str | Path | None = None) -> Figure:
        """Draw each metric over the steps, with that of the held-out rows and a line at the epoch
        whose weights were kept, and return the figure.

        Args:
            path: the ``.png`` or ``.svg`` to write; it appears only once complete. Nothing is
                written without it.

        Raises:
            ImportError: without matplotlib.
            ValueError: for an unknown suffix.
        """
        from ..plots import plot_curves

        return plot_curves(self.metrics, path, validation=self.validation, kept=self.kept)
