"""Keeping the models of the best epochs."""

from __future__ import annotations

import filecmp
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typing_extensions import override

from .base import Callback, TrainerView
from .monitor import Mode, Monitor
from .paths import free_path

__all__ = ["ModelCheckpoint"]


@dataclass(frozen=True)
class _Saved:
    value: float
    path: Path
    files: tuple[Path, ...]


class ModelCheckpoint(Callback):
    """Save the model as training goes on, and keep the ``save_top_k`` best of them.

    An epoch's model is saved as ``directory/epoch=003-val_loss=0.1234``, which ``DTGCNN.load``
    reads. The folder appears only once complete, and a worse one goes only after that. What this
    run did not write is never deleted or replaced: where the name is taken, ``-2`` follows it.
    Each call of ``Trainer.train`` ranks its own epochs; a resumed run goes on with its ranking, and
    takes up a folder that it was killed after writing.

    Args:
        directory: where the folders are made.
        monitor: the metric of the epoch that ranks them. NaN is the worst value; among equal ones
            the earlier epoch is the better.
        save_top_k: how many to keep, at least 1; -1 keeps all.
        mode: which direction is better, see ``Monitor``.
        every_n_epochs: save after epochs n, 2n, … only.

    Raises:
        ValueError: an argument is out of range; at the end of an epoch, ``monitor`` is not among
            its metrics.
    """

    def __init__(
        self,
        directory: str | Path = "checkpoints",
        monitor: str = "val_loss",
        save_top_k: int = 3,
        mode: Mode = "auto",
        every_n_epochs: int = 1,
    ) -> None:
        if save_top_k < 1 and save_top_k != -1:
            raise ValueError(f"save_top_k must be -1 or at least 1, received {save_top_k}")
        if every_n_epochs < 1:
            raise ValueError(f"every_n_epochs must be at least 1, received {every_n_epochs}")
        self.directory = Path(directory)
        self.monitor = Monitor(monitor, mode)
        self.save_top_k = save_top_k
        self.every_n_epochs = every_n_epochs
        self._kept: list[_Saved] = []
        self._before: list[str] = []  # names that were there when the run began

    @property
    def paths(self) -> list[Path]:
        """The folders of the kept models, the best first."""
        return [saved.path for saved in self._kept]

    @property
    def best_path(self) -> Path | None:
        """The folder of the best model; None before one is saved."""
        return self._kept[0].path if self._kept else None

    @property
    def best(self) -> float:
        """The monitored value of the best model; infinite, on the worse side, without one."""
        return self._kept[0].value if self._kept else self.monitor.worst

    @override
    def on_train_begin(self, trainer: TrainerView) -> None:
        self.monitor.check(trainer)
        from ..storage import remove_drafts

        remove_drafts(self.directory)
        self._kept, self._before = [], sorted(path.name for path in self.directory.glob("epoch=*"))

    @override
    def state_dict(self) -> dict[str, Any]:
        kept = [
            (saved.value, str(saved.path), [str(f) for f in saved.files]) for saved in self._kept
        ]
        return {"kept": kept, "before": self._before}

    @override
    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._kept = [
            _Saved(value, Path(path), tuple(map(Path, files)))
            for value, path, files in state["kept"]
        ]
        self._before = state["before"]

    @override
    def on_epoch_end(self, trainer: TrainerView, metrics: dict[str, float]) -> None:
        value, epoch = self.monitor.value(metrics), int(metrics["epoch"])
        if epoch % self.every_n_epochs:
            return
        rank, full = self.monitor.rank, len(self._kept) == self.save_top_k
        if full and not rank(value) < rank(self._kept[-1].value):
            return
        name = f"epoch={epoch:03}-{self.monitor.name}={value:.4f}".replace("/", "_")
        self._kept.append(self._save(trainer, name, value))
        self._kept.sort(key=lambda saved: rank(saved.value))
        if full:
            _remove(self._kept.pop())

    def _save(self, trainer: TrainerView, name: str, value: float) -> _Saved:
        from ..storage import WEIGHTS, draft, flush

        with draft(self.directory / name) as part:
            trainer.model.save(part)
            files = [file.relative_to(part) for file in part.rglob("*") if file.is_file()]

            def own(path: Path) -> bool:
                """Whether this run wrote the same model there before it was killed."""
                there = path.name not in self._before and (path / WEIGHTS).is_file()
                taken = path in self.paths or not trainer.resumed or not there
                return not taken and filecmp.cmp(path / WEIGHTS, part / WEIGHTS, shallow=False)

            path = free_path(self.directory, name, own)
            if not path.exists():
                os.rename(part, path)
        flush(self.directory)
        return _Saved(value, path, tuple(files))


def _remove(saved: _Saved) -> None:
    """Delete the files that were written, and the folders that this leaves empty."""
    for file in saved.files:
        (saved.path / file).unlink(missing_ok=True)
    folders = {parent for file in saved.files for parent in file.parents}
    for folder in sorted(folders, key=lambda path: -len(path.parts)):
        with suppress(OSError):  # something else lies in it, or it is gone
            (saved.path / folder).rmdir()
