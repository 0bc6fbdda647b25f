"""Ending training once it no longer helps."""

from __future__ import annotations

import logging
from typing import Any

from typing_extensions import override

from .base import Callback, TrainerView
from .monitor import Mode, Monitor

__all__ = ["EarlyStopping"]

_log = logging.getLogger("dtgcnn")


class EarlyStopping(Callback):
    """End training after ``patience`` epochs in a row without a better ``monitor``, and say so.

    ``Trainer(keep_best=True)`` keeps the best epoch's weights: by what held-out rows say, or by the
    loss where there are none.

    Args:
        monitor: the metric of the epoch that is watched.
        patience: how many epochs in a row may pass without a better value, at least 1.
        min_delta: what a value must be better by, to count as better.
        mode: which direction is better, see ``Monitor``.

    Raises:
        ValueError: an argument is out of range; at the end of an epoch, ``monitor`` is not among
            its metrics.

    Prechelt 1998, "Early Stopping - But When?".
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        patience: int = 5,
        min_delta: float = 0.0,
        mode: Mode = "auto",
    ) -> None:
        if patience < 1:
            raise ValueError(f"patience must be at least 1, received {patience}")
        self.monitor = Monitor(monitor, mode, min_delta)
        self.patience = patience
        self.best = self.monitor.worst
        """The best value so far; infinite, on the worse side, before there is one."""
        self.best_epoch = 0
        """The epoch of ``best``; 0 before there is one."""
        self.stopped_epoch = 0
        """The epoch after which training was ended; 0 where it was not."""
        self._waited = 0

    @override
    def on_train_begin(self, trainer: TrainerView) -> None:
        self.monitor.check(trainer)
        self.best, self.best_epoch = self.monitor.worst, 0
        self.stopped_epoch = self._waited = 0

    @override
    def state_dict(self) -> dict[str, Any]:
        names = ("best", "best_epoch", "stopped_epoch", "_waited")
        return {name: getattr(self, name) for name in names}

    @override
    def load_state_dict(self, state: dict[str, Any]) -> None:
        vars(self).update(state)

    @override
    def on_epoch_end(self, trainer: TrainerView, metrics: dict[str, float]) -> None:
        value, epoch = self.monitor.value(metrics), int(metrics["epoch"])
        if self.monitor.better(value, self.best):
            self.best, self.best_epoch, self._waited = value, epoch, 0
            return
        self._waited += 1
        if self._waited >= self.patience:
            self.stopped_epoch = epoch
            trainer.should_stop = True
            _log.info(
                "stopped early, after epoch %d of %d: %s has not been better than %.4g, that of "
                "epoch %d, for %d epoch%s",
                *(epoch, trainer.config.num_epochs, self.monitor.name, self.best),
                *(self.best_epoch, self.patience, "s" * (self.patience > 1)),
            )
