"""What training minimises: the loss and the mining strategy that a config names.

A further loss is a class in a file of its own, a name in ``LossName`` of ``config/choices.py``,
and a line in ``objective``. A loss that a user writes needs neither: ``Trainer(loss=…)`` takes it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from ..array import Array, ArrayOps, Tree, numerics
from ..config import Distance, DTGCNNConfig
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

__all__ = ["ConfigObjective", "LossFunction", "Objective", "as_objective", "config_objective"]
__all__ += ["NamedLoss", "objective"]

Result: TypeAlias = tuple[Array, dict[str, Array]]
"""A scalar to minimise, and metrics."""

LossFunction: TypeAlias = Callable[[ArrayOps, Array, Tree], Array | Result]
"""``(ops, embeddings, batch)`` to a loss, a scalar, or to it and metrics."""

_OF_PAIRS = (BatchAllTripletLoss, CircleLoss, InfoNCELoss, MultiSimilarityLoss, SupConLoss)
_TAKEN = {"epoch", "gradient_norm", "learning_rate", "loss", "loss_scale", "margin"}
_TAKEN |= {"seconds", "skipped_steps"}
"""Names of figures that training itself gives."""

_OF_TRIPLETS = (FocalTripletLoss, TripletLoss)

NamedLoss: TypeAlias = (
    BatchAllTripletLoss
    | CircleLoss
    | FocalTripletLoss
    | InfoNCELoss
    | MultiSimilarityLoss
    | SupConLoss
    | TripletLoss
)
"""A loss of this package, with constants of its own."""

Objective: TypeAlias = Callable[[ArrayOps, Tree, Array, Tree], Result]
"""``(ops, params, embeddings, batch)`` to what is minimised, a scalar, and metrics."""


def config_objective(config: DTGCNNConfig) -> ConfigObjective:
    """The loss that a config names."""
    return ConfigObjective(config)


@dataclass(frozen=True)
class ConfigObjective:
    """The loss that a config names, and its mining apart, which several processes can share."""

    config: DTGCNNConfig

    def __call__(self, ops: ArrayOps, params: Tree, embeddings: Array, batch: Tree) -> Result:
        """The loss of a batch's embeddings, and metrics, see ``objective``."""
        return objective(ops, self.config, embeddings, batch)

    def mined_shape(self, batch: Tree) -> tuple[int, int]:
        """Of ``mine`` for all anchors of a batch; (0, 0) where nothing is mined."""
        config, strategy = self.config, self.config.mining_strategy
        if config.loss not in ("triplet", "focal") or strategy == "explicit":
            return 0, 0
        given, count = batch.get("triplets"), batch["labels"].shape[0]
        if given is not None and strategy in ("auto", "semi_hard"):
            count = given.shape[0]
        elif strategy in ("semi_hard", "distance_weighted"):
            return count, 4 * min(_positives(config, batch), count)
        return count, 8 if strategy == "auto" else 4

    def mine(self, ops: ArrayOps, embeddings: Array, batch: Tree, rows: Array) -> Array:
        """What is mined for the anchors at ``rows`` (R,) int32, of ``mined_shape``'s count:
        (R, M) int32, as ``batch["mined"]`` holds it for all of them."""
        found = _mine(ops, self.config, _for_mining(ops, self.config, embeddings), batch, rows)
        per = found[0].anchor.shape[0] // rows.shape[0]
        columns = [
            ops.reshape(ops.astype(x, "int32"), (rows.shape[0], per)) for t in found for x in t
        ]
        return ops.concat(columns, axis=1)


def as_objective(loss: LossFunction | NamedLoss, config: DTGCNNConfig | None = None) -> Objective:
    """A loss of the user's own, or one of this package with constants of its own.

    ``config``, the defaults where not given, says how the triplets of ``TripletLoss`` and
    ``FocalTripletLoss`` are mined.

    Raises:
        ValueError: when called, the loss or a metric is no array of shape (), or a metric has a
            name that training gives to a figure of its own.
    """
    settings = DTGCNNConfig() if config is None else config

    def of_user(ops: ArrayOps, params: Tree, embeddings: Array, batch: Tree) -> Result:
        result = _called(ops, settings, loss, embeddings, batch)
        value, metrics = result if isinstance(result, tuple) else (result, {})
        _require_scalar("the loss", value)
        for name, figure in metrics.items():
            if name in _TAKEN:
                raise ValueError(f"the loss's metric {name!r} must have another name: it is taken")
            _require_scalar(f"the loss's metric {name!r}", figure)
        return value, metrics

    return of_user


def _called(
    ops: ArrayOps,
    config: DTGCNNConfig,
    loss: LossFunction | NamedLoss,
    embeddings: Array,
    batch: Tree,
) -> Array | Result:
    """What a loss gives for a batch: one of this package, or a function."""
    if isinstance(loss, _OF_TRIPLETS):
        return _over_mined(ops, config, loss, embeddings, batch)
    if isinstance(loss, _OF_PAIRS):
        return loss(ops, embeddings, batch["labels"], batch["items"], batch.get("anchors"))
    return loss(ops, embeddings, batch)


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
    array, in place of the config's; ``anchors``, (B,) bool, where these alone are compared, with
    the others; and ``mined``, see ``ConfigObjective.mine``, where mining is done.

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
    return _over_mined(ops, config, triplet_loss, embeddings, batch)


