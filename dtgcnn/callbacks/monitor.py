"""``Monitor``: reads one metric of an epoch and says which of two values is better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from ..config import refuse_unknown
from .base import TrainerView

__all__ = ["Mode", "Monitor"]

Mode = Literal["auto", "min", "max"]

_LARGER_IS_BETTER = ("accuracy", "recall", "precision", "map", "knn", "auc")


@dataclass(frozen=True)
class Monitor:
    """The metric ``name``, and the direction in which it gets better.

    Args:
        name: a metric of ``on_epoch_end``, such as ``"val_loss"``.
        mode: ``"min"`` where less is better, ``"max"`` where more is. ``"auto"`` is ``"max"`` for
            names with accuracy, recall, precision, map, knn or auc in them, else ``"min"``.
        min_delta: what a value must be better by, to count as better.

    Raises:
        ValueError: an unknown mode or a ``min_delta`` below 0.
    """

    name: str
    mode: Mode = "auto"
    min_delta: float = 0.0

    def __post_init__(self) -> None:
        refuse_unknown("mode", self.mode, get_args(Mode))
        if not self.min_delta >= 0.0:
            raise ValueError(f"min_delta must be at least 0, received {self.min_delta}")

    @property
    def larger_is_better(self) -> bool:
        """Whether more is better."""
        if self.mode == "auto":
            return any(word in self.name.lower() for word in _LARGER_IS_BETTER)
        return self.mode == "max"

    @property
    def worst(self) -> float:
        """The value that every number is better than."""
        return float("-inf") if self.larger_is_better else float("inf")

    def check(self, trainer: TrainerView) -> None:
        """Refuse a metric of validation where there is nothing to validate on.

        Raises:
            ValueError: the name begins with ``val_``, and the trainer has no validation batch.
        """
        loader = trainer.val_loader
        if self.name.startswith("val_") and (loader is None or len(loader) == 0):
            raise ValueError(
                f"monitor must be a metric of training without a validation side, such as 'loss', "
                f"received {self.name!r}"
            )

    def value(self, metrics: Mapping[str, float]) -> float:
        """The monitored metric.

        Raises:
            ValueError: it is not among ``metrics``.
        """
        if self.name not in metrics:
            raise ValueError(
                f"monitor must be a metric of the epoch, received {self.name!r}; "
                f"there are {', '.join(sorted(metrics))}"
            )
        return metrics[self.name]

    def better(self, value: float, than: float) -> bool:
        """Whether ``value`` is better by more than ``min_delta``. NaN never is."""
        if self.larger_is_better:
            return value > than + self.min_delta
        return value < than - self.min_delta

    def rank(self, value: float) -> float:
        """A number to sort by: the better the value, the smaller it is; NaN comes last."""
        if value != value:
            return float("inf")
        return -value if self.larger_is_better else value
