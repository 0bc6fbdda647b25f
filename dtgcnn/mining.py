"""Mining: which triplets of a batch to learn from.

Indices are found on detached rows by the expanded formula, one matrix product; the loss
then computes the chosen rows' distances exactly. Every result has a static shape, with a mask.
"""

from __future__ import annotations

from typing import NamedTuple

from .ops import Array, ArrayOps

__all__ = ["Triplets", "batch_hard", "explicit", "semi_hard"]

_FAR = 1e9


class Triplets(NamedTuple):
    """Positions in the batch, each (T,) int32, and which of them are real, (T,) bool."""

    anchor: Array
    positive: Array
    negative: Array
    valid: Array


def _distances(ops: ArrayOps, embeddings: Array) -> Array:
    """(B, B) ``|b|² − 2 a·b`` of detached rows: the squared distance less ``|a|²``, which is the
    same all along row a and so changes no choice. For selection, never for a gradient."""
    rows = ops.stop_gradient(embeddings)
    return ops.sum(rows * rows, axis=1)[None, :] - (2.0 * rows) @ ops.permute_dims(rows, (1, 0))


def batch_hard(ops: ArrayOps, embeddings: Array, labels: Array, items: Array) -> Triplets:
    """For each row its farthest positive and its nearest negative (Hermans et al. 2017).

    Args:
        embeddings: (B, D).
        labels: (B,) int32 classes.
        items: (B,) int32 identities: a row is no positive of another copy of itself.

    Returns:
        B triplets; a row without a positive or without a negative is not valid.
    """
    distances = _distances(ops, embeddings)
    same = labels[:, None] == labels[None, :]
    positives = same & (items[:, None] != items[None, :])
    positive = ops.argmax(ops.where(positives, distances, -_FAR), axis=1)
    negative = ops.argmax(ops.where(same, -_FAR, -distances), axis=1)
    has_both = (ops.sum(positives, axis=1) > 0) & (ops.sum(same, axis=1) < labels.shape[0])
    return Triplets(ops.arange(labels.shape[0]), positive, negative, has_both)


def explicit(ops: ArrayOps, triplets: Array) -> Triplets:
    """The batch's own triplets, (T, 3) positions, all of them valid."""
    return Triplets(triplets[:, 0], triplets[:, 1], triplets[:, 2], triplets[:, 0] >= 0)


def semi_hard(ops: ArrayOps, embeddings: Array, labels: Array, pairs: Triplets) -> Triplets:
    """For each anchor and positive the nearest negative that is farther than the positive.

    Schroff et al. 2015 (arXiv:1503.03832). The nearest negatives of all pull an untrained embedding
    together into one point, and where classes are known in part only, they are often positives
    that nobody marked; these are softer.

    Args:
        embeddings: (B, D).
        labels: (B,) int32 classes.
        pairs: T triplets, whose anchors and positives are kept.

    Returns:
        T triplets; one without such a negative is not valid, nor one whose pair was not.
    """
    distances = ops.take(_distances(ops, embeddings), pairs.anchor)
    to_positive = ops.take_along_axis(distances, pairs.positive[:, None], axis=1)
    others = ops.take(labels, pairs.anchor)[:, None] != labels[None, :]
    candidates = others & (distances > to_positive)
    negative = ops.argmax(ops.where(candidates, -distances, -_FAR), axis=1)
    found = ops.sum(candidates, axis=1) > 0
    return Triplets(pairs.anchor, pairs.positive, negative, pairs.valid & found)
