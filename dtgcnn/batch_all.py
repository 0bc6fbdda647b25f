"""``BatchAllTripletLoss``: the triplet loss over every triplet of a labelled batch."""

from __future__ import annotations

from dataclasses import dataclass

from . import numerics
from .losses import Distance, Reduction, check_settings
from .mining import Masks, count_before, masks
from .ops import Array, ArrayOps

__all__ = ["BatchAllTripletLoss"]

_EQUAL = 1e-12
_INF = float("inf")
_BLOCK = 1 << 22
"""Most numbers in a block of differences of rows."""


@dataclass(frozen=True)
class BatchAllTripletLoss:
    """The mean of ``max(0, d(a, p) − d(a, n) + margin)`` over all triplets of a labelled batch.

    Hermans et al. 2017 (arXiv:1703.07737). While the triplets above 0 stay the same, their sum is
    ``Σ_ap c_ap d_ap − Σ_an c_an d_an + margin · Σ_ap c_ap``, where c counts a pair's triplets above
    0. Sorting each row gives the counts, so that memory is (B, B).

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
        self, ops: ArrayOps, embeddings: Array, labels: Array, items: Array
    ) -> tuple[Array, dict[str, Array]]:
        """The loss of ``embeddings`` (B, D), whose ``labels`` and ``items`` are (B,) int32."""
        x = numerics.l2_normalize(ops, embeddings) if self.distance == "cosine" else embeddings
        fixed = ops.stop_gradient(x)
        d, pairs = _all_distances(ops, fixed, self.distance), masks(ops, labels, items)
        to_positive = ops.where(pairs.positive, d, -_INF)
        to_negative = ops.where(pairs.negative, d, _INF)
        of_positive, passed = count_before(ops, to_positive + self.margin, to_negative)
        of_positive = ops.astype(of_positive, ops.dtype)
        of_negative = labels.shape[0] - ops.astype(passed, ops.dtype)
        counts, active = of_positive - of_negative, ops.sum(of_positive)

        value = ops.sum(ops.sum(counts * d, axis=1)) + self.margin * active
        slope = _slope(ops, fixed, counts, d, self.distance)
        value = value + ops.sum(slope * (x - fixed))  # adds 0, and the gradient
        metrics = _pair_metrics(ops, pairs, d, to_positive, to_negative)
        metrics["active_fraction"] = active / ops.maximum(metrics["valid_triplets"], 1.0)
        over = {"mean": metrics["valid_triplets"], "mean_active": active}.get(self.reduction)
        return (value if over is None else value / ops.maximum(over, 1.0)), metrics


def _all_distances(ops: ArrayOps, x: Array, distance: Distance) -> Array:
    """(B, B) distances of detached rows, in blocks of direct differences."""
    if distance == "cosine":
        return 1.0 - x @ ops.permute_dims(x, (1, 0))
    rows, blocks = max(1, _BLOCK // max(x.shape[0] * x.shape[1], 1)), []
    for start in range(0, x.shape[0], rows):
        difference = x[start : start + rows, None] - x[None]
        blocks.append(ops.sum(difference * difference, axis=-1))
    squares = ops.concat(blocks)
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
    return ops.sum(weights, axis=1, keepdims=True) * x - weights @ x


def _pair_metrics(
    ops: ArrayOps, pairs: Masks, d: Array, to_positive: Array, to_negative: Array
) -> dict[str, Array]:
    """The metrics of all triplets, from the distances of their pairs."""

    def per_row(mask: Array) -> Array:
        return ops.astype(ops.sum(mask, axis=1, keepdims=True), ops.dtype)

    positives, negatives = per_row(pairs.positive), per_row(pairs.negative)
    valid = ops.sum(positives * negatives)
    count = ops.maximum(valid, 1.0)
    nearer, _ = count_before(ops, to_positive, to_negative)
    _, not_farther = count_before(ops, to_negative, to_positive)
    return {
        "hard_negative_ratio": ops.sum(ops.astype(nearer, ops.dtype)) / count,
        "mean_negative_distance": ops.sum(ops.where(pairs.negative, d, 0.0) * positives) / count,
        "mean_positive_distance": ops.sum(ops.where(pairs.positive, d, 0.0) * negatives) / count,
        "triplet_accuracy": (valid - ops.sum(ops.astype(not_farther, ops.dtype))) / count,
        "valid_triplets": valid,
    }
