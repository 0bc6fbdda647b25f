"""dtgcnn: text embeddings with a Dynamic Triplet Graph Convolutional Neural Network.

The names below are loaded when they are first used, so that importing the core needs no array
library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .backends import BackendError, available_backends, load_ops
    from .batch_all import BatchAllTripletLoss
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
    from .contrastive import CircleLoss, InfoNCELoss, MultiSimilarityLoss, SupConLoss
    from .curriculum import CurriculumScheduler
    from .data import (
        DataError,
        DataPreprocessor,
        Encoder,
        HashingEncoder,
        MlxTextEncoder,
        Model2VecEncoder,
        PieceEncoder,
        SentenceTransformerEncoder,
        TfidfEncoder,
        TripletAugmenter,
        TripletDataset,
        TripletGenerator,
        TripletLoader,
    )
    from .ensemble import Ensemble
    from .graph import EfficientGraphConstructor
    from .losses import AdaptiveMarginScheduler, FocalTripletLoss, TripletLoss
    from .model import DTGCNN, create_model
    from .multitask import MultiTaskDTGCNN
    from .ops import ArrayOps
    from .plots import visualize_embeddings
    from .progressive import ProgressiveTrainer, Stage
    from .trainer import AdvancedTrainer, Trainer, TrainingError

_HOME = {
    "AdaptiveMarginScheduler": "losses",
    "AdvancedTrainer": "trainer",
    "ArrayOps": "ops",
    "BackendError": "backends",
    "BatchAllTripletLoss": "batch_all",
    "Callback": "callbacks",
    "CheckpointError": "checkpoint",
    "CircleLoss": "contrastive",
    "CurriculumScheduler": "curriculum",
    "DTGCNN": "model",
    "DTGCNNConfig": "config",
    "DataError": "data",
    "DataPreprocessor": "data",
    "DebugCallback": "callbacks",
    "EarlyStopping": "callbacks",
    "EfficientGraphConstructor": "graph",
    "Encoder": "data",
    "Ensemble": "ensemble",
    "FocalTripletLoss": "losses",
    "HashingEncoder": "data",
    "InfoNCELoss": "contrastive",
    "LearningRateMonitor": "callbacks",
    "MemoryManager": "callbacks",
    "MetricsTracker": "callbacks",
    "MlxTextEncoder": "data",
    "Model2VecEncoder": "data",
    "ModelCheckpoint": "callbacks",
    "MultiSimilarityLoss": "contrastive",
    "MultiTaskDTGCNN": "multitask",
    "PieceEncoder": "data",
    "ProgressBar": "callbacks",
    "ProgressiveTrainer": "progressive",
    "SaveEveryEpoch": "callbacks",
    "SentenceTransformerEncoder": "data",
    "Stage": "progressive",
    "SupConLoss": "contrastive",
    "TensorboardLogger": "callbacks",
    "TfidfEncoder": "data",
    "Trainer": "trainer",
    "TrainingError": "trainer",
    "TripletAugmenter": "data",
    "TripletDataset": "data",
    "TripletGenerator": "data",
    "TripletLoader": "data",
    "TripletLoss": "losses",
    "WandbLogger": "callbacks",
    "available_backends": "backends",
    "create_model": "model",
    "load_ops": "backends",
    "visualize_embeddings": "plots",
}

__all__ = [  # noqa: RUF022 - the order of _HOME
    "AdaptiveMarginScheduler",
    "AdvancedTrainer",
    "ArrayOps",
    "BackendError",
    "BatchAllTripletLoss",
    "Callback",
    "CheckpointError",
    "CircleLoss",
    "CurriculumScheduler",
    "DTGCNN",
    "DTGCNNConfig",
    "DataError",
    "DataPreprocessor",
    "DebugCallback",
    "EarlyStopping",
    "EfficientGraphConstructor",
    "Encoder",
    "Ensemble",
    "FocalTripletLoss",
    "HashingEncoder",
    "InfoNCELoss",
    "LearningRateMonitor",
    "MemoryManager",
    "MetricsTracker",
    "MlxTextEncoder",
    "Model2VecEncoder",
    "ModelCheckpoint",
    "MultiSimilarityLoss",
    "MultiTaskDTGCNN",
    "PieceEncoder",
    "ProgressBar",
    "ProgressiveTrainer",
    "SaveEveryEpoch",
    "SentenceTransformerEncoder",
    "Stage",
    "SupConLoss",
    "TensorboardLogger",
    "TfidfEncoder",
    "Trainer",
    "TrainingError",
    "TripletAugmenter",
    "TripletDataset",
    "TripletGenerator",
    "TripletLoader",
    "TripletLoss",
    "WandbLogger",
    "available_backends",
    "create_model",
    "load_ops",
    "visualize_embeddings",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
