"""Callbacks: what happens around training, kept out of the training loop."""

from .base import Callback, TrainerView
from .collapse import CollapseWatch
from .debug import DebugCallback, Finding
from .early_stopping import EarlyStopping
from .learning_rate import LearningRateMonitor
from .logger import MetricLogger, held_open
from .memory import MemoryManager
from .mlflow import MlflowLogger
from .model_checkpoint import ModelCheckpoint
from .monitor import Monitor
from .progress import ProgressBar
from .save_every_epoch import SaveEveryEpoch
from .stop_after import StopAfter
from .tensorboard import TensorboardLogger
from .tracker import MetricsTracker
from .trackers import TRACKERS, loggers_of
from .trackio import TrackioLogger
from .wandb import WandbLogger

__all__ = [
    "TRACKERS",
    "Callback",
    "CollapseWatch",
    "DebugCallback",
    "EarlyStopping",
    "Finding",
    "LearningRateMonitor",
    "MemoryManager",
    "MetricLogger",
    "MetricsTracker",
    "MlflowLogger",
    "ModelCheckpoint",
    "Monitor",
    "ProgressBar",
    "SaveEveryEpoch",
    "StopAfter",
    "TensorboardLogger",
    "TrackioLogger",
    "TrainerView",
    "WandbLogger",
    "held_open",
    "loggers_of",
]
