"""dtgcnn: text embeddings with a Dynamic Triplet Graph Convolutional Neural Network.

The names below are loaded when they are first used, so that importing the core needs no array
library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .backends import BackendError, available_backends, load_ops
    from .callbacks import (
        Callback,
        DebugCallback,
        EarlyStopping,
        LearningRateMonitor,
        MemoryManager,
        MetricsTracker,
        ModelCheckpoint,
        ProgressBar,
        SaveEveryEpoch,
        TensorboardLogger,
        WandbLogger,
    )
    from .checkpoint import CheckpointError
    from .config import DTGCNNConfig
    from .data import DataError, Encoder, TfidfEncoder, TripletDataset, TripletLoader
    from .graph import EfficientGraphConstructor
    from .losses import TripletLoss
    from .model import DTGCNN, create_model
    from .ops import ArrayOps
    from .trainer import AdvancedTrainer, Trainer, TrainingError

_HOME = {
    "AdvancedTrainer": "trainer",
    "ArrayOps": "ops",
    "BackendError": "backends",
    "Callback": "callbacks",
    "CheckpointError": "checkpoint",
    "DTGCNN": "model",
    "DTGCNNConfig": "config",
    "DataError": "data",
    "DebugCallback": "callbacks",
    "EarlyStopping": "callbacks",
    "EfficientGraphConstructor": "graph",
    "Encoder": "data",
    "LearningRateMonitor": "callbacks",
    "MemoryManager": "callbacks",
    "MetricsTracker": "callbacks",
    "ModelCheckpoint": "callbacks",
    "ProgressBar": "callbacks",
    "SaveEveryEpoch": "callbacks",
    "TensorboardLogger": "callbacks",
    "TfidfEncoder": "data",
    "Trainer": "trainer",
    "TrainingError": "trainer",
    "TripletDataset": "data",
    "TripletLoader": "data",
    "TripletLoss": "losses",
    "WandbLogger": "callbacks",
    "available_backends": "backends",
    "create_model": "model",
    "load_ops": "backends",
}

__all__ = [  # noqa: RUF022 - the order of _HOME
    "AdvancedTrainer",
    "ArrayOps",
    "BackendError",
    "Callback",
    "CheckpointError",
    "DTGCNN",
    "DTGCNNConfig",
    "DataError",
    "DebugCallback",
    "EarlyStopping",
    "EfficientGraphConstructor",
    "Encoder",
    "LearningRateMonitor",
    "MemoryManager",
    "MetricsTracker",
    "ModelCheckpoint",
    "ProgressBar",
    "SaveEveryEpoch",
    "TensorboardLogger",
    "TfidfEncoder",
    "Trainer",
    "TrainingError",
    "TripletDataset",
    "TripletLoader",
    "TripletLoss",
    "WandbLogger",
    "available_backends",
    "create_model",
    "load_ops",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
