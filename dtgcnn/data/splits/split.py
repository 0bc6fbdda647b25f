"""Splitting a dataset into training and validation sides that share no text."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..reading.equality import components
from ..reading.raw import IntArray

__all__ = [
    "single_rows",
    "split_labelled",
    "split_triplets",
    "systematic_rounding",
]


def systematic_rounding(shares: NDArray[np.float64], rng: np.random.Generator) -> IntArray:
    """Round each share up or down at random, without bias; the sum is rounded in the same way.

    Systematic sampling (Madow 1949) over the shares in random order: one uniform offset decides
    every rounding, so a share of 0.3 becomes 1 in three of ten draws and the total hardly varies.
    """
    counts = np.floor(shares + 1e-9)
    rest = np.maximum(shares - counts, 0.0)
    order = rng.permutation(len(shares))
    ends = np.floor(np.cumsum(rest[order]) + rng.uniform(1e-9, 1 - 1e-6))
    counts[order] += np.diff(ends, prepend=0.0)
    return counts.astype(np.int64)


def single_rows(labels: IntArray) -> IntArray:
    """The classes of one item, where there are two or more of several, so that batches are drawn
    from these alone; see ``ClassBalancedSampler``."""
    classes, counts = np.unique(labels, return_counts=True)
    several = (counts > 1).sum()
    return classes[counts == 1] if several > 1 else classes[:0]


def split_labelled(
    labels: IntArray, groups: IntArray, train_split: float, rng: np.random.Generator
) -> tuple[IntArray, IntArray]:
    """Stratified split of N items: positions of the training and of the validation side, sorted.

    Each class gives its share to validation but keeps two items (or all it has) in training.
    Items of one group stay together; a group that spans classes trains.

    Args:
        labels: (N,) classes.
        groups: (N,) numbers of ``equal_groups``.
        train_split: share of the training side.
        rng: decides what is drawn.
    """
    classes, position, counts = np.unique(labels, return_inverse=True, return_counts=True)
    quotas = systematic_rounding(counts.astype(np.float64) * (1.0 - train_split), rng)
    quotas = np.minimum(quotas, np.maximum(counts - 2, 0))
    group = np.unique(groups, return_inverse=True)[1]
    lowest = np.full(group.max() + 1, len(classes))
    highest = np.full(group.max() + 1, -1)
    np.minimum.at(lowest, group, position)
    np.maximum.at(highest, group, position)
    sizes = np.bincount(group)
    in_validation = np.zeros(len(sizes), bool)
    shuffled = rng.permutation(len(sizes))
    shuffled = shuffled[(lowest == highest)[shuffled]]
    by_class = shuffled[np.argsort(lowest[shuffled], kind="stable")]
    bounds = np.searchsorted(lowest[by_class], np.arange(len(classes) + 1))
    for c, quota in enumerate(quotas):
        candidates = by_class[bounds[c] : bounds[c + 1]]
        in_validation[candidates[np.cumsum(sizes[candidates]) <= quota]] = True
    side = in_validation[group]
    return np.flatnonzero(~side), np.flatnonzero(side)


def split_triplets(
    triplets: IntArray,
    groups: IntArray,
    train_split: float,
    rng: np.random.Generator,
    joined: IntArray | None = None,
) -> tuple[IntArray, IntArray]:
    """Rows of ``triplets`` for training and for validation; rows that would leak are in neither.

    Items that are joined by an anchor-positive pair, or equal, form a component, and a component
    lies on one side. Validation grows from a random component along the components of its
    negatives, since a triplet counts only if its negative is on its side too: on Banking77 this
    keeps 9% of the triplets for validation at a share of 10%, where components drawn
    independently keep 5%. Components that serve only as negatives follow the triplets that use
    them, validation first. Where no division leaves both sides a triplet, all of them train.

    Args:
        triplets: (T, 3) item indices.
        groups: (N,) numbers of ``equal_groups``.
        train_split: share of the training side.
        rng: decides what is drawn.
        joined: (T,) numbers; triplets of the same one are joined too.
    """
    first = np.unique(groups, return_index=True)[1]
    equal = np.stack([np.arange(len(groups)), first[groups]], axis=1)
    edges = [triplets[:, :2], equal]
    if joined is not None:
        _, leader, group = np.unique(joined, return_index=True, return_inverse=True)
        edges.append(np.stack([triplets[:, 0], triplets[leader[group], 0]], axis=1))
    component = components(np.concatenate(edges), len(groups))
    anchor, negative = component[triplets[:, 0]], component[triplets[:, 2]]
    target = round((1.0 - train_split) * len(triplets))
    everything, nothing = np.arange(len(triplets)), np.empty(0, np.int64)
    if train_split == 1.0 or len(triplets) < 2:
        return everything, nothing
    for validation in (
        _grow(anchor, negative, max(1, target), rng),
        _one_apart(anchor, negative, rng),
    ):
        train, held_out = _sides(anchor, negative, validation)
        if len(train) and len(held_out):
            return train, held_out
    return everything, nothing


def _grow(anchor: IntArray, negative: IntArray, target: int, rng: np.random.Generator) -> IntArray:
    """Components whose triplets number about ``target``, at most unless the first exceeds it."""
    counts = np.bincount(anchor, minlength=max(anchor.max(), negative.max()) + 1)
    by_component = np.argsort(anchor, kind="stable")
    starts = np.concatenate([[0], np.cumsum(counts)])
    order = rng.permutation(np.flatnonzero(counts))
    if not (counts[order] <= target).any():
        return np.array([order[np.argmin(counts[order])]])
    chosen: list[int] = []
    seen = set(np.flatnonzero((counts == 0) | (counts > target)).tolist())
    held = 0
    for start in order.tolist():
        queue = [start]
        for c in queue:
            if c in seen or held + counts[c] > target:
                continue
            seen.add(c)
            chosen.append(c)
            held += int(counts[c])
            queue += negative[by_component[starts[c] : starts[c + 1]]].tolist()
        if held == target:
            break
    return np.array(chosen, np.int64)


def _one_apart(anchor: IntArray, negative: IntArray, rng: np.random.Generator) -> IntArray:
    """The components of one triplet that leaves another one untouched; none if there is none."""
    for t in rng.permutation(len(anchor)):
        own = np.array([anchor[t], negative[t]])
        if (~np.isin(anchor, own) & ~np.isin(negative, own)).any():
            return own
    return np.empty(0, np.int64)


def _sides(anchor: IntArray, negative: IntArray, validation: IntArray) -> tuple[IntArray, IntArray]:
    """Rows wholly on the training side and wholly on the validation side."""
    size = max(anchor.max(), negative.max()) + 1
    anchored = np.bincount(anchor, minlength=size) > 0
    held_out = np.zeros(size, bool)
    held_out[validation] = True
    followers = negative[held_out[anchor]]
    held_out[followers[~anchored[followers]]] = True
    in_train = ~held_out[anchor] & ~held_out[negative]
    in_validation = held_out[anchor] & held_out[negative]
    return np.flatnonzero(in_train), np.flatnonzero(in_validation)
