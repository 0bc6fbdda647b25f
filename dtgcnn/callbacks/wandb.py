"""Logging to Weights & Biases."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from typing_extensions import override

from ..errors import needing
from .base import TrainerView
from .logger import MetricLogger

__all__ = ["WandbLogger"]


class WandbLogger(MetricLogger):
    """Send the metrics of steps and epochs to a new run of Weights & Biases.

    The names are those of ``MetricLogger``; ``train/…`` is drawn over ``step``, ``epoch/…`` over
    ``epoch``. Training that ends by an error marks the run as failed.

    Args:
        **init: arguments of ``wandb.init``, such as ``project="banking"``. ``config`` is that of
            the trainer where not given.

    Raises:
        ImportError: wandb is not installed.
    """

    _open = False

    def __init__(self, **init: Any) -> None:
        with needing("WandbLogger needs wandb", "wandb"):
            self._wandb: Any = import_module("wandb")
        self.init = init
        self.run: Any = None
        """The run of ``wandb.init``, once training has begun."""

    @override
    def on_train_begin(self, trainer: TrainerView) -> None:
        self.failed = False
        self._config = trainer.config.to_dict()
        if not trainer.resumed:
            self._begin()

    @override
    def state_dict(self) -> dict[str, Any]:
        return {"id": getattr(self.run, "id", None)}

    @override
    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._begin(**({"id": state["id"], "resume": "allow"} if state["id"] else {}))

    def _begin(self, **more: Any) -> None:
        named = {"config": self._config, **self.init, **more}
        self.run, self._open = self._wandb.init(**named), True
        self.run.define_metric("train/*", step_metric="step")
        self.run.define_metric("epoch/*", step_metric="epoch")

    @override
    def close(self) -> None:
        if self._open:
            self.run.finish(exit_code=1 if self.failed else 0)
            self._open = False

    @override
    def log_figures(self, figures: Mapping[str, float]) -> None:
        self.run.summary.update({f"final/{name}": value for name, value in figures.items()})

    @override
    def log_step(self, values: Mapping[str, float], step: int) -> None:
        """Send the values of a step."""
        self.run.log({**values, "step": step})

    @override
    def log_epoch(self, values: Mapping[str, float], epoch: int) -> None:
        """Send the values of an epoch."""
        self.run.log({**values, "epoch": epoch})
