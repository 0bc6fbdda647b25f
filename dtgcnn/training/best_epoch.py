"""``BestEpoch``: the weights of the epoch that did best on held-out rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..array import HostArray, Tree, flatten, refill
from ..model import DTGCNN

__all__ = ["BestEpoch", "chosen_by"]


def chosen_by(metrics: Mapping[str, float]) -> str:
    """The name of the metric of held-out rows that the best epoch is chosen by."""
    names = ("val_map@r", "val_pair_auc", "val_loss")
    return next((name for name in names if name in metrics), "val_loss")


class BestEpoch:
    """Keeps the weights of the best epoch of a run; of equal ones the earlier is the better.

    Args:
        model: whose weights they are.
    """

    def __init__(self, model: DTGCNN) -> None:
        self.model = model
        self.epoch: int | None = None
        """Which it was, 0 for the start before the first step; None before any was offered."""
        self.value = 0.0
        """What it was measured by."""
        self.start: dict[str, float] = {}
        """What validation gave before the first step, of a model with a start or a loaded one."""
        self._kept: Tree = {}

    def offer(self, epoch: int, value: float, *, lower: bool) -> None:
        """Keep the model as it is where ``value`` is better than any before; NaN never is."""
        better = value < self.value if lower else value > self.value
        if value == value and (self.epoch is None or better):
            self.epoch, self.value = epoch, value
            self._kept = {"params": self.model.params, "state": self.model.state}

    def restore(self) -> bool:
        """Give the model its best weights back; whether there were some."""
        if self.epoch is None:
            return False
        self.model.params, self.model.state = self._kept["params"], self._kept["state"]
        return True

    def state_dict(self) -> tuple[dict[str, Any], dict[str, HostArray]]:
        """Numbers, and arrays by dotted name."""
        ops = self.model.ops
        numbers = {"epoch": self.epoch, "value": self.value, "start": self.start}
        if self.epoch is None:
            return numbers, {}
        kept = {name: ops.to_numpy(leaf) for name, leaf in flatten(self._kept, "best").items()}
        return numbers, kept

    def load_state_dict(self, numbers: dict[str, Any], arrays: dict[str, HostArray]) -> None:
        """Go on from what ``state_dict`` gave."""
        self.epoch, self.value = numbers["epoch"], numbers["value"]
        self.start = numbers["start"]
        if self.epoch is not None:
            model, asarray = self.model, self.model.ops.asarray
            device = {name: asarray(array) for name, array in arrays.items()}
            self._kept = refill({"params": model.params, "state": model.state}, device, "best")
