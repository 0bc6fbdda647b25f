"""Saving the model as training goes on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .base import Callback

if TYPE_CHECKING:
    from ..trainer import Trainer

__all__ = ["SaveEveryEpoch"]


class SaveEveryEpoch(Callback):
    """Save the model after every epoch, so that an interrupt loses no finished one.

    Args:
        directory: where to save.
        overwrite: whether a model that is there already may be replaced. Otherwise training is
            refused before it begins.
    """

    def __init__(self, directory: str | Path, *, overwrite: bool = False) -> None:
        self.directory = Path(directory)
        self.overwrite = overwrite
        self._saved = False

    def on_train_begin(self, trainer: Trainer) -> None:
        from ..checkpoint import holds_model

        if holds_model(self.directory) and not self.overwrite:
            raise FileExistsError(f"{self.directory} already holds a model")
        self._saved = False

    def on_epoch_end(self, trainer: Trainer, metrics: dict[str, float]) -> None:
        from ..checkpoint import save_model

        save_model(trainer.model, self.directory, overwrite=True, same_encoder=self._saved)
        self._saved = True
