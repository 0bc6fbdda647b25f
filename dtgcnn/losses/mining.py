"""Mining: which triplets of a batch to learn from.

Indices are found on detached rows by the expanded formula, one matrix product; the loss
then computes the chosen rows' distances exactly. Every result has a static shape, with a mask.
Each anchor is mined by itself, so ``rows``, (R,) int32, mines for these anchors alone, in (R, B)
memory: what blocks of anchors give, one after the other, is what all give.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

from ..array import Array, ArrayOps, numerics, uniform

__all__ = ["Hardness", "Masks", "Triplets", "batch_hard", "count_before", "distance_weighted"]
__all__ += ["easy_positive", "explicit", "hard_and_semi_hard", "masks", "semi_hard"]
__all__ += ["semi_hard_all"]

Hardness: TypeAlias = Literal["hard", "semi_hard"]
"""Which negative: the nearest, or the nearest that is farther than the positive."""

_INF = float("inf")


class Triplets(NamedTuple):
    """Positions in the batch, each (T,) int32, and which of them are real, (T,) bool."""

    anchor: Array
    positive: Array
    negative: Array
    valid: Array


class Masks(NamedTuple):
    """Which pairs are positive and which negative, (R, B) booleans; a row and itself, or another
    copy of its item, are neither."""

    positive: Array
    negative: Array


def masks(
    ops: ArrayOps,
    labels: Array,
    items: Array,
    anchors: Array | None = None,
    rows: Array | None = None,
) -> Masks:
    """The positive and the negative pairs of labels and items, both (B,) int32.

    Where ``anchors`` (B,) bool are given, a pair is of one of them and a row that is none.
    """
    same = _of(ops, labels, rows)[:, None] == labels
    pairs = Masks(same & (_of(ops, items, rows)[:, None] != items), ~same)
    if anchors is None:
        return pairs
    compared = _of(ops, anchors, rows)[:, None] & ~anchors
    return Masks(pairs.positive & compared, pairs.negative & compared)


def _of(ops: ArrayOps, x: Array, rows: Array | None) -> Array:
    return x if rows is None else ops.take(x, rows)


def _positions(ops: ArrayOps, labels: Array, rows: Array | None) -> Array:
    return ops.arange(labels.shape[0]) if rows is None else rows


def _distances(ops: ArrayOps, embeddings: Array, rows: Array | None) -> Array:
    """(R, B) ``|b|² − 2 a·b`` of detached rows: the squared distance less ``|a|²``, which is the
    same all along row a and so changes no choice. For selection, never for a gradient."""
    x = ops.stop_gradient(embeddings)
    near = numerics.matmul(ops, 2.0 * _of(ops, x, rows), ops.permute_dims(x, (1, 0)))
    return ops.sum(x * x, axis=1) - near


def batch_hard(
    ops: ArrayOps,
    embeddings: Array,
    labels: Array,
    items: Array,
    anchors: Array | None = None,
    rows: Array | None = None,
) -> Triplets:
    """For each row its farthest positive and its nearest negative (Hermans et al. 2017).

    Args:
        embeddings: (B, D).
        labels: (B,) int32 classes.
        items: (B,) int32 identities: a row is no positive of another copy of itself.
        anchors: as of ``masks``.
        rows: (R,) int32, the rows to mine for; all where not given.

    Returns:
        R triplets; a row without a positive or without a negative is not valid.
    """
    pairs = masks(ops, labels, items, anchors, rows)
    anchor = _positions(ops, labels, rows)
    hard = _hardest(ops, _distances(ops, embeddings, rows), pairs)
    return Triplets(anchor, hard.positive, hard.negative, ops.reshape(hard.valid, anchor.shape))


class _Hardest(NamedTuple):
    """Each anchor's farthest positive and nearest negative."""

    positive: Array
    """(R,)"""
    to_positive: Array
    """(R, 1), how far it is."""
    negative: Array
    """(R,)"""
    negatives: Array
    """(R, B), how near each negative is, its distance with the other sign; −∞ of what is none."""
    valid: Array
    """(R, 1), whether there are both."""


