"""Dividing a dataset into sides, or into several parts, that share no text and no group."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...config import check_whole, refuse_unless
from ..checks import check_share
from ..items import Items
from ..reading.arrays import column
from ..reading.equality import equal_groups
from ..reading.raw import IntArray, listed
from ..reading.source import Source
from .groups import held_out_shares, join_groups, split_grouped
from .split import single_rows, split_labelled, split_triplets

__all__ = ["LEAST_CLASSES", "Division", "split_dataset"]

_log = logging.getLogger("dtgcnn")

NOTHING_HELD_OUT = "nothing held out"

LEAST_CLASSES = 3
"""Fewer classes are not held out: among two, a row's nearest other is its like by chance."""

MOST_OF_LENGTH, COLUMN_ROWS = 0.5, 10_000
"""What of vectors' squared length, of so many rows at most, one of three columns or more may hold
without a note."""


def split_dataset(
    dataset: Items,
    shares: Sequence[float],
    seed: int = 0,
    groups: Sequence[str | int | float] | NDArray[Any] | None = None,
) -> tuple[IntArray, ...]:
    """What ``TripletDataset.split`` promises."""
    refuse_unless(isinstance(shares, Iterable), "shares", "must be a list of shares", shares)
    for share in shares:
        check_share("shares", share)
    if len(shares) < 2 or abs(sum(shares) - 1) > 1e-6:
        raise ValueError(f"shares must be two or more that sum to 1, received {tuple(shares)}")
    check_whole("seed", seed, 0)
    division = Division(dataset, groups)
    rng = np.random.Generator(np.random.PCG64(seed))
    parts: list[IntArray] = []
    rest, left = division.everything, 1.0
    for share in reversed(shares[1:]):
        rest, part = division.divide(rest, 1 - share / left, rng)
        parts.insert(0, part)
        left -= share
    return rest, *parts


