"""``Callback``: the hooks that training calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..ops import Tree

if TYPE_CHECKING:
    from ..trainer import Trainer

__all__ = ["Callback"]


class Callback:
    """Subclass it and override the hooks of interest; each does nothing here."""

    def on_train_begin(self, trainer: Trainer) -> None:
        """Before any work, texts not yet encoded. An error raised here stops training."""

    def on_epoch_begin(self, trainer: Trainer, epoch: int) -> None:
        """Before the first batch of ``epoch`` = 1, 2, …"""

    def on_batch_end(self, trainer: Trainer, outputs: Tree, batch: Any, batch_idx: int) -> None:
        """After each step. ``outputs`` holds the step's metrics as floats (``"loss"``, …);
        ``batch`` is the loader's; ``batch_idx`` counts from 0 in the epoch."""

    def on_epoch_end(self, trainer: Trainer, metrics: dict[str, float]) -> None:
        """After an epoch and its validation, the model ready to encode. ``metrics`` are the epoch's
        means; those of validation begin with ``val_``."""

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run must know, as JSON's types; saved with the state of the run."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what ``state_dict`` gave. Called after ``on_train_begin``."""

    def on_train_end(self, trainer: Trainer) -> None:
        """After the last epoch; also when training stops early by an error or an interrupt."""
