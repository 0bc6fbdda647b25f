"""``BatchAllTripletLoss``: the triplet loss over every triplet of a labelled batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from ..array import Array, ArrayOps, numerics
from ..config import Distance, Reduction
from .mining import Masks, masks
from .triplet import check_settings

__all__ = ["BatchAllTripletLoss"]

_EQUAL = 1e-12
_INF = float("inf")


@dataclass(frozen=True)
class BatchAllTripletLoss:
    """The mean of ``max(0, d(a, p) − d(a, n) + margin)`` over all triplets of a labelled batch.

    Hermans et al. 2017 (arXiv:1703.07737). While the triplets above 0 stay the same, their sum is
    ``Σ_ap c_ap d_ap − Σ_an c_an d_an + margin · Σ_ap c_ap``, where c counts a pair's triplets above
    0. Sorting each row gives the counts, so that memory is (B, B) and time (B, B log B).

    Args:
        margin, distance: as for ``TripletLoss``.
        reduction: the mean over the triplets above 0 (``"mean_active"``), over all (``"mean"``), or
            ``"sum"``.

    Raises:
        ValueError: the margin is not above 0, or a name is unknown.
    """

    margin: float | Array = 0.2
    distance: Distance = "euclidean"
    reduction: Reduction = "mean_active"

    def __post_init__(self) -> None:
        check_settings(self.margin, self.distance, self.reduction)
        if self.reduction == "none":
            raise ValueError("reduction must not be 'none': there is no array of all triplets")

    def __call__(
        self,
        ops: ArrayOps,
        embeddings: Array,
        labels: Array,
        items: Array,
        anchors: Array | None = None,
    ) -> tuple[Array, dict[str, Array]]:
        """The loss of ``embeddings`` (B, D), whose ``labels`` and ``items`` are (B,) int32; of
        triplets that begin at ``anchors`` (B,) bool alone, and end at the others, where given."""
        x = numerics.l2_normalize(ops, embeddings) if self.distance == "cosine" else embeddings
        fixed = ops.stop_gradient(x)
        d, pairs = _all_distances(ops, fixed, self.distance), masks(ops, labels, items, anchors)
        rows = _Rows.of(ops, d, pairs)
        counts, active = rows.counts(ops, self.margin)

        value = ops.sum(ops.sum(counts * d, axis=1)) + self.margin * active
        slope = _slope(ops, fixed, counts, d, self.distance)
        value = value + ops.sum(slope * (x - fixed))  # adds 0, and the gradient
        metrics = _pair_metrics(ops, pairs, d, rows)
        metrics["active_fraction"] = active / ops.maximum(metrics["valid_triplets"], 1.0)
        over = {"mean": metrics["valid_triplets"], "mean_active": active}.get(self.reduction)
        return (value if over is None else value / ops.maximum(over, 1.0)), metrics


class _Sorted(NamedTuple):
    """Rows in a sorted order, each (B, B) int32."""

    order: Array
    """The place in ``_Rows`` of what stands here."""
    positive: Array
    """1 where it is a positive."""
    negative: Array
    """1 where it is a negative."""
    positives: Array
    """How many positives stand up to here."""
    negatives: Array
    """How many negatives stand up to here."""


class _Rows(NamedTuple):
    """Each row's distances with its positives first, then its negatives, then the rest."""

    columns: Array
    """(B, B) int32: where a distance was."""
    distances: Array
    """(B, B)."""
    positives: Array
    """(B, 1) int32: how many come first."""
    pairs: Array
    """(B, 1) int32: how many come before the rest."""

    @classmethod
    def of(cls, ops: ArrayOps, d: Array, pairs: Masks) -> _Rows:
        kind = ops.astype(~pairs.positive, "int32") + ops.astype(~pairs.negative, "int32")
        kind = ops.where(pairs.positive, 0, kind)  # 0, or 1 for a negative, or 2
        columns = ops.argsort(kind, axis=1)
        positives = ops.sum(pairs.positive, axis=1, keepdims=True)
        negatives = ops.sum(pairs.negative, axis=1, keepdims=True)
        distances = ops.take_along_axis(d, columns, axis=1)
        return cls(columns, distances, positives, positives + negatives)

    def sort(self, ops: ArrayOps, values: Array, margin: float | Array = 0.0) -> _Sorted:
        """The rows in ascending order of ``values`` (B, B), those of the positives plus ``margin``;
        among equal values the positives first."""
        place = ops.arange(values.shape[1])[None, :]
        keys = ops.where(place < self.positives, values + margin, values)
        order = ops.argsort(ops.where(place < self.pairs, keys, _INF), axis=1)
        is_positive = order < self.positives
        positive = ops.astype(is_positive, "int32")
        negative = ops.astype(~is_positive & (order < self.pairs), "int32")
        counts = (ops.cumulative_sum(kind, axis=1) for kind in (positive, negative))
        return _Sorted(order, positive, negative, *counts)

    def counts(self, ops: ArrayOps, margin: float | Array) -> tuple[Array, Array]:
        """(B, B): in how many triplets above 0 a pair is the positive one, or, below 0, the
        negative one; and how many there are."""
        rows = self.sort(ops, self.distances, margin)
        of_positive = rows.positive * rows.negatives
        counts = of_positive - rows.negative * (self.positives - rows.positives)
        back = ops.argsort(ops.take_along_axis(self.columns, rows.order, axis=1), axis=1)
        counts = ops.take_along_axis(counts, back, axis=1)
        return ops.astype(counts, ops.dtype), _total(ops, of_positive)