def _hardest(ops: ArrayOps, distances: Array, pairs: Masks) -> _Hardest:
    positive, to_positive = _largest(ops, ops.where(pairs.positive, distances, -_INF))
    negatives = ops.where(pairs.negative, -distances, -_INF)
    negative, to_negative = _largest(ops, negatives)
    both = (to_positive != -_INF) & (to_negative != -_INF)  # NaN too: a loss must show it
    return _Hardest(positive, to_positive, negative, negatives, both)


def _largest(ops: ArrayOps, among: Array) -> tuple[Array, Array]:
    """Where the largest of each row (R, B) is, (R,), and what it is, (R, 1)."""
    return ops.argmax(among, axis=1), ops.max(among, axis=1, keepdims=True)


def hard_and_semi_hard(
    ops: ArrayOps,
    embeddings: Array,
    labels: Array,
    items: Array,
    anchors: Array | None = None,
    rows: Array | None = None,
) -> tuple[Triplets, Triplets]:
    """``batch_hard``, and ``semi_hard`` of its pairs, by one look at the distances.

    Args:
        embeddings, labels, items, anchors, rows: as of ``batch_hard``.
    """
    distances = _distances(ops, embeddings, rows)
    pairs = masks(ops, labels, items, anchors, rows)
    hard, anchor = _hardest(ops, distances, pairs), _positions(ops, labels, rows)
    # What is no anchor has no negative here; its pair is not valid anyway.
    softer, found = _beyond(ops, distances, hard.to_positive, hard.negatives)
    valid, both = (ops.reshape(x, anchor.shape) for x in (hard.valid, hard.valid & found))
    given = (anchor, hard.positive)
    return Triplets(*given, hard.negative, valid), Triplets(*given, softer, both)


def explicit(ops: ArrayOps, triplets: Array) -> Triplets:
    """The batch's own triplets, (T, 3) positions, all of them valid."""
    return Triplets(triplets[:, 0], triplets[:, 1], triplets[:, 2], triplets[:, 0] >= 0)


def semi_hard(
    ops: ArrayOps,
    embeddings: Array,
    labels: Array,
    pairs: Triplets,
    anchors: Array | None = None,
) -> Triplets:
    """For each anchor and positive the nearest negative that is farther than the positive.

    Schroff et al. 2015 (arXiv:1503.03832). The nearest negatives of all pull an untrained embedding
    together into one point, and where classes are known in part only, they are often positives
    that nobody marked; these are softer.

    Args:
        embeddings: (B, D).
        labels: (B,) int32 classes.
        pairs: T triplets, whose anchors and positives are kept.
        anchors: (B,) bool, rows that are no negatives.

    Returns:
        T triplets; one without such a negative is not valid, nor one whose pair was not.
    """
    candidates = ops.take(labels, pairs.anchor)[:, None] != labels[None, :]
    if anchors is not None:
        candidates = candidates & ~anchors[None, :]
    distances = _distances(ops, embeddings, pairs.anchor)
    to_positive = ops.take_along_axis(distances, pairs.positive[:, None], axis=1)
    negatives = ops.where(candidates, -distances, -_INF)
    negative, found = _beyond(ops, distances, to_positive, negatives)
    valid = pairs.valid & ops.reshape(found, negative.shape)
    return Triplets(pairs.anchor, pairs.positive, negative, valid)


def _beyond(
    ops: ArrayOps, distances: Array, to_positive: Array, negatives: Array
) -> tuple[Array, Array]:
    """The nearest of ``negatives`` (T, B), as in ``_Hardest``, beyond each row's positive, which is
    as far as ``to_positive`` (T, 1): where it is, (T,), and whether there is one, (T, 1)."""
    among = ops.where(distances > to_positive, negatives, -_INF)
    negative, to_negative = _largest(ops, among)
    return negative, to_negative != -_INF


