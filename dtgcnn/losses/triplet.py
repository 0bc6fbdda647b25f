"""Losses over mined rows, written as forward passes only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, get_args

from ..array import Array, ArrayOps, numerics
from ..config import Distance, Reduction, refuse_unknown
from .mining import Triplets

__all__ = ["AdaptiveMarginScheduler", "FocalTripletLoss", "TripletLoss"]
__all__ += ["check_settings", "softplus"]


def softplus(ops: ArrayOps, x: Array) -> Array:
    """``log(1 + exp(x))``, which neither overflows nor is 0 for x far below 0. NaN stays NaN."""
    small = ops.exp(ops.where(x <= 0, x, -x))
    total = 1.0 + small
    lost = ops.stop_gradient((small - (total - 1.0)) / total)  # by rounding the total
    return numerics.relu(ops, x) + ops.log(total) + lost


def check_settings(
    margin: float | Array, distance: str, reduction: str, soft: bool = False
) -> None:
    """Refuse settings out of range; a margin that is an array is not looked at."""
    if isinstance(margin, (int, float)) and not (margin > 0.0 or (soft and margin == 0.0)):
        raise ValueError(f"margin must be {'at least' if soft else 'above'} 0, received {margin}")
    refuse_unknown("distance", distance, get_args(Distance))
    refuse_unknown("reduction", reduction, get_args(Reduction))


class _Rows(NamedTuple):
    """What a triplet loss is made of: of S sets of T triplets of the same pairs."""

    to_positive: Array
    """(1, T)"""
    to_negative: Array
    """(S, T)"""
    valid: Array
    """(S, T)"""


def _rows(
    ops: ArrayOps, embeddings: Array, sets: Sequence[Triplets], distance: Distance, swap: bool
) -> _Rows:
    """Distances of the triplets' rows, by direct differences, all of them at once."""
    if distance == "cosine":
        embeddings = numerics.l2_normalize(ops, embeddings)
    anchor, positive = sets[0].anchor, sets[0].positive
    negatives, more = [triplets.negative for triplets in sets], len(sets)
    first, second = [anchor] * (1 + more), [positive, *negatives]
    if swap:
        first, second = first + [positive] * more, second + negatives
    x, y = (ops.take(embeddings, ops.concat(indices)) for indices in (first, second))
    if distance == "euclidean":
        between = numerics.row_distance(ops, x, y)
    elif distance == "cosine":
        between = 1.0 - ops.sum(x * y, axis=1)
    else:
        between = ops.sum((x - y) * (x - y), axis=1)
    count = anchor.shape[0]
    stops, shape = [count, (1 + more) * count, len(first) * count], (more, count)
    to_positive, *rest = numerics.cut(ops, between, stops if swap else stops[:2])
    to_negative = ops.reshape(rest[0], shape)
    if swap:
        other = ops.reshape(rest[1], shape)
        to_negative = ops.where(other < to_negative, other, to_negative)
    valid = ops.astype(ops.concat([triplets.valid for triplets in sets]), ops.dtype)
    return _Rows(ops.reshape(to_positive, (1, count)), to_negative, ops.reshape(valid, shape))


def _reduce(
    ops: ArrayOps, terms: Array, hinge: Array, rows: _Rows, reduction: Reduction
) -> tuple[Array, dict[str, Array]]:
    """The mean over the sets of their reduced terms (S, T), and the metrics of the first."""
    found = ops.sum(rows.valid, axis=1, keepdims=True)
    counts = ops.maximum(found, 1.0)
    active = ops.astype(hinge > 0, ops.dtype)
    to_positive, to_negative = (ops.stop_gradient(x) for x in (rows.to_positive, rows.to_negative))
    firsts = (active, to_negative, rows.valid / counts, found)
    first_active, to_negative, share, count = (x[:1] for x in firsts)
    over_valid = {
        "active_fraction": first_active,
        "hard_negative_ratio": ops.astype(to_negative < to_positive, ops.dtype),
        "mean_negative_distance": to_negative,
        "mean_positive_distance": to_positive,
        "triplet_accuracy": ops.astype(to_positive < to_negative, ops.dtype),
    }
    means = ops.sum(ops.concat(list(over_valid.values())) * share, axis=1)
    figures = numerics.cut(ops, means, range(1, 1 + len(over_valid)))
    metrics = {name: ops.reshape(x, ()) for name, x in zip(over_valid, figures, strict=True)}
    metrics["valid_triplets"] = ops.reshape(count, ())
    weight = rows.valid / terms.shape[0]
    if reduction == "none":
        return ops.sum(terms * weight, axis=0), metrics
    if reduction == "mean":
        weight = weight / counts
    if reduction == "mean_active":
        weight = weight / ops.maximum(ops.sum(active * rows.valid, axis=1, keepdims=True), 1.0)
    return ops.sum(terms * weight), metrics


