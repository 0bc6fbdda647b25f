"""A progress bar over the steps of an epoch, and a line for each finished epoch."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from ..array import Tree
from .base import Callback, TrainerView

__all__ = ["ProgressBar"]


class ProgressBar(Callback):
    """Shows the running epoch on a terminal and prints one line per epoch, on standard error."""

    def __init__(self) -> None:
        self._progress: Any = None
        self._task: Any = None

    @override
    def on_train_begin(self, trainer: TrainerView) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        console = Console(stderr=True, highlight=False, soft_wrap=True)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        self._progress = Progress(
            *columns, console=console, transient=True, disable=not console.is_terminal
        )
        self._progress.start()

    @override
    def on_epoch_begin(self, trainer: TrainerView, epoch: int) -> None:
        total = trainer.config.num_epochs
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._task = self._progress.add_task(
            f"epoch {epoch}/{total}", total=trainer.steps_per_epoch
        )

    @override
    def on_batch_end(self, trainer: TrainerView, outputs: Tree, batch: Any, batch_idx: int) -> None:
        self._progress.update(self._task, completed=batch_idx + 1)

    @override
    def on_epoch_end(self, trainer: TrainerView, metrics: dict[str, float]) -> None:
        shown = ("loss", "triplet_accuracy", "active_fraction", "val_loss", "val_triplet_accuracy")
        parts = [f"{name} {metrics[name]:.4f}" for name in shown if name in metrics]
        epoch, total = int(metrics["epoch"]), trainer.config.num_epochs
        line = f"epoch {epoch:>{len(str(total))}}/{total}  " + "  ".join(parts)
        self._progress.console.print(f"{line}  {metrics['seconds']:.1f} s")

    @override
    def on_train_end(self, trainer: TrainerView) -> None:
        if self._progress is not None:
            self._progress.stop()
