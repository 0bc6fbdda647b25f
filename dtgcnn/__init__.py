"""dtgcnn: text embeddings with a Dynamic Triplet Graph Convolutional Neural Network.

The names below are loaded when they are first used, so that importing the core needs no array
library.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .array import (
        ArrayOps,
        available_backends,
        load_ops,
    )
    from .callbacks import (
        Callback,
        CollapseWatch,
        DebugCallback,
        EarlyStopping,
        LearningRateMonitor,
        MemoryManager,
        MetricsTracker,
        MlflowLogger,
        ModelCheckpoint,
        ProgressBar,
        SaveEveryEpoch,
        StopAfter,
        TensorboardLogger,
        TrackioLogger,
        WandbLogger,
    )
    from .config import (
        DTGCNNConfig,
    )
    from .data import (
        DataPreprocessor,
        Encoder,
        FineTunedEncoder,
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
        UnionEncoder,
    )
    from .errors import (
        BackendError,
        CheckpointError,
        DataError,
        DTGCNNError,
        MissingExtraError,
        TrainingError,
    )
    from .evaluation import (
        SearchIndex,
    )
    from .losses import (
        AdaptiveMarginScheduler,
        BatchAllTripletLoss,
        CircleLoss,
        FocalTripletLoss,
        InfoNCELoss,
        MultiSimilarityLoss,
        SupConLoss,
        TripletLoss,
    )
    from .model import (
        DTGCNN,
        EfficientGraphConstructor,
        MultiTaskDTGCNN,
        create_model,
    )
    from .plots import (
        visualize_embeddings,
    )
    from .training import (
        AdvancedTrainer,
        CurriculumScheduler,
        Ensemble,
        ProgressiveTrainer,
        Stage,
        Trainer,
    )
    from .training.estimators import (
        DTGCNNClassifier,
        DTGCNNTransformer,
    )

    __version__: str

_HOME = {
    "AdaptiveMarginScheduler": "losses",
    "AdvancedTrainer": "training",
    "ArrayOps": "array",
    "BackendError": "errors",
    "BatchAllTripletLoss": "losses",
    "Callback": "callbacks",
    "CheckpointError": "errors",
    "CircleLoss": "losses",
    "CollapseWatch": "callbacks",
    "CurriculumScheduler": "training",
    "DTGCNN": "model",
    "DTGCNNClassifier": "training.estimators",
    "DTGCNNConfig": "config",
    "DTGCNNError": "errors",
    "DTGCNNTransformer": "training.estimators",
    "DataError": "errors",
    "DataPreprocessor": "data",
    "DebugCallback": "callbacks",
    "EarlyStopping": "callbacks",
    "EfficientGraphConstructor": "model",
    "Encoder": "data",
    "Ensemble": "training",
    "FineTunedEncoder": "data",
    "FocalTripletLoss": "losses",
    "HashingEncoder": "data",
    "InfoNCELoss": "losses",
    "LearningRateMonitor": "callbacks",
    "MemoryManager": "callbacks",
    "MetricsTracker": "callbacks",
    "MlflowLogger": "callbacks",
    "MissingExtraError": "errors",
    "MlxTextEncoder": "data",
    "Model2VecEncoder": "data",
    "ModelCheckpoint": "callbacks",
    "MultiSimilarityLoss": "losses",
    "MultiTaskDTGCNN": "model",
    "PieceEncoder": "data",
    "ProgressBar": "callbacks",
    "ProgressiveTrainer": "training",
    "SaveEveryEpoch": "callbacks",
    "SearchIndex": "evaluation",
    "StopAfter": "callbacks",
    "SentenceTransformerEncoder": "data",
    "Stage": "training",
    "SupConLoss": "losses",
    "TensorboardLogger": "callbacks",
    "TrackioLogger": "callbacks",
    "TfidfEncoder": "data",
    "Trainer": "training",
    "TrainingError": "errors",
    "TripletAugmenter": "data",
    "TripletDataset": "data",
    "TripletGenerator": "data",
    "TripletLoader": "data",
    "TripletLoss": "losses",
    "UnionEncoder": "data",
    "WandbLogger": "callbacks",
    "available_backends": "array",
    "create_model": "model",
    "load_ops": "array",
    "visualize_embeddings": "plots",
}

__all__ = [  # noqa: RUF022 - the order of _HOME
    "__version__",
    "AdaptiveMarginScheduler",
    "AdvancedTrainer",
    "ArrayOps",
    "BackendError",
    "BatchAllTripletLoss",
    "Callback",
    "CheckpointError",
    "CircleLoss",
    "CollapseWatch",
    "CurriculumScheduler",
    "DTGCNN",
    "DTGCNNClassifier",
    "DTGCNNConfig",
    "DTGCNNError",
    "DTGCNNTransformer",
    "DataError",
    "DataPreprocessor",
    "DebugCallback",
    "EarlyStopping",
    "EfficientGraphConstructor",
    "Encoder",
    "Ensemble",
    "FineTunedEncoder",
    "FocalTripletLoss",
    "HashingEncoder",
    "InfoNCELoss",
    "LearningRateMonitor",
    "MemoryManager",
    "MetricsTracker",
    "MlflowLogger",
    "MissingExtraError",
    "MlxTextEncoder",
    "Model2VecEncoder",
    "ModelCheckpoint",
    "MultiSimilarityLoss",
    "MultiTaskDTGCNN",
    "PieceEncoder",
    "ProgressBar",
    "ProgressiveTrainer",
    "SaveEveryEpoch",
    "SearchIndex",
    "StopAfter",
    "SentenceTransformerEncoder",
    "Stage",
    "SupConLoss",
    "TensorboardLogger",
    "TrackioLogger",
    "TfidfEncoder",
    "Trainer",
    "TrainingError",
    "TripletAugmenter",
    "TripletDataset",
    "TripletGenerator",
    "TripletLoader",
    "TripletLoss",
    "UnionEncoder",
    "WandbLogger",
    "available_backends",
    "create_model",
    "load_ops",
    "visualize_embeddings",
]


_ELSEWHERE = {
    "AdamW": 'DTGCNNConfig(optimizer="adamw"), which is the default',
    "AdaptiveBatchSizeTrainer": "DTGCNNConfig(adaptive_batch_size=True)",
    "CPUOffloadOptimizer": "DTGCNNConfig(offload_optimizer=True)",
    "DistributedTrainer": "Trainer, started by mlx.launch or mpiexec: see docs/distributed.md",
    "MixedPrecisionTrainer": 'DTGCNNConfig(mixed_precision="float16") or "bfloat16"',
    "OneCycleLR": 'DTGCNNConfig(scheduler="one_cycle", warmup_epochs=0)',
    "OptimizedDataLoader": "DTGCNNConfig(num_workers=2, prefetch_factor=2)",
    "StableDTGCNN": "DTGCNNConfig(use_batch_norm=True), or layer norm, which is the default",
    "WarmupScheduler": "DTGCNNConfig(warmup_epochs=1) or warmup_steps, with any scheduler",
    "clip_grad_norm_": "DTGCNNConfig(gradient_clip_val=1.0)",
    "forward_with_checkpoint": "DTGCNNConfig(gradient_checkpointing=True)",
    "init_weights": 'DTGCNNConfig(initializer="xavier_uniform"), which is the default',
}
"""What does here what a training guide has a class of its own for."""


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return version(__name__)
    if name in _ELSEWHERE:  # an AttributeError would lose the message in ``from dtgcnn import``
        raise ImportError(f"{name} is no class of dtgcnn: it is {_ELSEWHERE[name]}")
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