class Division:
    """What of a dataset must stay together.

    Args:
        dataset: must be one that can be trained on.
        groups: a name for each triplet, or for each item where there are no triplets; by default
            those of the dataset.
        notes: what a person should be told is put here, by what it is about; it is logged as
            warnings where there is no such place.

    Attributes:
        everything: the rows of all triplets, or the items that may be trained on.
        validation: the items that the data name as those to validate on, without those that share a
            text or a group with ``everything``; None where it names none.

    Raises:
        DataError: the data cannot be trained on, or ``groups`` is not one name each.
    """

    def __init__(
        self,
        dataset: Items,
        groups: Sequence[str | int | float] | NDArray[Any] | None = None,
        notes: dict[str, str] | None = None,
    ) -> None:
        self._dataset, self._notes = dataset, notes
        self.everything = dataset.training_rows()
        equal = dataset.equal
        self._equal = equal_groups(dataset.texts, dataset.features) if equal is None else equal
        names = dataset.groups
        if groups is not None:
            names = column(Source(dataset.source), "groups", groups, len(dataset))
        self._groups = None if names is None else np.unique(names, return_inverse=True)[1]
        self.validation = self._validation()

    def divide(
        self, chosen: IntArray, train_split: float, rng: np.random.Generator
    ) -> tuple[IntArray, IntArray]:
        """What of ``chosen``, rows of triplets or items, trains and what validates; the report of
        it is logged."""
        dataset, groups = self._dataset, self._groups
        if dataset.triplets is not None:
            joined = None if groups is None else groups[chosen]
            triplets = dataset.triplets[chosen]
            sides = split_triplets(triplets, self._equal, train_split, rng, joined)
            self._report_triplets(len(chosen), len(sides[0]), len(sides[1]), train_split)
        else:
            assert dataset.labels is not None
            labels, equal = dataset.labels[chosen], self._equal[chosen]
            if groups is None:
                sides = split_labelled(labels, equal, train_split, rng)
                if train_split < 1 and not len(sides[1]):
                    self._note(
                        NOTHING_HELD_OUT,
                        "no row can be held out, since each class keeps two to train on and equal "
                        f"rows stay together: all {len(chosen):,} train, and nothing tells which "
                        "epoch is best",
                    )
            else:
                units = join_groups(groups[chosen], equal)
                sides = split_grouped(labels, units, train_split, rng)
                self._report_grouped(labels, groups[chosen], sides[1], train_split)
        return chosen[sides[0]], chosen[sides[1]]

    def hold_classes_out(
        self, train: IntArray, validation: IntArray, share: float, rng: np.random.Generator
    ) -> tuple[IntArray, IntArray]:
        """Both sides, sorted, once a share of the classes that have two items in ``train`` is in
        ``validation`` alone; as they were where that makes fewer than ``LEAST_CLASSES``, or leaves
        fewer than two. Items of these classes that share a text or a group with one that trains
        are on neither side."""
        labels = self._dataset.labels
        assert labels is not None
        classes, counts = np.unique(labels[train], return_counts=True)
        usable = classes[counts >= 2]
        count = min(round(share * len(usable)), len(usable) - 2)
        if count < LEAST_CLASSES:
            return train, validation
        held = np.isin(labels[train], rng.permutation(usable)[:count])
        rest, units = train[~held], self._units()
        moved = train[held]
        moved = moved[~np.isin(units[moved], units[rest])]
        return rest, np.sort(np.concatenate([validation, moved]))

    def _units(self) -> IntArray:
        """(N,) numbers of what must stay together: equal items, and groups where there are some."""
        return self._equal if self._groups is None else join_groups(self._groups, self._equal)

    def _validation(self) -> IntArray | None:
        dataset, labels = self._dataset, self._dataset.labels
        named = dataset.validation_items()
        if dataset.triplets is not None or labels is None or not len(named):
            return None
        units = self._units()
        known = named[labels[named] >= 0]
        apart = known[~np.isin(units[known], units[self.everything])]
        if len(apart) < len(known):
            self._note(
                "validation rows",
                f"{len(known) - len(apart):,} of {len(known):,} validation rows share a text or a "
                "group with a row of train, and do not validate",
            )
        return apart

    def _note(self, about: str, message: str) -> None:
        if self._notes is None:
            _log.warning("%s: %s", self._dataset.source, message)
        else:
            self._notes[about] = message

    def note_unused(self, train: IntArray) -> None:
        """Tell of rows that no batch draws, and of those in splits that are not used."""
        dataset = self._dataset
        unread = dataset.unread_splits()
        if unread:
            count = sum(split in unread for split in dataset.splits or [])
            self._note(
                "unused splits",
                f"{count:,} rows are neither trained on nor measured, those of the splits "
                f"{listed(unread)}",
            )
        if dataset.triplets is not None or dataset.labels is None:
            return
        single = single_rows(dataset.labels[train])
        if len(single):
            names = dataset.label_names or []
            self._note(
                "single rows",
                f"{len(single):,} classes have one row to train on, which no batch draws: "
                f"{listed(names[label] for label in single)}",
            )

    def note_columns(self, train: IntArray) -> None:
        """Tell where one column of the vectors that train leaves little to the others."""
        x, triplets = self._dataset.features, self._dataset.triplets
        if x is None or x.shape[1] < 3:
            return
        items = train if triplets is None else np.unique(triplets[train])
        squares = x[items[:: -(-len(items) // COLUMN_ROWS) or 1]].astype(np.float64) ** 2
        lengths = squares.sum(axis=1, keepdims=True)
        shares = np.divide(squares, lengths, out=squares, where=lengths > 0).mean(axis=0)
        largest = int(shares.argmax())
        if shares[largest] > MOST_OF_LENGTH:
            self._note(
                "uneven columns",
                f"column {largest} (counting from 0) holds {shares[largest]:.0%} of the vectors' "
                "squared length, more than all others; where classes have four rows on average, "
                "training tries columns of one scale (standardize)",
            )

    def _report_triplets(self, count: int, train: int, validation: int, train_split: float) -> None:
        source, dropped = self._dataset.source, count - train - validation
        if dropped:
            _log.info(
                "%s: %s of %s triplets left out, since they have texts on both sides; "
                "%s train and %s validate",
                *(source, *(f"{number:,}" for number in (dropped, count, train, validation))),
            )
        elif train_split < 1 and not validation:
            self._note(
                NOTHING_HELD_OUT,
                f"the triplets share texts so that none can be held out; all {train:,} train",
            )

    def _report_grouped(
        self, labels: IntArray, groups: IntArray, validation: IntArray, train_split: float
    ) -> None:
        source, count = self._dataset.source, len(np.unique(groups))
        if not len(validation):
            if train_split < 1:
                self._note(
                    NOTHING_HELD_OUT,
                    f"the {count:,} groups and the classes are so mixed that none can be held out; "
                    f"all {len(labels):,} items train",
                )
            return
        shares = held_out_shares(labels, validation)
        worst = int(np.nanargmax(np.abs(shares - (1 - train_split))))
        names = self._dataset.label_names
        _log.info(
            "%s: %s of %s groups validate, %.1f%% of the items where %.1f%% should; of the class "
            "furthest from that, %s, it is %.1f%%",
            source,
            f"{len(np.unique(groups[validation])):,}",
            f"{count:,}",
            100 * len(validation) / len(labels),
            100 * (1 - train_split),
            worst if names is None else repr(names[worst]),
            100 * shares[worst],
        )
