"""Logging to Trackio."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from typing_extensions import override

from ..errors import needing
from .base import TrainerView
from .logger import MetricLogger

__all__ = ["TrackioLogger"]


class TrackioLogger(MetricLogger):
    """Write the metrics of steps and epochs for ``trackio show``, a tracker that keeps its runs on
    this machine.

    The names are those of ``MetricLogger``, all over the steps; those of an epoch stand at its last
    one. Trackio has no mark for a run that failed.

    Args:
        project: the name of the project.
        **init: further arguments of ``trackio.init``, such as ``name``. ``config`` is that of the
            trainer where not given.

    Raises:
        ImportError: trackio is not installed.
    """

    def __init__(self, project: str = "dtgcnn", **init: Any) -> None:
        with needing("TrackioLogger needs trackio", "trackio"):
            self._trackio: Any = import_module("trackio")
        self.init: dict[str, Any] = {"embed": False, **init, "project": project}
        self.run: Any = None
        """The run of ``trackio.init``, once training has begun."""
        self._steps = 0
        self._open = False

    @override
    def on_train_begin(self, trainer: TrainerView) -> None:
        self.failed, self._steps = False, 0
        self._config = trainer.config.to_dict()
        if not trainer.resumed:
            self._begin()

    @override
    def state_dict(self) -> dict[str, Any]:
        return {"name": getattr(self.run, "name", None), "steps": self._steps}

    @override
    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._steps = state["steps"]
        self._begin(name=state["name"], resume="allow")

    def _begin(self, **more: Any) -> None:
        named = {"config": self._config, **self.init, **more}
        self.run, self._open = self._trackio.init(**named), True

    @override
    def log_step(self, values: Mapping[str, float], step: int) -> None:
        """Write the values at ``step``."""
        self._steps = step
        self.run.log({name: float(value) for name, value in values.items()}, step=step)

    @override
    def log_epoch(self, values: Mapping[str, float], epoch: int) -> None:
        """Write the values at the last step that was taken."""
        self.log_step({**values, "epoch": float(epoch)}, self._steps)

    @override
    def log_figures(self, figures: Mapping[str, float]) -> None:
        self.log_step({f"final/{name}": value for name, value in figures.items()}, self._steps)

    @override
    def close(self) -> None:
        if self._open:
            self._open = False
            self.run.finish()
