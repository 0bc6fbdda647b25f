"""What training minimises: the loss and the mining strategy that a config names.

A further loss is a class in a file of its own, a name in ``LossName`` of ``config/choices.py``,
and a line in ``objective``. A loss that a user writes needs neither: ``Trainer(loss=…)`` takes it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from ..array import Array, ArrayOps, Tree, numerics
from ..config import DTGCNNConfig
from . import mining
from .batch_all import BatchAllTripletLoss
from .contrastive import (
    CircleLoss,
    InfoNCELoss,
    MultiSimilarityLoss,
    PairLoss,
    SupConLoss,
    WithUniformity,
)
from .mining import Triplets
from .triplet import FocalTripletLoss, TripletLoss

__all__ = ["LossFunction", "Objective", "as_objective", "config_objective", "objective"]

Result: TypeAlias = tuple[Array, dict[str, Array]]
"""A scalar to minimise, and metrics."""

LossFunction: TypeAlias = Callable[[ArrayOps, Array, Tree], Array | Result]
"""``(ops, embeddings, batch)`` to a loss, a scalar, or to it and metrics."""

Objective: TypeAlias = Callable[[ArrayOps, Tree, Array, Tree], Result]
"""``(ops, params, embeddings, batch)`` to what is minimised, a scalar, and metrics."""


def config_objective(config: DTGCNNConfig) -> Objective:
    """The loss that a config names."""

    def of_config(ops: ArrayOps, params: Tree, embeddings: Array, batch: Tree) -> Result:
        return objective(ops, config, embeddings, batch)

    return of_config


def as_objective(loss: LossFunction) -> Objective:
    """A loss of the user's own.

    Raises:
        ValueError: when called, the loss or a metric is no array of shape ().
    """

    def of_user(ops: ArrayOps, params: Tree, embeddings: Array, batch: Tree) -> Result:
        result = loss(ops, embeddings, batch)
        value, metrics = result if isinstance(result, tuple) else (result, {})
        _require_scalar("the loss", value)
        for name, figure in metrics.items():
            _require_scalar(f"the loss's metric {name!r}", figure)
        return value, metrics

    return of_user


def _require_scalar(what: str, value: object) -> None:
    shape = getattr(value, "shape", None)
    if shape is None or tuple(shape) != ():
        received = type(value).__name__ if shape is None else f"shape {tuple(shape)}"
        raise ValueError(f"{what} must be an array of shape (), received {received}")


def objective(
    ops: ArrayOps, config: DTGCNNConfig, embeddings: Array, batch: Tree
) -> tuple[Array, dict[str, Array]]:
    """The loss of a batch's embeddings (B, D), and its metrics.

    ``batch`` holds ``labels`` and ``items``, (B,) int32; ``triplets``, (T, 3) positions, where the
    data are triplets; ``mining_key``, (2,) uint32, for distance-weighted mining; ``margin``, a 0-d
    array, in place of the config's; and ``anchors``, (B,) bool, where these alone are compared,
    with the others.

    Raises:
        ValueError: ``mining_strategy="explicit"`` on data without triplets.
    """
    labels, items = batch["labels"], batch["items"]
    if config.loss not in ("triplet", "focal"):
        loss = _pair_loss(config, batch)
        if config.uniformity_weight > 0.0:
            loss = WithUniformity(loss, config.uniformity_weight)
        return loss(ops, embeddings, labels, items, batch.get("anchors"))
    margin, distance = batch.get("margin", config.triplet_margin), config.triplet_distance
    swap, reduction = config.triplet_swap, config.loss_reduction
    triplet_loss: TripletLoss | FocalTripletLoss
    if config.loss == "focal":
        triplet_loss = FocalTripletLoss(margin, config.focal_gamma, distance, swap, reduction)
    else:
        triplet_loss = TripletLoss(margin, distance, swap, config.soft_margin, reduction)
    rows = embeddings
    if distance == "cosine" and not config.normalize_output:  # mining goes by Euclidean distance
        rows = numerics.l2_normalize(ops, ops.stop_gradient(embeddings))
    triplets = _mine(ops, config, rows, batch)
    value, metrics = triplet_loss(ops, embeddings, triplets)
    if config.mining_strategy != "auto":
        return value, metrics
    softer = mining.semi_hard(ops, rows, labels, triplets, batch.get("anchors"))
    return 0.5 * (value + triplet_loss(ops, embeddings, softer)[0]), metrics


def _pair_loss(config: DTGCNNConfig, batch: Tree) -> PairLoss:
    if config.loss == "batch_all":
        margin = batch.get("margin", config.triplet_margin)
        return BatchAllTripletLoss(margin, config.triplet_distance, config.loss_reduction)
    if config.loss == "supcon":
        return SupConLoss(config.temperature)
    if config.loss == "info_nce":
        return InfoNCELoss(config.temperature)
    return MultiSimilarityLoss() if config.loss == "multi_similarity" else CircleLoss()


def _mine(ops: ArrayOps, config: DTGCNNConfig, embeddings: Array, batch: Tree) -> Triplets:
    labels, items, strategy = batch["labels"], batch["items"], config.mining_strategy
    anchors = batch.get("anchors")
    given = mining.explicit(ops, batch["triplets"]) if "triplets" in batch else None
    if strategy in ("auto", "explicit") and given is not None:
        return given
    if strategy in ("auto", "batch_hard"):
        return mining.batch_hard(ops, embeddings, labels, items, anchors)
    if strategy == "easy_positive":
        return mining.easy_positive(ops, embeddings, labels, items, anchors=anchors)
    if strategy == "explicit":
        raise ValueError("mining_strategy 'explicit' needs triplets, and the data are labelled")
    if strategy == "semi_hard" and given is not None:
        return mining.semi_hard(ops, embeddings, labels, given, anchors)
    positives = 1 if given is not None else config.samples_per_class - 1
    if strategy == "semi_hard":
        return mining.semi_hard_all(ops, embeddings, labels, items, positives, anchors)
    key = batch["mining_key"]
    return mining.distance_weighted(ops, embeddings, labels, items, positives, key, anchors=anchors)
