"""Saving the model as training goes on."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from copy import copy
from pathlib import Path
from typing import Any

from typing_extensions import override

from ..model import DTGCNN
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
            a fortieth of the time. The last finished one is saved in any case, also where training
            ends by an error or an interrupt, but not where the process is killed.
    """

    def __init__(
        self, directory: str | Path, *, overwrite: bool = False, paced: bool = False
    ) -> None:
        self.directory = Path(directory)
        self.overwrite = overwrite
        self.pace = Pace() if paced else None
        self.waiting: tuple[DTGCNN, int] | None = None
        """The model as it was after an epoch that was passed over, and which that was."""
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
        epoch = int(metrics["epoch"])
        if self.pace is None or self.pace.due:
            self._save(trainer.model, epoch)
            self.waiting = None
        else:
            self.waiting = copy(trainer.model), epoch

    @override
    def on_exception(self, trainer: TrainerView, error: BaseException) -> None:
        self.broken = True
        if self.waiting is not None and self.waiting[1] > self.last_epoch:
            model, epoch = self.waiting
            with suppress(Exception):  # of two errors the first one tells what went wrong
                model.bank = copy(model.bank)
                model.refresh_bank()
                self._save(model, epoch)

    @override
    def on_train_end(self, trainer: TrainerView) -> None:
        self.waiting = None
        if not self.broken:  # the weights may be those of an epoch before
            self._save(trainer.model, len(trainer.history))

    def _save(self, model: DTGCNN, epoch: int) -> None:
        again, before = self.last_epoch > 0, self._stamp()
        try:
            with nullcontext() if self.pace is None else self.pace.saving():
                model.save(self.directory, overwrite=True, same_encoder=again)
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
