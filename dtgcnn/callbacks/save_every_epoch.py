"""Saving the model as training goes on."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

from typing_extensions import override

from .base import Callback, TrainerView
from .pace import Pace

__all__ = ["SaveEveryEpoch"]


class SaveEveryEpoch(Callback):
    """Save the model after every epoch, so that an interrupt loses no finished one.

    Args:
        directory: where to save: a new or empty folder.
        overwrite: whether it may hold a model, which is then replaced. Otherwise training is
            refused before it begins.
        paced: whether to pass epochs over where they are short, so that saving takes no more than
            a fortieth of the time. What training ends with is saved in any case, unless it breaks
            off.
    """

    def __init__(
        self, directory: str | Path, *, overwrite: bool = False, paced: bool = False
    ) -> None:
        self.directory = Path(directory)
        self.overwrite = overwrite
        self.pace = Pace() if paced else None
        self.broken = False
        self.last_epoch = 0
        """The last epoch whose model is saved, 0 for none."""

    @override
    def on_train_begin(self, trainer: TrainerView) -> None:
        from ..storage import check_folder

        own = self.last_epoch > 0  # the model there is this callback's, of a stage before
        check_folder(self.directory, self.overwrite or trainer.resumed or own)
        self.last_epoch, self.broken = 0, False

    @override
    def state_dict(self) -> dict[str, Any]:
        return {"last_epoch": self.last_epoch}

    @override
    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.last_epoch = state["last_epoch"]

    @override
    def on_epoch_end(self, trainer: TrainerView, metrics: dict[str, float]) -> None:
        if self.pace is None or self.pace.due:
            self._save(trainer, int(metrics["epoch"]))

    @override
    def on_exception(self, trainer: TrainerView, error: BaseException) -> None:
        self.broken = True

    @override
    def on_train_end(self, trainer: TrainerView) -> None:
        if not self.broken:  # the weights may be those of an epoch before
            self._save(trainer, len(trainer.history))

    def _save(self, trainer: TrainerView, epoch: int) -> None:
        again, before = self.last_epoch > 0, self._stamp()
        try:
            with nullcontext() if self.pace is None else self.pace.saving():
                trainer.model.save(self.directory, overwrite=True, same_encoder=again)
        finally:  # an interrupt may come when the model is in place already
            if self._stamp() != before:
                self.last_epoch = epoch
        if not again:
            for stale in ("metrics.json", "map.png"):  # of a model that was replaced
                (self.directory / stale).unlink(missing_ok=True)

    def _stamp(self) -> tuple[int, int] | None:
        """What tells one saved model from the next; None where there is none."""
        from ..storage import WEIGHTS

        path = self.directory / WEIGHTS
        if not path.exists():
            return None
        status = path.stat()
        return status.st_ino, status.st_mtime_ns
