"""``MetricLogger``: what every experiment tracker is told, and when."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from typing_extensions import override

from ..array import HostArray, Tree
from .base import Callback, TrainerView

__all__ = ["MetricLogger", "held_open"]

STEP_METRICS = ("loss", "learning_rate", "gradient_norm", "active_fraction")


class MetricLogger(Callback, ABC):
    """Hands over the metrics of steps and epochs; a subclass writes them to its tracker.

    Steps are logged as ``train/loss``, ``train/learning_rate``, ``train/gradient_norm`` and
    ``train/active_fraction``, each where the step has it; epochs as ``epoch/`` and the name, for
    every metric there is.
    """

    failed = False
    """Whether training ended by an error."""
    keep_open = False
    """Whether the run goes on after training, until ``close``; see ``held_open``."""

    @abstractmethod
    def log_step(self, values: Mapping[str, float], step: int) -> None:
        """Write the values of a step; ``step`` counts from 1 over all epochs."""

    @abstractmethod
    def log_epoch(self, values: Mapping[str, float], epoch: int) -> None:
        """Write the values of an epoch, counted from 1."""

    def log_figures(self, figures: Mapping[str, float]) -> None:
        """Write what was measured after training, by names such as ``trained/map@r``; a tracker
        that has no place for it leaves it out."""

    def log_vectors(self, vectors: HostArray, columns: Mapping[str, Sequence[str]]) -> None:
        """Write embeddings (N, D) with what is known of each, where the tracker shows such."""

    def close(self) -> None:
        """End the run; nothing where there is none."""

    @override
    def on_batch_end(self, trainer: TrainerView, outputs: Tree, batch: Any, batch_idx: int) -> None:
        values = {f"train/{name}": outputs[name] for name in STEP_METRICS if name in outputs}
        self.log_step(values, trainer.global_step)

    @override
    def on_epoch_end(self, trainer: TrainerView, metrics: dict[str, float]) -> None:
        values = {f"epoch/{name}": value for name, value in metrics.items() if name != "epoch"}
        self.log_epoch(values, int(metrics["epoch"]))

    @override
    def on_exception(self, trainer: TrainerView, error: BaseException) -> None:
        self.failed = True

    @override
    def on_train_end(self, trainer: TrainerView) -> None:
        if not self.keep_open:
            self.close()


@contextmanager
def held_open(loggers: Sequence[MetricLogger]) -> Iterator[None]:
    """Let the runs of loggers go on after training, so that figures can be added, until the context
    ends; an error in it marks them as failed."""
    with ExitStack() as ending:
        for logger in loggers:
            logger.keep_open = True
            ending.callback(logger.close)
        try:
            yield
        except BaseException:
            for logger in loggers:
                logger.failed = True
            raise
        finally:
            for logger in loggers:
                logger.keep_open = False
