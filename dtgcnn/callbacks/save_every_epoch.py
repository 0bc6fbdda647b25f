"""Saving the model as training goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from typing_extensions import override

from .base import Callback, TrainerView

__all__ = ["SaveEveryEpoch"]


class SaveEveryEpoch(Callback):
    """Save the model after every epoch, so that an interrupt loses no finished one.

    Args:
        directory: where to save: a new or empty folder.
        overwrite: whether it may hold a model, which is then replaced. Otherwise training is
            refused before it begins.
    """

    def __init__(self, directory: str | Path, *, overwrite: bool = False) -> None:
        self.directory = Path(directory)
        self.overwrite = overwrite
        self.last_epoch = 0
        """The last epoch whose model is saved, 0 for none."""

    @override
    def on_train_begin(self, trainer: TrainerView) -> None:
        from ..storage import check_folder

        own = self.last_epoch > 0  # the model there is this callback's, of a stage before
        check_folder(self.directory, self.overwrite or trainer.resumed or own)
        self.last_epoch = 0

    @override
    def state_dict(self) -> dict[str, Any]:
        return {"last_epoch": self.last_epoch}

    @override
    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.last_epoch = state["last_epoch"]

    @override
    def on_epoch_end(self, trainer: TrainerView, metrics: dict[str, float]) -> None:
        again, before = self.last_epoch > 0, self._stamp()
        try:
            trainer.model.save(self.directory, overwrite=True, same_encoder=again)
        finally:  # an interrupt may come when the model is in place already
            if self._stamp() != before:
                self.last_epoch = int(metrics["epoch"])
        if not again:
            for stale in ("metrics.json", "map.png"):  # of a model that was replaced
                (self.directory / stale).unlink(missing_ok=True)

    @override
    def on_train_end(self, trainer: TrainerView) -> None:
        if trainer.best_epoch not in (None, self.last_epoch):
            trainer.model.save(self.directory, overwrite=True, same_encoder=self.last_epoch > 0)

    def _stamp(self) -> tuple[int, int] | None:
        """What tells one saved model from the next; None where there is none."""
        from ..storage import WEIGHTS

        path = self.directory / WEIGHTS
        if not path.exists():
            return None
        status = path.stat()
        return status.st_ino, status.st_mtime_ns
