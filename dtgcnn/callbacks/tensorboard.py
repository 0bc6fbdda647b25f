"""Logging to TensorBoard's event files."""

from __future__ import annotations

import time
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .logger import MetricLogger
from .paths import free_path

if TYPE_CHECKING:
    from ..trainer import Trainer

__all__ = ["TensorboardLogger"]


class TensorboardLogger(MetricLogger):
    """Write the metrics of steps and epochs for ``tensorboard --logdir runs``.

    The names are those of ``MetricLogger``; the horizontal axis of ``train/…`` is the step, that of
    ``epoch/…`` the epoch. Event files are complete up to the last finished epoch as training goes
    on, and up to the last step once it ends, by an error too.

    Args:
        directory: the folder of all runs.
        name: the run's folder in it; the time at which training begins where not given. A folder
            that is there already is never written to: ``-2`` follows the name.

    Raises:
        ImportError: tensorboard is not installed.
    """

    def __init__(self, directory: str | Path = "runs", name: str | None = None) -> None:
        try:
            writer = import_module("tensorboard.summary.writer.event_file_writer")
            events = import_module("tensorboard.compat.proto.event_pb2")
            summaries = import_module("tensorboard.compat.proto.summary_pb2")
        except ImportError as error:
            raise ImportError(
                "TensorboardLogger needs tensorboard: pip install 'dtgcnn[logging]'"
            ) from error
        self.directory = Path(directory)
        self.name = name
        self.path: Path | None = None
        """The run's folder, once training has begun."""
        self._new_writer = writer.EventFileWriter
        self._event, self._summary = events.Event, summaries.Summary
        self._writer: Any = None

    def on_train_begin(self, trainer: Trainer) -> None:
        self.path = free_path(self.directory, self.name or time.strftime("%Y%m%d-%H%M%S"))

    def state_dict(self) -> dict[str, Any]:
        return {"path": str(self.path)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.path = Path(state["path"])

    def on_epoch_end(self, trainer: Trainer, metrics: dict[str, float]) -> None:
        super().on_epoch_end(trainer, metrics)
        if self._writer is not None:
            self._writer.flush()

    def on_train_end(self, trainer: Trainer) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def log_step(self, values: Mapping[str, float], step: int) -> None:
        """Write the values at ``step``."""
        if self._writer is None:
            self._writer = self._new_writer(str(self.path))
        scalars = [self._summary.Value(tag=n, simple_value=float(v)) for n, v in values.items()]
        summary = self._summary(value=scalars)
        self._writer.add_event(self._event(wall_time=time.time(), step=step, summary=summary))

    def log_epoch(self, values: Mapping[str, float], epoch: int) -> None:
        """Write the values at ``epoch``."""
        self.log_step(values, epoch)
