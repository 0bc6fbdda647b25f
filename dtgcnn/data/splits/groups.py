"""A stratified split that keeps groups whole."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..reading.equality import components
from ..reading.raw import IntArray

__all__ = ["held_out_shares", "join_groups", "split_grouped"]

_PASSES = 10


def join_groups(groups: IntArray, equal: IntArray) -> IntArray:
    """(N,) numbers of units that must not be parted: items of one group, and equal ones.

    Args:
        groups, equal: (N,) numbers, the same for items that belong together.
    """
    names, group = np.unique(groups, return_inverse=True)
    texts, text = np.unique(equal, return_inverse=True)
    edges = np.stack([group, len(names) + text], axis=1)
    unit_of: IntArray = components(edges, len(names) + len(texts))[group]
    return unit_of


def split_grouped(
    labels: IntArray, units: IntArray, train_split: float, rng: np.random.Generator
) -> tuple[IntArray, IntArray]:
    """Stratified split of N items: positions of the training and of the validation side, sorted.

    With n_c items of class c, of which v_c are to validate and q_c = (1 - train_split) n_c should,
    units are chosen to make

        Σ_c (v_c - q_c)² / n_c

    small: in random order each goes to validation where that lowers the sum, then each changes
    sides as long as that does. No unit validates that would leave a class fewer than two training
    items, or fewer than it has. A class that lies in one unit cannot be divided: all such classes
    count as one, and are held out whole. Where nothing lowers the sum, the unit that raises it
    least validates; where none can without leaving training less than two classes, one of them of
    two items, all train.

    Args:
        labels: (N,) classes.
        units: (N,) numbers of ``join_groups``.
        train_split: share of the training side.
        rng: decides what is drawn.
    """
    unit = np.unique(units, return_inverse=True)[1]
    classes = np.unique(labels, return_inverse=True)[1]
    divisible = _spread(classes, unit)
    strata = np.where(divisible[classes], classes, len(divisible))
    chooser = _Chooser(strata, unit, train_split, least=np.append(np.where(divisible, 2, 0), 0))
    order = rng.permutation(unit.max() + 1).tolist()
    chosen = chooser.choose(order)
    if train_split < 1 and not chosen.any():
        for u in sorted(order, key=chooser.cost_of):  # sorted keeps the random order of ties
            if chooser.may(u):
                chosen[u] = True
                if _trainable(classes[~chosen[unit]]):
                    break
                chosen[u] = False
    side = chosen[unit]
    if not _trainable(classes[~side]):
        side[:] = False
    return np.flatnonzero(~side), np.flatnonzero(side)


def held_out_shares(labels: IntArray, validation: IntArray) -> NDArray[np.float64]:
    """The share of each class that validates; NaN where a class has no item."""
    size = labels.max() + 1
    held = np.bincount(labels[validation], minlength=size)
    with np.errstate(invalid="ignore"):
        return held / np.bincount(labels, minlength=size)


def _spread(classes: IntArray, unit: IntArray) -> NDArray[np.bool_]:
    """Which classes lie in more than one unit."""
    lowest = np.full(classes.max() + 1, len(unit))
    highest = np.full(classes.max() + 1, -1)
    np.minimum.at(lowest, classes, unit)
    np.maximum.at(highest, classes, unit)
    spread: NDArray[np.bool_] = lowest < highest
    return spread


def _trainable(classes: IntArray) -> bool:
    counts = np.unique(classes, return_counts=True)[1]
    return len(counts) >= 2 and bool(counts.max() >= 2)


class _Chooser:
    """Chooses the units that validate. Plain lists: a unit has few classes, and there are many."""

    def __init__(
        self, strata: IntArray, unit: IntArray, train_split: float, least: IntArray
    ) -> None:
        sizes = np.bincount(strata, minlength=len(least))
        self._sizes: list[int] = sizes.tolist()
        self._most: list[int] = (sizes - np.minimum(least, sizes)).tolist()
        self._due: list[float] = ((1.0 - train_split) * sizes).tolist()
        self._held = [0] * len(least)
        self._contents: list[list[tuple[int, int]]] = [[] for _ in range(unit.max() + 1)]
        pairs, counts = np.unique(np.stack([unit, strata], axis=1), axis=0, return_counts=True)
        for (u, c), count in zip(pairs.tolist(), counts.tolist(), strict=True):
            self._contents[u].append((c, count))

    def choose(self, order: list[int]) -> NDArray[np.bool_]:
        chosen = [False] * len(order)
        for _ in range(_PASSES):
            changed = False
            for u in order:
                sign = -1 if chosen[u] else 1
                if self.cost_of(u, sign) < -1e-12 and (chosen[u] or self.may(u)):
                    chosen[u], changed = not chosen[u], True
                    for c, count in self._contents[u]:
                        self._held[c] += sign * count
            if not changed:
                break
        return np.array(chosen)

    def cost_of(self, u: int, sign: int = 1) -> float:
        """By how much the sum changes where a unit goes to validation, or comes back."""
        change = 0.0
        for c, count in self._contents[u]:
            beyond = self._held[c] - self._due[c]
            change += sign * count * (2 * beyond + sign * count) / self._sizes[c]
        return change

    def may(self, u: int) -> bool:
        """Whether every class keeps what it must where the unit goes to validation."""
        return all(self._held[c] + count <= self._most[c] for c, count in self._contents[u])
