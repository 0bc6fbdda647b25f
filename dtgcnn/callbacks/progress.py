"""How training goes: one line that moves on a terminal, some ten lines elsewhere."""

from __future__ import annotations

import shutil
import sys
import time
from typing import Any

from typing_extensions import override

from ..array import Tree
from .base import Callback, TrainerView

__all__ = ["ProgressBar"]

FIGURES: tuple[str, ...] = ("loss", "val_map@r", "val_recall@1", "val_unseen_map@r")
FIGURES += ("val_unseen_recall@1", "val_loss", "triplet_accuracy", "active_fraction")
"""Metrics of an epoch that are shown, those first that matter most."""

MOST_FIGURES = 5
"""How many of them a line holds."""

PATIENCE = 1.0
"""Seconds of a running epoch after which the steps taken are shown."""


class ProgressBar(Callback):
    """Shows on standard error how training goes: the last finished epoch, its loss, those of its
    metrics that matter most, and its seconds.

    On a terminal that is one line, which each epoch writes anew, with the steps of an epoch that
    lasts, and while answers are calibrated after the last one; figures that a narrow terminal has
    no room for are left out. Elsewhere a line is printed after the first epoch, after each further
    tenth of ``config.num_epochs`` and after the last epoch, also where training ends early.
    """

    def __init__(self) -> None:
        self._terminal = False
        self._parts: list[str] = []  # what is shown of the last finished epoch
        self._due = False  # whether they are yet to be printed
        self._drawn = 0  # characters on the line that moves
        self._drawn_at = 0.0

    @override
    def on_train_begin(self, trainer: TrainerView) -> None:
        self._terminal = sys.stderr is not None and sys.stderr.isatty()  # None without a console
        self._parts, self._drawn, self._drawn_at = [], 0, time.monotonic()

    @override
    def on_batch_end(self, trainer: TrainerView, outputs: Tree, batch: Any, batch_idx: int) -> None:
        if self._terminal and time.monotonic() - self._drawn_at >= PATIENCE:
            epoch, steps = _counted(len(trainer.history) + 1, trainer), trainer.steps_per_epoch
            self._draw([*self._parts, f"{epoch}: step {batch_idx + 1}/{steps}"])

    @override
    def on_epoch_end(self, trainer: TrainerView, metrics: dict[str, float]) -> None:
        epoch, total, first = int(metrics["epoch"]), trainer.config.num_epochs, not self._parts
        names = [name for name in FIGURES if name in metrics][:MOST_FIGURES]
        figures = [f"{name} {metrics[name]:.4f}" for name in names]
        self._parts = [_counted(epoch, trainer), *figures, f"{metrics['seconds']:.1f} s"]
        if self._terminal:
            self._draw([*self._parts, "calibrating"] if epoch == total else self._parts)
        elif first or 10 * epoch // total > 10 * (epoch - 1) // total:
            self._print()
        else:
            self._due = True

    @override
    def on_train_end(self, trainer: TrainerView) -> None:
        if self._drawn:
            if len(trainer.history) == trainer.config.num_epochs:
                self._draw(self._parts)
            print(file=sys.stderr)  # the last state stays, what follows has lines of its own
        elif self._due:
            self._print()

    def _print(self) -> None:
        print("  ".join(self._parts), file=sys.stderr, flush=True)
        self._due = False

    def _draw(self, parts: list[str]) -> None:
        """Write the line that moves; of ``parts`` the first and the last stay longest."""
        room, shown = shutil.get_terminal_size().columns - 1, list(parts)
        while len("  ".join(shown)) > room and len(shown) > 2:
            del shown[-2]
        text = "  ".join([*shown, ""])[:room]  # the blanks keep it apart from a warning after it
        print("\r" + text.ljust(min(self._drawn, room)), end="", file=sys.stderr, flush=True)
        self._drawn, self._drawn_at = len(text), time.monotonic()


def _counted(epoch: int, trainer: TrainerView) -> str:
    total = trainer.config.num_epochs
    return f"epoch {epoch:>{len(str(total))}}/{total}"
