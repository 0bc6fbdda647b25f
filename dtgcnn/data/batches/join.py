"""Batches made of other batches: several joined into one, or one divided into two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .loader import Batch, batch_of

__all__ = ["halves", "join"]


def join(batches: Sequence[Batch]) -> Batch:
    """One batch of all rows, in order; triplets keep pointing at their own rows."""
    if len(batches) == 1:
        return batches[0]
    items = np.concatenate([batch.items for batch in batches])
    labels = np.concatenate([batch.labels for batch in batches])
    if batches[0].triplets is None:
        return batch_of(items, labels, by_triplet=False)
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
    parts: list[NDArray[Any]]
    if batch.triplets is not None:
        middle = len(batch.triplets) // 2
        parts = [part.T.reshape(-1) for part in np.split(batch.triplets, [middle])]
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
        parts = [np.flatnonzero(side) for side in (first, ~first)]
    by_triplet = batch.triplets is not None
    found = [batch_of(batch.items[rows], batch.labels[rows], by_triplet) for rows in parts]
    return found if all(half.valid_triplets for half in found) else []
