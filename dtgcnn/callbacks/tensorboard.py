"""Logging to TensorBoard's event files."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from typing_extensions import override

from ..array import HostArray, Tree
from ..errors import needing
from .base import TrainerView
from .logger import MetricLogger
from .paths import free_path

__all__ = ["TensorboardLogger"]

_PROJECTOR = """embeddings {
  tensor_name: "embeddings"
  tensor_path: "vectors.tsv"
  metadata_path: "metadata.tsv"
}
"""


class TensorboardLogger(MetricLogger):
    """Write the metrics of steps and epochs for ``tensorboard --logdir runs``.

    The settings are hyper-parameters there. The names are those of ``MetricLogger``; the horizontal
    axis of ``train/…`` is the step, that of ``epoch/…`` the epoch. Event files are complete up to
    the last finished epoch as training goes on, and up to the last step once it ends, by an error
    too. A resumed run goes on in its folder, and TensorBoard drops the steps that are taken again.

    Args:
        directory: the folder of all runs.
        name: the run's folder in it; the time at which training begins where not given. A folder
            that is there already is never written to: ``-2`` follows the name.

    Raises:
        ImportError: tensorboard is not installed.
    """

    def __init__(self, directory: str | Path = "runs", name: str | None = None) -> None:
        with needing("TensorboardLogger needs tensorboard", "logging"):
            writer = import_module("tensorboard.summary.writer.event_file_writer")
            events = import_module("tensorboard.compat.proto.event_pb2")
            summaries = import_module("tensorboard.compat.proto.summary_pb2")
            self._hparams: Any = import_module("tensorboard.plugins.hparams.summary_v2")
        self.directory = Path(directory)
        self.name = name
        self.path: Path | None = None
        """The run's folder, once training has begun."""
        self._new_writer = writer.EventFileWriter
        self._event, self._summary, self._log = events.Event, summaries.Summary, events.SessionLog
        self._writer: Any = None
        self._steps = self._restart = 0
        self._settings: dict[str, bool | int | float | str] = {}

    @override
    def on_train_begin(self, trainer: TrainerView) -> None:
        self.failed = False
        self._settings = {
            name: value if isinstance(value, bool | int | float | str) else str(value)
            for name, value in trainer.config.to_dict().items()
        }
        self.path = free_path(self.directory, self.name or time.strftime("%Y%m%d-%H%M%S"))
        self._steps = self._restart = 0

    @override
    def state_dict(self) -> dict[str, Any]:
        if self._writer is not None:  # the steps before this state are not taken again
            self._writer.flush()
        return {"path": str(self.path), "steps": self._steps}

    @override
    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.path, self._steps = Path(state["path"]), state["steps"]
        self._restart = self._steps + 1

    @override
    def on_batch_end(self, trainer: TrainerView, outputs: Tree, batch: Any, batch_idx: int) -> None:
        super().on_batch_end(trainer, outputs, batch, batch_idx)
        self._steps = trainer.global_step

    @override
    def on_epoch_end(self, trainer: TrainerView, metrics: dict[str, float]) -> None:
        super().on_epoch_end(trainer, metrics)
        if self._writer is not None:
            self._writer.flush()

    @override
    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    @override
    def log_figures(self, figures: Mapping[str, float]) -> None:
        self.log_step({f"final/{name}": value for name, value in figures.items()}, self._steps)

    @override
    def log_vectors(self, vectors: HostArray, columns: Mapping[str, Sequence[str]]) -> None:
        """Write them for the projector, as ``vectors.tsv`` and ``metadata.tsv`` in the run's
        folder; a tab or a line break in a value becomes a space."""
        from ..storage import replace_file

        assert self.path is not None
        rows = ("\t".join(f"{value:.6g}" for value in row) for row in vectors.tolist())
        replace_file(self.path / "vectors.tsv", ("\n".join(rows) + "\n").encode())
        cells = [[" ".join(cell.split()) or " " for cell in column] for column in columns.values()]
        heads = [list(columns)] if len(columns) > 1 else []  # one column alone has no head
        lines = ["\t".join(line) for line in (*heads, *zip(*cells, strict=True))]
        replace_file(self.path / "metadata.tsv", ("\n".join(lines) + "\n").encode())
        replace_file(self.path / "projector_config.pbtxt", _PROJECTOR.encode())

    @override
    def log_step(self, values: Mapping[str, float], step: int) -> None:
        """Write the values at ``step``."""
        if self._writer is None:
            self._writer = self._new_writer(str(self.path))
            if self._restart:
                start = self._log(status=self._log.START)
                self._add(self._restart, session_log=start)
            else:
                self._add(0, summary=self._hparams.hparams_pb(self._settings))
        scalars = [self._summary.Value(tag=n, simple_value=float(v)) for n, v in values.items()]
        self._add(step, summary=self._summary(value=scalars))

    @override
    def log_epoch(self, values: Mapping[str, float], epoch: int) -> None:
        """Write the values at ``epoch``."""
        self.log_step(values, epoch)

    def _add(self, step: int, **content: Any) -> None:
        self._writer.add_event(self._event(wall_time=time.time(), step=step, **content))