def easy_positive(
    ops: ArrayOps,
    embeddings: Array,
    labels: Array,
    items: Array,
    negative: Hardness = "semi_hard",
    anchors: Array | None = None,
    rows: Array | None = None,
) -> Triplets:
    """For each row its nearest positive, and the nearest negative of all or beyond it.

    Xuan, Stylianou & Pless 2020 (arXiv:1904.04370). A class may then keep several clusters.

    Args:
        embeddings: (B, D).
        labels, items: (B,) int32.
        negative: ``"semi_hard"``: the nearest that is farther than the positive; ``"hard"``: the
            nearest of all.
        anchors, rows: as of ``batch_hard``.

    Returns:
        R triplets; a row without a positive or without such a negative is not valid.

    Raises:
        ValueError: ``negative`` is neither.
    """
    if negative not in ("hard", "semi_hard"):
        raise ValueError(f"negative must be 'hard' or 'semi_hard', received {negative!r}")
    distances = _distances(ops, embeddings, rows)
    pairs = masks(ops, labels, items, anchors, rows)
    positive = ops.argmax(ops.where(pairs.positive, -distances, -_INF), axis=1)
    candidates = pairs.negative
    if negative == "semi_hard":
        to_positive = ops.take_along_axis(distances, positive[:, None], axis=1)
        candidates = candidates & (distances > to_positive)
    chosen = ops.argmax(ops.where(candidates, -distances, -_INF), axis=1)
    valid = (ops.sum(pairs.positive, axis=1) > 0) & (ops.sum(candidates, axis=1) > 0)
    return Triplets(_positions(ops, labels, rows), positive, chosen, valid)


def count_before(ops: ArrayOps, first: Array, second: Array) -> tuple[Array, Array]:
    """How many of the other list each number follows, row by row, when both are sorted together.

    Args:
        first: (B, M); among equal numbers these come first.
        second: (B, N).

    Returns:
        ``|{j: second_j < first_i}|``, (B, M) int32, and ``|{i: first_i ≤ second_j}|``, (B, N)
        int32: two sorts of (B, M + N), and never an array (B, M, N).
    """
    m = first.shape[1]
    order = ops.argsort(ops.concat([first, second], axis=1), axis=1)
    firsts = ops.cumulative_sum(ops.astype(order < m, "int32"), axis=1)
    seconds = ops.cumulative_sum(ops.astype(order >= m, "int32"), axis=1)
    place = ops.argsort(order, axis=1)  # where each number went
    before_first = ops.take_along_axis(seconds, place[:, :m], axis=1)
    return before_first, ops.take_along_axis(firsts, place[:, m:], axis=1)


def _positive_lists(ops: ArrayOps, positive: Array, positives: int) -> tuple[Array, Array]:
    """(R, P) int32 columns of each row's first P positives, and which of them are real."""
    if positives < 1:
        raise ValueError(f"positives must be at least 1, received {positives}")
    marks = ops.astype(positive, ops.dtype)
    found, columns = numerics.top_k(ops, marks, min(positives, positive.shape[1]))
    return columns, found > 0.5


def _listed(
    ops: ArrayOps, anchor: Array, positive: Array, negative: Array, valid: Array
) -> Triplets:
    """(R, P) positives and negatives of each anchor (R,) as a list of R·P triplets."""
    anchor = anchor[:, None] + ops.zeros(positive.shape, "int32")
    return Triplets(*(ops.reshape(x, (-1,)) for x in (anchor, positive, negative, valid)))


