"""The loggers by the names of their trackers."""

from __future__ import annotations

from collections.abc import Sequence

from .logger import MetricLogger
from .mlflow import MlflowLogger
from .tensorboard import TensorboardLogger
from .trackio import TrackioLogger
from .wandb import WandbLogger

__all__ = ["TRACKERS", "loggers_of"]

TRACKERS = ("tensorboard", "wandb", "mlflow", "trackio")
_KINDS: dict[str, type[WandbLogger] | type[TrackioLogger]] = {
    "wandb": WandbLogger,
    "trackio": TrackioLogger,
}


def loggers_of(trackers: Sequence[str], name: str) -> list[MetricLogger]:
    """A logger for each of ``trackers``, whose run is called ``name``, in what is called ``dtgcnn``
    there; of TensorBoard in the folder ``runs``.

    Raises:
        ImportError: the library of one is not installed.
    """
    made: list[MetricLogger] = []
    for tracker in dict.fromkeys(trackers):
        if tracker == "tensorboard":
            made.append(TensorboardLogger(name=name))
        elif tracker == "mlflow":
            made.append(MlflowLogger(name=name))
        else:
            made.append(_KINDS[tracker](project="dtgcnn", name=name))
    return made
