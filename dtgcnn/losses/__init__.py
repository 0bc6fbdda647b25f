"""What training minimises: a family of losses a file, mining, and the loss of a config."""

from .batch_all import BatchAllTripletLoss
from .contrastive import CircleLoss, InfoNCELoss, MultiSimilarityLoss, SupConLoss
from .objective import (
    ConfigObjective,
    LossFunction,
    NamedLoss,
    Objective,
    as_objective,
    config_objective,
)
from .triplet import AdaptiveMarginScheduler, FocalTripletLoss, TripletLoss

__all__ = [
    "AdaptiveMarginScheduler",
    "BatchAllTripletLoss",
    "CircleLoss",
    "ConfigObjective",
    "FocalTripletLoss",
    "InfoNCELoss",
    "LossFunction",
    "MultiSimilarityLoss",
    "NamedLoss",
    "Objective",
    "SupConLoss",
    "TripletLoss",
    "as_objective",
    "config_objective",
]