def semi_hard_all(
    ops: ArrayOps,
    embeddings: Array,
    labels: Array,
    items: Array,
    positives: int,
    anchors: Array | None = None,
    rows: Array | None = None,
) -> Triplets:
    """For every anchor and positive the nearest negative beyond the positive, in (R, B) memory.

    Schroff et al. 2015 (arXiv:1503.03832). A row sorts its negatives once, and a pair takes the one
    at the place where its positive would stand.

    Args:
        embeddings: (B, D).
        labels, items: (B,) int32.
        positives: P, the most positives of a row; of more, the first in the batch are taken.
        anchors, rows: as of ``batch_hard``.

    Returns:
        R·P triplets; those without a positive or such a negative are not valid.

    Raises:
        ValueError: ``positives`` is below 1.
    """
    distances = _distances(ops, embeddings, rows)
    pairs = masks(ops, labels, items, anchors, rows)
    positive, real = _positive_lists(ops, pairs.positive, positives)
    to_negatives = ops.where(pairs.negative, distances, _INF)
    to_positives = ops.take_along_axis(distances, positive, axis=1)
    _, nearer = count_before(ops, to_negatives, to_positives)
    found = nearer < ops.sum(pairs.negative, axis=1)[:, None]
    sorted_negatives = ops.argsort(to_negatives, axis=1)
    negative = ops.take_along_axis(sorted_negatives, ops.where(found, nearer, 0), axis=1)
    return _listed(ops, _positions(ops, labels, rows), positive, negative, real & found)


def distance_weighted(
    ops: ArrayOps,
    embeddings: Array,
    labels: Array,
    items: Array,
    positives: int,
    key: Array,
    cutoff: float = 0.5,
    nonzero_loss_cutoff: float = 1.4,
    anchors: Array | None = None,
    rows: Array | None = None,
) -> Triplets:
    """For every anchor and positive a negative drawn evenly over distances d of unit rows.

    Its weight is ``1 / q(max(d, cutoff))``, ``q(d) = d^(D−2) (1 − d²/4)^((D−3)/2)`` the density of
    distances on the sphere. Wu et al. 2017 (arXiv:1706.07567).

    Args:
        embeddings: (B, D), of any length.
        labels, items: (B,) int32.
        positives: P, the most positives of a row; of more, the first in the batch are taken.
        key: (2,) uint32, one for each batch.
        cutoff: the distance below which the weight grows no more.
        nonzero_loss_cutoff: negatives at this distance or beyond are not drawn.
        anchors, rows: as of ``batch_hard``.

    Returns:
        R·P triplets; those without a positive, or without a negative in reach, are not valid.

    Raises:
        ValueError: ``positives`` is below 1, or the cutoffs do not rise within (0, 2).
    """
    if not 0.0 < cutoff < nonzero_loss_cutoff < 2.0:
        received = f"received {cutoff} and {nonzero_loss_cutoff}"
        raise ValueError(f"cutoff and nonzero_loss_cutoff must rise within (0, 2), {received}")
    unit = numerics.l2_normalize(ops, ops.stop_gradient(embeddings))
    pairs = masks(ops, labels, items, anchors, rows)
    cosines = numerics.matmul(ops, _of(ops, unit, rows), ops.permute_dims(unit, (1, 0)))
    distances = ops.sqrt(ops.maximum(2.0 - 2.0 * cosines, 0.0))
    candidates = pairs.negative & (distances < nonzero_loss_cutoff)
    d = ops.where(candidates, ops.maximum(distances, cutoff), 1.0)
    n = embeddings.shape[1]
    log_weights = (2.0 - n) * ops.log(d) - (0.5 * (n - 3.0)) * ops.log(1.0 - 0.25 * d * d)
    largest = ops.max(ops.where(candidates, log_weights, -_INF), axis=1, keepdims=True)
    shifted = ops.where(candidates, log_weights - largest, 0.0)
    cumulative = ops.cumulative_sum(ops.where(candidates, ops.exp(shifted), 0.0), axis=1)

    positive, real = _positive_lists(ops, pairs.positive, positives)
    draws = uniform(ops, key, (labels.shape[0], positive.shape[1]))
    drawn = _of(ops, draws, rows) * cumulative[:, -1:]
    _, place = count_before(ops, cumulative, drawn)
    inside = place < labels.shape[0]
    negative = ops.where(inside, place, 0)
    chosen = inside & (ops.take_along_axis(ops.astype(candidates, "int32"), negative, axis=1) > 0)
    return _listed(ops, _positions(ops, labels, rows), positive, negative, real & chosen)