def _total(ops: ArrayOps, counts: Array) -> Array:
    """The sum of (B, B) int32 counts, which may be above what int32 holds."""
    return ops.sum(ops.astype(ops.sum(counts, axis=1), ops.dtype))


def _all_distances(ops: ArrayOps, x: Array, distance: Distance) -> Array:
    """(B, B) distances of detached rows."""
    if distance == "cosine":
        return 1.0 - numerics.matmul(ops, x, ops.permute_dims(x, (1, 0)))
    squares = numerics.squared_distances(ops, x)
    if distance == "squared":
        return squares
    return ops.where(squares <= _EQUAL, 0.0, ops.sqrt(squares))


def _slope(ops: ArrayOps, x: Array, counts: Array, d: Array, distance: Distance) -> Array:
    """(B, D) gradient of ``Σ counts_ij d(x_i, x_j)``; 0 for equal rows."""
    weights = counts * (2.0 if distance == "squared" else 1.0)
    if distance == "euclidean":
        equal = d <= 0
        weights = ops.where(equal, 0.0, counts / ops.where(equal, 1.0, d))
    weights = weights + ops.permute_dims(weights, (1, 0))
    x = x - numerics.mean(ops, x, 0, keepdims=True)  # differences stay, and less cancels
    return ops.sum(weights, axis=1, keepdims=True) * x - numerics.matmul(ops, weights, x)


def _pair_metrics(ops: ArrayOps, pairs: Masks, d: Array, rows: _Rows) -> dict[str, Array]:
    """The metrics of all triplets, from the distances of their pairs."""
    positives = ops.astype(rows.positives, ops.dtype)
    negatives = ops.astype(rows.pairs - rows.positives, ops.dtype)
    valid = ops.sum(positives * negatives)
    count = ops.maximum(valid, 1.0)
    ascending, descending = rows.sort(ops, rows.distances), rows.sort(ops, -rows.distances)
    nearer = _total(ops, ascending.positive * ascending.negatives)
    not_farther = _total(ops, descending.negative * descending.positives)
    return {
        "hard_negative_ratio": nearer / count,
        "mean_negative_distance": ops.sum(ops.where(pairs.negative, d, 0.0) * positives) / count,
        "mean_positive_distance": ops.sum(ops.where(pairs.positive, d, 0.0) * negatives) / count,
        "triplet_accuracy": (valid - not_farther) / count,
        "valid_triplets": valid,
    }
