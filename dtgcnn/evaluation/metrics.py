"""How good an embedding space is for retrieval: ranks on the host, in NumPy, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt

from ..config import check_whole
from ..data import check_rows
from ..model import ChosenRows
from .layout import table_lines

__all__ = ["COUNTS", "comparison_rows", "comparison_table", "findable", "nearest_rows", "pair_auc"]
__all__ += [
    "Units",
    "pair_correlations",
    "retrieval_metrics",
    "triplet_accuracy",
    "unit_float32",
    "unit_means",
    "unit_rows",
]

Rows = npt.ArrayLike | ChosenRows
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

COUNTS = ("queries", "lone_queries")
"""The metrics that are no shares."""

# A neighbour is one int64: its cosine distance in steps of 2⁻³⁰ above, its gallery row below.
# Sorting these ranks by distance and then by row, and a tie is a tie whatever BLAS does to the
# last bit of a product. The largest key is 2 · 2³⁰ · 2³¹ + 2³¹ − 1, well inside an int64.
_STEPS = 1 << 30
_ROW_BITS = 31
_ROW_MASK = (1 << _ROW_BITS) - 1
_NEVER = np.iinfo(np.int64).max
_WHOLE = 2.0**52
"""Added to a float64 it rounds it to a whole number, which its lowest bits are then."""
_BLOCK_ELEMENTS = 1 << 22  # keys, or similarities, held at once: 32 MiB in float64
_GALLERY_ROWS = 2048  # compared at once
_BLOCK_ROWS = 4096  # brought to unit length at once, which bounds what is held beside them
_TINY = np.finfo(np.float64).tiny


def retrieval_metrics(
    queries: Rows,
    query_labels: npt.ArrayLike,
    gallery: Rows | None = None,
    gallery_labels: npt.ArrayLike | None = None,
    *,
    ks: Sequence[int] = (1, 10),
    knn: int = 10,
    block_rows: int = 1024,
    only: npt.NDArray[np.integer[Any]] | None = None,
    advance: Callable[[int], object] | None = None,
) -> dict[str, float]:
    """Rank the gallery by cosine similarity to each query and score the ranks.

    With R_q the gallery rows of query q's class and rel_q(i) = 1 where its i-th nearest row is one
    of them, else 0, each metric is a mean over queries of

    * ``recall@k``: 1 if some rel_q(i) = 1 with i ≤ k;
    * ``r-precision``: 1/R_q · Σ_{i≤R_q} rel_q(i);
    * ``map@r``: 1/R_q · Σ_{i≤R_q} rel_q(i) · (1/i · Σ_{j≤i} rel_q(j));
    * ``knn@k``: 1 if the k nearest rows elect q's class: most votes, then the larger summed
      similarity, then the nearest row.

    R-precision and MAP@R: Musgrave, Belongie & Lim 2020, "A Metric Learning Reality Check",
    arXiv:2003.08505. A query whose class has no gallery row is *lone*: no ranking could be right
    for it, so it is counted and left out of every mean.

    Equal similarities rank the lowest gallery row first; similarities are compared in steps of
    2⁻³⁰, so that duplicates tie exactly and the block size never shows in the result.

    Args:
        queries: (Q, D) embeddings, of any length; a zero row has similarity 0 to everything.
        query_labels: (Q,) classes, integers or strings.
        gallery: (G, D) embeddings to retrieve from. Without it every query is retrieved from the
            other queries (leave-one-out: a row is never its own neighbour, a duplicate of it is).
        gallery_labels: (G,) classes of the gallery; given exactly when ``gallery`` is.
        ks: cut-offs of recall. A k beyond the gallery means the whole gallery.
        knn: neighbours that vote; likewise clipped to the gallery.
        block_rows: the most queries ranked at once; many neighbours make it fewer, so that a call
            works in 64 MiB beside its inputs.
        only: numbers of the queries that are measured, the others being gallery rows at most; all
            where None.
        advance: told how many queries are ranked, block by block.

    Returns:
        ``recall@k`` for each k, ``r-precision``, ``map@r``, ``knn@{knn}``, all in [0, 1], and the
        counts ``queries`` (those in the means) and ``lone_queries``.

    Raises:
        ValueError: for arguments of the wrong shape, values that are not finite, cut-offs below 1,
            or when every query is lone.
    """
    for name, value in (*(("ks", k) for k in ks), ("knn", knn), ("block_rows", block_rows)):
        check_whole(name, value, 1)
    leave_one_out = gallery is None
    if leave_one_out != (gallery_labels is None):
        given = "gallery_labels" if leave_one_out else "gallery"
        raise ValueError(f"gallery and gallery_labels go together, received only {given}")
    q, g = _units(queries, gallery)
    g_labels = query_labels if gallery_labels is None else gallery_labels
    q_class, g_class = _classes(query_labels, g_labels, len(q), len(g))
    relevant = np.bincount(g_class, minlength=int(q_class.max()) + 1)[q_class] - leave_one_out
    asked = np.arange(len(q)) if only is None else np.asarray(only)
    used = asked[relevant[asked] > 0]
    if not len(used):
        raise ValueError(f"no query has a gallery row of its class: all {len(asked)} are lone")

    top = min(len(g) - leave_one_out, max(*ks, knn, int(relevant.max())))
    blocks = []
    for block, neighbors, similarity in _nearest(q, used, g, top, leave_one_out, block_rows):
        found = g_class[neighbors]
        scores = _rank_scores(found == q_class[block, None], relevant[block], ks)
        elected = _vote(found[:, :knn], similarity[:, :knn])
        scores[f"knn@{knn}"] = np.asarray(elected == q_class[block], dtype=np.float64)
        blocks.append(scores)
        if advance is not None:
            advance(len(block))
    means = {name: float(np.concatenate([b[name] for b in blocks]).mean()) for name in blocks[0]}
    return {**means, "queries": float(len(used)), "lone_queries": float(len(asked) - len(used))}


def findable(labels: Ints, among: Ints | None = None) -> Ints:
    """The numbers of the rows, of classes ``labels`` (N,), that are not lone: whose class a row
    ``among`` others (G,) has, or without these another of themselves."""
    gallery = labels if among is None else among
    counts = np.bincount(gallery, minlength=labels.max(initial=0) + 1)
    return np.flatnonzero(counts[labels] > (among is None))


def triplet_accuracy(anchor: Rows, positive: Rows, negative: Rows) -> float:
    """Share of triplets with cos(anchor, positive) > cos(anchor, negative), in [0, 1].

    A tie, which is a difference below 2⁻³¹, counts against the embedding.

    Args:
        anchor, positive, negative: (T, D) embeddings, one triplet a row.

    Raises:
        ValueError: for arrays that are not 2-D, not finite, or not of one shape.
    """
    a, p = unit_rows(anchor, name="anchor"), unit_rows(positive, name="positive")
    n = unit_rows(negative, name="negative")
    if not a.shape == p.shape == n.shape:
        shapes = f"{a.shape}, {p.shape} and {n.shape}"
        raise ValueError(f"anchor, positive and negative must be of one shape, received {shapes}")
    return float(((a * (p - n)).sum(axis=1) > 0.5 / _STEPS).mean())


def pair_auc(
    embeddings: Rows, labels: npt.ArrayLike, anchor: npt.ArrayLike, positive: npt.ArrayLike
) -> float:
    """How surely positives stand out: the mean over pairs of the share of all rows of other classes
    that are less similar to the anchor than its positive is, a tie counting half, in [0, 1].

    Unlike the accuracy of triplets it does not hang on which negative each was given.

    Args:
        embeddings: (N, D).
        labels: (N,) classes, integers.
        anchor, positive: (T,) row numbers.

    Raises:
        ValueError: arrays do not fit together, there is no pair, or an anchor with no row of
            another class.
    """
    unit = unit_rows(embeddings, name="embeddings")
    classes = _labels("labels", labels, len(unit))
    a, p = (check_rows(*given, len(unit)) for given in (("anchor", anchor), ("positive", positive)))
    if a.shape != p.shape or not len(a):
        raise ValueError(
            "anchor and positive must name one pair or more, received shapes "
            f"{a.shape} and {p.shape}"
        )
    if len(np.unique(classes)) < 2:
        raise ValueError("each anchor needs a row of another class")
    shares = []
    for start in range(0, len(a), max(1, _BLOCK_ELEMENTS // len(unit))):
        rows = slice(start, start + max(1, _BLOCK_ELEMENTS // len(unit)))
        steps = np.rint(unit[a[rows]] @ unit.T * _STEPS)
        own = np.take_along_axis(steps, p[rows, None], axis=1)
        others = classes[a[rows], None] != classes[None, :]
        below = ((steps < own) + 0.5 * (steps == own)) * others
        shares.append(below.sum(axis=1) / others.sum(axis=1))
    return float(np.concatenate(shares).mean())


def pair_correlations(first: Rows, second: Rows, scores: npt.ArrayLike) -> dict[str, float]:
    """How well cosines of pairs follow their scores, as semantic similarity is measured (Reimers &
    Gurevych 2019, arXiv:1908.10084).

    Args:
        first, second: (N, D) embeddings, one pair a row.
        scores: (N,) numbers, higher for pairs that are more alike.

    Returns:
        ``spearman``, the correlation of ranks, and ``pearson``, both in [-1, 1].

    Raises:
        ValueError: for arrays of other shapes, values that are not finite, or fewer than two
            different scores or cosines, whose correlation is not defined.
    """
    from scipy.stats import pearsonr, spearmanr

    a, b = unit_rows(first, name="first"), unit_rows(second, name="second")
    y = np.asarray(scores, np.float64)
    if a.shape != b.shape or y.shape != (len(a),):
        raise ValueError(
            "first, second and scores must be (N, D), (N, D) and (N,), received "
            f"{a.shape}, {b.shape} and {y.shape}"
        )
    cosines = (a * b).sum(axis=1)
    for name, values in (("scores", y), ("cosines", cosines)):
        if not np.isfinite(values).all() or len(np.unique(values)) < 2:
            raise ValueError(f"{name} must be finite and of at least two values")
    return {
        "spearman": float(spearmanr(cosines, y).statistic),
        "pearson": float(pearsonr(cosines, y).statistic),
    }


def comparison_table(
    input_metrics: Mapping[str, float], trained_metrics: Mapping[str, float]
) -> str:
    """Set the metrics of the input vectors and of the trained embedding side by side.

    Args:
        input_metrics, trained_metrics: shares or correlations by name, as the functions here
            return them; a metric that one of them lacks shows as "-".

    Returns:
        A table in percent and points, plain text and Markdown in one, then the count of queries.
    """
    lines = table_lines(comparison_rows(input_metrics, trained_metrics))
    if "queries" in trained_metrics:
        lone = trained_metrics.get("lone_queries", 0)
        note = f", {lone:.0f} left out: no gallery row of their class" if lone else ""
        lines += ["", f"{trained_metrics['queries']:.0f} queries{note}"]
    return "\n".join(lines)


def comparison_rows(
    input_metrics: Mapping[str, float], trained_metrics: Mapping[str, float]
) -> list[tuple[str, ...]]:
    """The cells of ``comparison_table``, its heads first."""
    names = [n for n in dict.fromkeys((*input_metrics, *trained_metrics)) if n not in COUNTS]
    rows: list[tuple[str, ...]] = [("metric", "input vectors", "trained", "change")]
    return rows + [(n, *_cells(input_metrics.get(n), trained_metrics.get(n))) for n in names]


def nearest_rows(rows: Rows, k: int, gallery: Rows | None = None) -> tuple[Ints, Floats]:
    """The gallery rows that are nearest to each row by cosine, nearest first, and the cosines.

    Args:
        rows: (N, D).
        k: how many; all where they are fewer.
        gallery: (G, D); without it the rows themselves, of which none is its own neighbour.

    Returns:
        Two arrays (N, k): equal cosines, which are compared in steps of 2⁻³⁰, by the lowest row.

    Raises:
        ValueError: rows are not 2-D, equally wide or finite.
    """
    q, g = _units(rows, gallery)
    top = min(k, len(g) - (gallery is None))
    if not top:
        return np.zeros((len(q), 0), np.int64), np.zeros((len(q), 0))
    found = _nearest(q, np.arange(len(q)), g, top, gallery is None)
    _, near, steps = map(np.concatenate, zip(*found))
    return near, steps / _STEPS


def unit_rows(rows: Rows, *, name: str = "rows") -> Floats:
    """Copy (N, D) ``rows`` to float64 with rows of length 1; zero rows stay zero.

    Raises:
        ValueError: when they are no numbers, not 2-D, empty or not finite; the message calls them
            ``name``.
    """
    x = np.array(_numbers(rows, name), dtype=np.float64)
    if x.ndim != 2 or 0 in x.shape:
        raise ValueError(f"{name} must be a non-empty (N, D) array, received shape {x.shape}")
    for start in range(0, len(x), _BLOCK_ROWS):
        _bring_to_unit(x[start : start + _BLOCK_ROWS], start, name)
    return x


def _numbers(rows: Rows, name: str) -> npt.NDArray[Any]:
    """``rows`` as an array of real numbers."""
    x = np.asarray(rows)
    if x.dtype.kind in "OV":  # whatever gives numbers, such as bfloat16
        with suppress(TypeError, ValueError):
            x = x.astype(np.float64)
    if x.dtype.kind not in "biuf":
        raise ValueError(f"{name} must be an array of numbers, received {x.dtype}")
    return x


def _bring_to_unit(block: Floats, start: int, name: str) -> tuple[Floats, Floats]:
    """Divide rows by their largest entries, which keeps the squares from overflowing or vanishing,
    and then by their lengths; both are returned."""
    finite = np.isfinite(block).all(axis=1)
    if not finite.all():
        raise ValueError(f"{name} must be finite, row {start + finite.argmin()} is not")
    largest = np.maximum(np.abs(block).max(axis=1, keepdims=True), _TINY)
    block /= largest
    lengths = np.maximum(np.linalg.norm(block, axis=1, keepdims=True), _TINY)
    block /= lengths
    return largest, lengths


class Units:
    """What ``unit_rows`` gives, made anew of the rows that are asked for."""

    def __init__(self, rows: Rows, name: str) -> None:
        x: Any = rows if isinstance(rows, ChosenRows) else _numbers(rows, name)
        if len(x.shape) != 2 or 0 in x.shape:
            raise ValueError(f"{name} must be a non-empty (N, D) array, received shape {x.shape}")
        self.rows, self.shape = x, x.shape
        divisors = [
            _bring_to_unit(np.array(x[start : start + _BLOCK_ROWS], np.float64), start, name)
            for start in range(0, len(x), _BLOCK_ROWS)
        ]
        self._largest, self._lengths = map(np.concatenate, zip(*divisors))

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, places: Any) -> Floats:
        block = np.array(self.rows[places], np.float64)
        block /= self._largest[places]
        block /= self._lengths[places]
        return block


def unit_float32(rows: Rows) -> npt.NDArray[np.float32]:
    """What ``unit_rows`` gives, as float32, of which alone there is a copy of all rows."""
    units = Units(rows, "rows")
    found = np.empty(units.shape, np.float32)
    for start in range(0, len(found), _BLOCK_ROWS):
        found[start : start + _BLOCK_ROWS] = units[start : start + _BLOCK_ROWS]
    return found


def unit_means(rows: Floats, groups: Ints) -> Floats:
    """(G, D) the means of rows (N, D) by ``groups`` (N,), numbers from 0 on, at unit length; zero
    of a group without a row."""
    sums = np.zeros((groups.max() + 1, rows.shape[1]))
    np.add.at(sums, groups, rows)
    return unit_rows(sums)


def _units(queries: Rows, gallery: Rows | None) -> tuple[Units, Units]:
    q = Units(queries, "queries")
    g = q if gallery is None else Units(gallery, "gallery")
    if q.shape[1] != g.shape[1]:
        widths = f"{q.shape[1]} and {g.shape[1]}"
        raise ValueError(f"queries and gallery must be equally wide, received {widths}")
    return q, g


def _classes(
    query_labels: npt.ArrayLike, gallery_labels: npt.ArrayLike, n_queries: int, n_gallery: int
) -> tuple[Ints, Ints]:
    """Number the classes of both label arrays in common, from 0."""
    q = _labels("query_labels", query_labels, n_queries)
    g = _labels("gallery_labels", gallery_labels, n_gallery)
    if (q.dtype.kind == "U") != (g.dtype.kind == "U"):
        kinds = f"{q.dtype} and {g.dtype}"
        raise ValueError(f"query_labels and gallery_labels must be of one kind, received {kinds}")
    numbers = np.unique(np.concatenate((q, g)), return_inverse=True)[1].astype(np.int64)
    return numbers[: len(q)], numbers[len(q) :]


def _labels(name: str, labels: npt.ArrayLike, n: int) -> npt.NDArray[Any]:
    array = np.asarray(labels)
    if array.dtype.kind == "O":  # a column of strings from a data frame
        array = np.asarray(array.tolist())
    if array.shape != (n,):
        raise ValueError(f"{name} must have one label a row: ({n},), received {array.shape}")
    if array.dtype.kind not in "biuU":
        raise ValueError(f"{name} must be integers or strings, received {array.dtype}")
    return array


def _nearest(
    q: Units, used: Ints, g: Units, top: int, themselves: bool, block_rows: int = 1024
) -> Iterator[tuple[Ints, Ints, Ints]]:
    """Some of the queries ``used``, their ``top`` nearest gallery rows, nearest first, and the
    similarities of these, until all have been.

    With ``themselves`` queries are gallery rows, and none is its own neighbour. Similarities are
    int64 in steps of 2⁻³⁰, so that their sums are exact.
    """
    spare = max(top, min(_GALLERY_ROWS, len(g)))
    height = max(1, min(block_rows, _BLOCK_ELEMENTS // (top + spare)))
    keys = np.empty((min(height, len(used)), top + spare), np.int64)
    for start in range(0, len(used), height):
        block, filled = used[start : start + height], 0
        rows, own = q[block], keys[: len(used) - start]
        for first in range(0, len(g), _GALLERY_ROWS):
            others = g[first : first + _GALLERY_ROWS]
            if filled + len(others) > keys.shape[1]:
                own[:, :filled].partition(top - 1, axis=1)
                filled = top
            stop = filled + len(others)
            own[:, filled:stop] = _keys(rows, others, first)
            if themselves:
                itself = np.flatnonzero((first <= block) & (block < first + len(others)))
                own[itself, filled + block[itself] - first] = _NEVER
            filled = stop
        own[:, :filled].partition(top - 1, axis=1)
        nearest = np.sort(own[:, :top], axis=1)
        yield block, nearest & _ROW_MASK, _STEPS - (nearest >> _ROW_BITS)


def _keys(rows: Floats, others: Floats, first: int) -> Ints:
    """The keys of gallery rows from the row ``first`` on, for each query."""
    distance = (-_STEPS * rows) @ others.T
    distance += _STEPS
    distance += _WHOLE
    keys = distance.view(np.int64)
    keys <<= _ROW_BITS
    keys += np.arange(first, first + len(others))
    return keys


def _rank_scores(hits: Bools, relevant: Ints, ks: Sequence[int]) -> dict[str, Floats]:
    """Score each row of (B, K) ``hits``; ``relevant`` (B,) are the hits there are to be had."""
    scores = {f"recall@{k}": np.asarray(hits[:, :k].any(axis=1), dtype=np.float64) for k in ks}
    rank = np.arange(1, hits.shape[1] + 1)
    within = hits & (rank <= relevant[:, None])
    scores["r-precision"] = np.divide(within.sum(axis=1), relevant)
    precision = np.cumsum(within, axis=1) / rank
    scores["map@r"] = np.divide((within * precision).sum(axis=1), relevant)
    return scores


def _vote(classes: Ints, similarity: Ints) -> Ints:
    """The class that each row of (B, k) neighbours elects."""
    same = classes[:, :, None] == classes[:, None, :]
    votes = same.sum(axis=2)
    weight = np.where(same, similarity[:, None, :], 0).sum(axis=2)
    weight[votes < votes.max(axis=1, keepdims=True)] = np.iinfo(np.int64).min
    winner = weight.argmax(axis=1)
    return np.take_along_axis(classes, winner[:, None], axis=1)[:, 0]


def _cells(before: float | None, after: float | None) -> tuple[str, str, str]:
    """One metric's row: both values in percent and their difference in points."""
    shown = ["-" if value is None else f"{100 * value:.1f}" for value in (before, after)]
    if before is None or after is None:
        return shown[0], shown[1], "-"
    change = round(100 * (after - before), 1) + 0.0  # -0.0 + 0.0 is 0.0
    return shown[0], shown[1], f"{change:+.1f}"
