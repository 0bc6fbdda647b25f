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

TRACKED = (
    "loss",
    "triplet_accuracy",
    "mean_positive_distance",
    "mean_negative_distance",
    "hard_negative_ratio",
    "gradient_norm",
)


class MetricsTracker(Callback):
    """Keep the loss, the distances and the gradient norm of every step in ``metrics``.

    As a callback it is updated by the trainer; in a loop of one's own, call ``update``. Training
    again adds to what is there.
    """

    def __init__(self) -> None:
        self.metrics: dict[str, list[float]] = {name: [] for name in TRACKED}
        """For each tracked metric its values, step by step; empty where no step had it."""

    @override
    def state_dict(self) -> dict[str, Any]:
        return {"metrics": self.metrics}

    @override
    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.metrics = state["metrics"]

    @override
    def on_batch_end(self, trainer: TrainerView, outputs: Tree, batch: Any, batch_idx: int) -> None:
        self.update(outputs)

    def update(self, batch_metrics: Mapping[str, float]) -> None:
        """Append the tracked ones of a step's metrics; others are left out."""
        for name, values in self.metrics.items():
            if name in batch_metrics:
                values.append(float(batch_metrics[name]))

    def plot_metrics(self, path: str | Path | None = None) -> Figure:
        """Draw each metric over the steps, in two rows of three, and return the figure.

        Args:
            path: the ``.png`` or ``.svg`` to write; it appears only once complete. Nothing is
                written without it.

        Raises:
            ImportError: without matplotlib.
            ValueError: for an unknown suffix.
        """
        from ..plots import plot_curves

        return plot_curves(self.metrics, path)