@dataclass(frozen=True)
class TripletLoss:
    """``mean over valid triplets of max(0, d(a, p) − d(a, n) + margin)``.

    Weinberger & Saul 2009; Schroff et al. 2015 (arXiv:1503.03832).

    Args:
        margin: by how much a negative must be farther; a 0-d array where it changes in training.
        distance: d: ``"euclidean"``, its square, or ``"cosine"``, 1 less the cosine.
        swap: the smaller of d(a, n) and d(p, n) in place of d(a, n) (Balntas et al. 2016).
        soft_margin: ``log(1 + exp(x))`` in place of ``max(0, x)`` (Hermans et al. 2017,
            arXiv:1703.07737, with a margin of 0).
        reduction: ``"mean"`` and ``"sum"`` over valid triplets, ``"mean_active"`` over those whose
            term is above 0, or ``"none"``: (T,), 0 where not valid.

    Raises:
        ValueError: the margin is not above 0 (with ``soft_margin``, below 0), or a name is unknown.
    """

    margin: float | Array = 0.2
    distance: Distance = "euclidean"
    swap: bool = False
    soft_margin: bool = False
    reduction: Reduction = "mean"

    def __post_init__(self) -> None:
        check_settings(self.margin, self.distance, self.reduction, self.soft_margin)

    def __call__(
        self, ops: ArrayOps, embeddings: Array, triplets: Triplets, *softer: Triplets
    ) -> tuple[Array, dict[str, Array]]:
        """The loss of ``embeddings`` (B, D), a scalar, and the batch's metrics.

        With ``softer`` triplets, of the same anchors and positives, it is the mean of the losses of
        each set; metrics are those of ``triplets``.
        """
        rows = _rows(ops, embeddings, (triplets, *softer), self.distance, self.swap)
        x = rows.to_positive - rows.to_negative + self.margin
        terms = softplus(ops, x) if self.soft_margin else numerics.relu(ops, x)
        return _reduce(ops, terms, terms, rows, self.reduction)


@dataclass(frozen=True)
class FocalTripletLoss:
    """``mean over valid triplets of (1 − exp(−l))^gamma · l``, l the triplet's hinge.

    Triplets that are almost in order weigh little, as in the focal loss of Lin et al. 2017
    (arXiv:1708.02002). A hinge of 0 has value 0 and gradient 0.

    Args:
        margin, distance, swap, reduction: as for ``TripletLoss``.
        gamma: how steeply the weight rises; 0 gives ``TripletLoss``.

    Raises:
        ValueError: the margin is not above 0, gamma is below 0, or a name is unknown.
    """

    margin: float | Array = 0.2
    gamma: float = 2.0
    distance: Distance = "euclidean"
    swap: bool = False
    reduction: Reduction = "mean"

    def __post_init__(self) -> None:
        check_settings(self.margin, self.distance, self.reduction)
        if not self.gamma >= 0.0:
            raise ValueError(f"gamma must be at least 0, received {self.gamma}")

    def __call__(
        self, ops: ArrayOps, embeddings: Array, triplets: Triplets, *softer: Triplets
    ) -> tuple[Array, dict[str, Array]]:
        """The loss of ``embeddings`` (B, D), a scalar, and the batch's metrics.

        With ``softer`` triplets, of the same anchors and positives, it is the mean of the losses of
        each set; metrics are those of ``triplets``.
        """
        rows = _rows(ops, embeddings, (triplets, *softer), self.distance, self.swap)
        x = rows.to_positive - rows.to_negative + self.margin
        inactive = x <= 0
        safe = ops.where(inactive, 1.0, x)
        half = ops.tanh(0.5 * safe)  # 1 − exp(−l) = 2t / (1 + t) does not cancel for small l
        weight = ops.exp(self.gamma * ops.log(2.0 * half / (1.0 + half)))
        return _reduce(ops, ops.where(inactive, 0.0, weight * safe), x, rows, self.reduction)


class AdaptiveMarginScheduler:
    """A margin that goes in a straight line from one value to another.

    ``initial + (target − initial) · epoch / total_epochs``. A margin that changes goes to a loss as
    a 0-d array, ``ops.asarray(scheduler.step(epoch, total_epochs))``. A config with
    ``target_margin`` has in epoch e = 1, … n of n the margin of ``step(e − 1, n − 1)``.

    Args:
        initial_margin, target_margin: both above 0; it may shrink, too.

    Raises:
        ValueError: a margin is not above 0.
    """

    def __init__(self, initial_margin: float = 0.2, target_margin: float = 0.5) -> None:
        for name, value in (("initial", initial_margin), ("target", target_margin)):
            if not value > 0.0:
                raise ValueError(f"{name}_margin must be above 0, received {value}")
        self.initial_margin = initial_margin
        self.target_margin = target_margin
        self.current_margin = initial_margin

    def step(self, epoch: int, total_epochs: int) -> float:
        """Set and return the margin of ``epoch``, from 0 to ``total_epochs``.

        Raises:
            ValueError: the epoch is out of range.
        """
        if not (total_epochs >= 1 and 0 <= epoch <= total_epochs):
            raise ValueError(
                f"epoch must be between 0 and total_epochs = {total_epochs}, received {epoch}"
            )
        progress = epoch / total_epochs
        self.current_margin = self.initial_margin + progress * (
            self.target_margin - self.initial_margin
        )
        return self.current_margin
