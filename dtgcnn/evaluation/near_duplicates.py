"""Texts or vectors that are nearly equal, found without comparing all with all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from ..errors import needing
from .metrics import unit_rows

__all__ = ["NEAR_TEXTS", "NEAR_VECTORS", "NearDuplicates", "near_duplicates"]

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

NEAR_TEXTS = 0.9
"""The cosine of character n-grams from which texts are nearly equal."""
NEAR_VECTORS = 0.97
"""The cosine from which vectors are."""
MOST_PLACES = 1000
"""Pairs of a kind that are kept."""
_BLOCK = 1 << 23
"""Products that are held at a time."""
_WORK = 1 << 42
"""Multiplications of dense rows at most, a minute or two of two cores."""
_SPARSE_WORK = 1 << 32
"""The same of sparse rows, which take longer each."""


@dataclass
class NearDuplicates:
    """Pairs of rows that are nearly, but not wholly, equal.

    Attributes:
        bound: the least cosine of a pair.
        rows: rows that were compared: one of those that are equal, of one class and side.
        looked_up: how many of them were looked up among all; fewer than all where that would take
            long.
        counts: pairs of each kind: ``"same class"`` (of one side), ``"leak"`` (of two sides) and
            ``"contradiction"`` (of two classes); one may be of the last two.
        pairs: the first of each kind, as row numbers.
    """

    bound: float
    rows: int
    looked_up: int
    counts: dict[str, int] = field(default_factory=dict)
    pairs: dict[str, list[tuple[int, int]]] = field(default_factory=dict)

    def _add(self, kind: str, pairs: Ints) -> None:
        self.counts[kind] = self.counts.get(kind, 0) + len(pairs)
        kept = self.pairs.setdefault(kind, [])
        kept += map(tuple, pairs[: MOST_PLACES - len(kept)].tolist())


def near_duplicates(
    inputs: list[str] | npt.NDArray[Any], equal: Ints, labels: Ints, sides: Ints
) -> NearDuplicates:
    """Pairs of rows whose cosine is at or above a bound: ``NEAR_TEXTS`` of TF-IDF over n-grams of
    four characters within words, ``NEAR_VECTORS`` of vectors.

    Of texts every such pair is found, by prefixes: with a text's n-grams ordered by how rare they
    are, two texts reach the bound t only if they share one of those before which less than t of
    the length is left (Bayardo, Ma & Srikant 2007, "Scaling Up All Pairs Similarity Search").
    Memory is that of a block. Where products would be more than some minutes' work, every n-th row
    is looked up among all.

    Args:
        inputs: N texts, or vectors (N, D).
        equal: (N,) numbers, the same for rows that are equal, which are no pair.
        labels: (N,) classes, −1 where there is none.
        sides: (N,) the part that each row is of, such as training and test.

    Raises:
        ImportError: the inputs are texts, and scikit-learn is not installed.
    """
    _, first = np.unique(np.stack([equal, labels, sides], axis=1), axis=0, return_index=True)
    first = np.sort(first)
    found: Iterator[tuple[Ints, Ints]]
    if isinstance(inputs, list):
        bound = NEAR_TEXTS
        looked_up, found = _sparse_pairs(_weights([inputs[row] for row in first]), bound)
    else:
        bound = NEAR_VECTORS
        looked_up, found = _dense_pairs(np.asarray(inputs)[first], bound)
    result = NearDuplicates(bound, len(first), looked_up)
    for kind in ("same class", "leak", "contradiction"):
        result._add(kind, np.empty((0, 2), np.int64))
    for a, b in found:
        pairs = first[np.sort(np.stack([a, b], axis=1), axis=1)]
        pairs = pairs[equal[pairs[:, 0]] != equal[pairs[:, 1]]]
        known = (labels[pairs] >= 0).all(axis=1)
        across, other = (of[pairs[:, 0]] != of[pairs[:, 1]] for of in (sides, labels))
        result._add("leak", pairs[across])
        result._add("contradiction", pairs[known & other])
        result._add("same class", pairs[known & ~other & ~across])
    return result


def _weights(texts: list[str]) -> csr_array[np.float32]:
    """(N, n-grams) rows of length 1."""
    with needing("near-duplicates need scikit-learn", "text"):
        from sklearn.feature_extraction.text import TfidfVectorizer
    vectorizer = TfidfVectorizer(
        analyzer="char_wb", ngram_range=(4, 4), sublinear_tf=True, dtype=np.float32
    )
    return csr_array(vectorizer.fit_transform(texts))


def _prefixes(x: csr_array[np.float32], bound: float) -> csr_array[np.int32]:
    """Where the rarest of each row's n-grams are, until less than ``bound`` of its length is left;
    ones elsewhere not stored."""
    rows = np.repeat(np.arange(x.shape[0]), np.diff(x.indptr))
    rarity = np.bincount(x.indices, minlength=x.shape[1])
    rank = np.empty(x.shape[1], np.int64)
    rank[np.argsort(rarity, kind="stable")] = np.arange(x.shape[1])
    order = np.lexsort((rank[x.indices], rows))
    before = np.concatenate([[0.0], np.cumsum(x.data[order].astype(np.float64) ** 2)])
    left = before[x.indptr[1:]][rows] - before[:-1]
    kept = left >= bound**2 - 1e-5
    ones = np.ones(int(kept.sum()), np.int32)
    return csr_array((ones, (rows[kept], x.indices[order][kept])), shape=x.shape)


def _sparse_pairs(
    x: csr_array[np.float32], bound: float
) -> tuple[int, Iterator[tuple[Ints, Ints]]]:
    """How many rows are looked up, and the pairs (row, later row), a block at a time."""
    p = _prefixes(x, bound)
    work: Ints = np.asarray(p @ np.bincount(p.indices, minlength=p.shape[1]))
    step = int(-(-work.sum() // _SPARSE_WORK)) or 1
    asked = np.arange(0, p.shape[0], step)
    parts = np.flatnonzero(np.diff(np.cumsum(work[asked]) // _BLOCK)) + 1

    def blocks() -> Iterator[tuple[Ints, Ints]]:
        columns = csr_array(p.T)
        for rows in np.split(asked, parts):
            near = (p[rows] @ columns).tocoo()
            a, b = rows[near.row], near.col.astype(np.int64)
            later = _later(a, b, step)
            a, b = a[later], b[later]
            for start in range(0, len(a), _BLOCK // 64):
                own, other = a[start : start + _BLOCK // 64], b[start : start + _BLOCK // 64]
                close = np.asarray(x[own].multiply(x[other]).sum(axis=1)).ravel() >= bound
                yield own[close], other[close]

    return len(asked), blocks()


def _dense_pairs(
    vectors: npt.NDArray[Any], bound: float
) -> tuple[int, Iterator[tuple[Ints, Ints]]]:
    """The same of dense rows."""
    unit: Floats = unit_rows(vectors).astype(np.float32)
    step = -(-(len(unit) ** 2) * unit.shape[1] // _WORK)
    asked = np.arange(0, len(unit), step)

    def blocks() -> Iterator[tuple[Ints, Ints]]:
        size = max(1, _BLOCK // len(unit))
        for start in range(0, len(asked), size):
            rows = asked[start : start + size]
            begin = int(rows[0]) if step == 1 else 0
            at, b = np.nonzero(unit[rows] @ unit[begin:].T >= bound)
            a, b = rows[at], b + begin
            later = _later(a, b, step)
            yield a[later], b[later]

    return len(asked), blocks()


def _later(a: Ints, b: Ints, step: int) -> npt.NDArray[np.bool_]:
    """Each pair once: where ``b`` is looked up too, from the earlier row."""
    later: npt.NDArray[np.bool_] = (a < b) | ((a != b) & (b % step != 0))
    return later
