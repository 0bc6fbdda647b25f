"""Batches made of other batches: several joined into one, or one divided into two."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..reading.raw import IntArray
from .loader import Batch, count_triplets

__all__ = ["halves", "join"]


def join(batches: Sequence[Batch]) -> Batch:
    """One batch of all rows, in order; triplets keep pointing at their own rows."""
    if len(batches) == 1:
        return batches[0]
    items = np.concatenate([batch.items for batch in batches])
    labels = np.concatenate([batch.labels for batch in batches])
    if batches[0].triplets is None:
        return Batch(items, labels, None, count_triplets(items, labels))
    starts = np.cumsum([0, *(len(batch.items) for batch in batches)])[:-1]
    triplets = [
        batch.triplets + np.int32(start)
        for batch, start in zip(batches, starts, strict=True)
        if batch.triplets is not None
    ]
    joined = np.concatenate(triplets).astype(np.int32)
    return Batch(items, labels, joined, len(joined))


def halves(batch: Batch) -> list[Batch]:
    """Two batches that share the triplets, or the classes, or else the rows of every class.

    Fewer than two where a half would hold no triplet.
    """
    if batch.triplets is not None:
        middle = len(batch.triplets) // 2
        parts = [_of_triplets(batch, part) for part in np.split(batch.triplets, [middle])]
    else:
        classes = np.unique(batch.labels)
        if len(classes) >= 4:
            first = np.isin(batch.labels, classes[: len(classes) // 2])
        else:
            place = np.zeros(len(batch.labels), int)
            for label in classes:
                rows = np.flatnonzero(batch.labels == label)
                place[rows] = 2 * np.arange(len(rows)) // len(rows)
            first = place == 0
        parts = [_of_rows(batch, np.flatnonzero(side)) for side in (first, ~first)]
    return parts if all(part.valid_triplets for part in parts) else []


def _of_triplets(batch: Batch, triplets: NDArray[np.int32]) -> Batch:
    rows = triplets.T.reshape(-1)
    positions = np.arange(len(rows), dtype=np.int32).reshape(3, -1).T
    own = np.ascontiguousarray(positions)
    return Batch(batch.items[rows], batch.labels[rows], own, len(triplets))


def _of_rows(batch: Batch, rows: IntArray) -> Batch:
    items, labels = batch.items[rows], batch.labels[rows]
    return Batch(items, labels, None, count_triplets(items, labels))
