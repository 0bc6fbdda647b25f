"""Losses over mined rows, written as forward passes only."""

from __future__ import annotations

from dataclasses import dataclass

from . import numerics
from .mining import Triplets
from .ops import Array, ArrayOps, Tree

__all__ = ["TripletLoss"]


@dataclass(frozen=True)
class TripletLoss:
    """``mean over valid triplets of max(0, d(a, p) − d(a, n) + margin)``, d the Euclidean distance.

    Weinberger & Saul 2009; Schroff et al. 2015 (arXiv:1503.03832).
    """

    margin: float = 0.2

    def __post_init__(self) -> None:
        if not self.margin > 0.0:
            raise ValueError(f"margin must be above 0, received {self.margin}")

    def __call__(
        self, ops: ArrayOps, embeddings: Array, triplets: Triplets
    ) -> tuple[Array, dict[str, Array]]:
        """The loss of ``embeddings`` (B, D), a scalar, and the batch's metrics."""
        anchor = ops.take(embeddings, triplets.anchor)
        to_positive = numerics.row_distance(ops, anchor, ops.take(embeddings, triplets.positive))
        to_negative = numerics.row_distance(ops, anchor, ops.take(embeddings, triplets.negative))
        valid = ops.astype(triplets.valid, ops.dtype)
        count = ops.maximum(ops.sum(valid), 1.0)

        def over_valid(x: Array) -> Array:
            return ops.sum(x * valid) / count

        hinge = numerics.relu(ops, to_positive - to_negative + self.margin)
        metrics: Tree = {
            "active_fraction": over_valid(ops.astype(hinge > 0, ops.dtype)),
            "mean_negative_distance": over_valid(to_negative),
            "mean_positive_distance": over_valid(to_positive),
            "triplet_accuracy": over_valid(ops.astype(to_positive < to_negative, ops.dtype)),
            "valid_triplets": ops.sum(valid),
        }
        return over_valid(hinge), metrics
