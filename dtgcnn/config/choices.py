"""The names that settings choose among."""

from __future__ import annotations

from typing import Literal, TypeAlias

__all__ = [
    "DEVICES",
    "Activation",
    "Distance",
    "GraphScope",
    "Initializer",
    "LossName",
    "MiningStrategy",
]
__all__ += ["OptimizerName", "Precision", "Reduction", "ScheduleName", "StartName"]

DEVICES = ("auto", "cpu", "gpu")
Activation: TypeAlias = Literal["gelu", "relu", "tanh", "identity"]
Initializer: TypeAlias = Literal["xavier_uniform", "xavier_normal", "he_uniform", "he_normal"]
GraphScope: TypeAlias = Literal["bank", "batch"]
LossName: TypeAlias = Literal[
    "triplet", "focal", "batch_all", "supcon", "info_nce", "multi_similarity", "circle"
]
MiningStrategy: TypeAlias = Literal[
    "auto", "batch_hard", "explicit", "semi_hard", "easy_positive", "distance_weighted"
]
Distance: TypeAlias = Literal["euclidean", "squared", "cosine"]
Reduction: TypeAlias = Literal["mean", "sum", "none", "mean_active"]
OptimizerName: TypeAlias = Literal["adamw", "adam", "sgd"]
ScheduleName: TypeAlias = Literal[
    "cosine", "constant", "linear", "one_cycle", "step", "exponential"
]
StartName: TypeAlias = Literal["closed_form", "none"]
Precision: TypeAlias = Literal["float16", "bfloat16"]