def _over_mined(
    ops: ArrayOps,
    config: DTGCNNConfig,
    triplet_loss: TripletLoss | FocalTripletLoss,
    embeddings: Array,
    batch: Tree,
) -> Result:
    """A loss over what the config mines, for ``auto`` the mean over harder and softer triplets."""
    if "mined" in batch:
        mined = _unpacked(ops, batch["mined"], 2 if config.mining_strategy == "auto" else 1)
    else:
        looked_at = _for_mining(ops, config, embeddings, triplet_loss.distance)
        mined = _mine_all(ops, config, looked_at, batch)
    return triplet_loss(ops, embeddings, *mined)


def _pair_loss(config: DTGCNNConfig, batch: Tree) -> PairLoss:
    if config.loss == "batch_all":
        margin = batch.get("margin", config.triplet_margin)
        return BatchAllTripletLoss(margin, config.triplet_distance, config.loss_reduction)
    if config.loss == "supcon":
        return SupConLoss(config.temperature)
    if config.loss == "info_nce":
        return InfoNCELoss(config.temperature)
    return MultiSimilarityLoss() if config.loss == "multi_similarity" else CircleLoss()


def _for_mining(
    ops: ArrayOps, config: DTGCNNConfig, embeddings: Array, distance: Distance | None = None
) -> Array:
    if (distance or config.triplet_distance) == "cosine" and not config.normalize_output:
        # Mining goes by Euclidean distance.
        return numerics.l2_normalize(ops, ops.stop_gradient(embeddings))
    return embeddings


def _mine(
    ops: ArrayOps, config: DTGCNNConfig, embeddings: Array, batch: Tree, rows: Array | None = None
) -> tuple[Triplets, ...]:
    """The batch's triplets, and for ``auto`` softer ones of the same pairs."""
    labels, items, strategy = batch["labels"], batch["items"], config.mining_strategy
    anchors = batch.get("anchors")
    if "triplets" in batch and strategy in ("auto", "explicit", "semi_hard"):
        chosen = batch["triplets"] if rows is None else ops.take(batch["triplets"], rows)
        given = mining.explicit(ops, chosen)
        if strategy == "explicit":
            return (given,)
        softer = mining.semi_hard(ops, embeddings, labels, given, anchors)
        return (given, softer) if strategy == "auto" else (softer,)
    every = (ops, embeddings, labels, items)
    if strategy == "auto":
        return mining.hard_and_semi_hard(*every, anchors, rows)
    if strategy == "batch_hard":
        return (mining.batch_hard(*every, anchors, rows),)
    if strategy == "easy_positive":
        return (mining.easy_positive(*every, anchors=anchors, rows=rows),)
    if strategy == "explicit":
        raise ValueError("mining_strategy 'explicit' needs triplets, and the data are labelled")
    positives = _positives(config, batch)
    if strategy == "semi_hard":
        return (mining.semi_hard_all(*every, positives, anchors, rows),)
    key = batch["mining_key"]
    return (mining.distance_weighted(*every, positives, key, anchors=anchors, rows=rows),)


def _mine_all(
    ops: ArrayOps, config: DTGCNNConfig, embeddings: Array, batch: Tree
) -> tuple[Triplets, ...]:
    """What is mined for all anchors, which a backend may take block by block."""
    if config.mining_strategy not in ("auto", "batch_hard", "easy_positive") or "triplets" in batch:
        return _mine(ops, config, embeddings, batch)
    detached = ops.stop_gradient(embeddings)

    def mine(rows: Array | None) -> tuple[Array, ...]:
        return tuple(x for found in _mine(ops, config, detached, batch, rows) for x in found)

    mined = numerics.map_rows(ops, mine, batch["labels"].shape[0])
    return tuple(Triplets(*mined[i : i + 4]) for i in range(0, len(mined), 4))


def _positives(config: DTGCNNConfig, batch: Tree) -> int:
    """The most positives of an anchor, where each is mined for."""
    return 1 if "triplets" in batch else config.samples_per_class - 1


def _unpacked(ops: ArrayOps, mined: Array, sets: int) -> tuple[Triplets, ...]:
    """What ``ConfigObjective.mine`` made: ``sets`` of triplets side by side."""
    per = mined.shape[1] // (4 * sets)
    columns = (mined[:, i * per : (i + 1) * per] for i in range(4 * sets))
    found = [ops.reshape(column, (-1,)) for column in columns]
    each = zip(found[0::4], found[1::4], found[2::4], found[3::4])
    return tuple(Triplets(a, p, n, valid > 0) for a, p, n, valid in each)
