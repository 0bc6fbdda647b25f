"""TripletLoader: the batches of one side of a dataset, a pure function of seed and epoch; and how a
dataset is divided into two of them."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ...config import check_whole
from ..checks import check_part, check_rows, check_share
from ..items import Items, check_items
from ..reading.raw import IntArray
from ..splits.divide import LEAST_CLASSES, Division
from .prefetch import Prefetcher
from .sampler import ClassBalancedSampler, TripletSampler

__all__ = ["Batch", "TripletLoader", "make_loaders", "usual_classes", "usual_split"]

MOST_HELD_OUT = 10_000
"""Most rows, or triplets, that are held out where no share is named: more would tell an epoch from
another no better, and take their time after each."""


@dataclass(frozen=True)
class Batch:
    """One batch, as indices into its dataset.

    Attributes:
        items: (n,) item indices into the dataset.
        labels: (n,) their classes.
        triplets: (t, 3) positions in the batch of anchors, positives and negatives; None where
            triplets are to be mined from the labels.
        valid_triplets: how many triplets the batch holds: t, or the (anchor, positive, negative)
            that its labels allow, anchor and positive being different items.
    """

    items: IntArray
    labels: NDArray[np.int32]
    triplets: NDArray[np.int32] | None
    valid_triplets: int


class _Sampler(Protocol):
    seed: int

    @property
    def num_batches(self) -> int: ...

    def batches(self, epoch: int) -> Iterator[IntArray]: ...

    def restrict(self, rows: IntArray | None) -> None: ...


class TripletLoader:
    """Batches of one side of a dataset.

    Triplets: a batch holds B = min(batch_size, T) of them and 3B items, laid out as anchors, then
    positives, then negatives. Training shuffles them every epoch and drops a partial last batch,
    so that every shape is the same; validation keeps order and partial batch.

    Labelled data: every batch is P classes times K items; see ``ClassBalancedSampler``.
    Validation repeats the batches of epoch 0, and has none where its items allow no triplet:
    metrics are computed from ``items`` as a whole.

    Args:
        dataset: the data that indices refer to.
        chosen: rows of ``dataset.triplets``, or item indices of labelled data, of this side.
        batch_size: triplets, or items of labelled data, a batch.
        samples_per_class: K, of labelled data only.
        seed: decides the order of every epoch.
        training: whether epochs differ.
        dropped: triplets that the split left out of both sides.

    Raises:
        ValueError: an argument is out of its range, the data have neither labels nor triplets, or a
            chosen item has no label.

    Attributes:
        items: all item indices of this side, sorted.
        labels: the class of each of them.
        triplets: (T, 3) item indices of this side's triplets; None for labelled data.
        training: as given.
        pseudo: the items whose class is a pseudo-label.
        nodes: items that no batch holds, and that the bank takes in as nodes without a class.
    """

    def __init__(
        self,
        dataset: Items,
        chosen: IntArray,
        batch_size: int,
        *,
        samples_per_class: int = 4,
        seed: int = 0,
        training: bool = True,
        dropped: int = 0,
    ) -> None:
        check_items("dataset", dataset)
        if dataset.labels is None:
            raise ValueError("dataset must hold triplets or labels, it holds single texts")
        check_whole("batch_size", batch_size, 1)
        check_whole("samples_per_class", samples_per_class, 2)
        check_whole("seed", seed, 0)
        chosen = check_rows("chosen", chosen, len(dataset))
        if dataset.triplets is None and (dataset.labels[chosen] < 0).any():
            item = int(chosen[np.argmax(dataset.labels[chosen] < 0)])
            raise ValueError(f"chosen must be items with a label, {dataset.place(item)} has none")
        self.dataset = dataset
        self.batch_size = batch_size
        self.samples_per_class = samples_per_class
        self.dropped = dropped
        self._labels = dataset.labels
        self.training = training
        self._epoch = 0
        self.pseudo = self.nodes = np.array([], np.int64)
        self._hold(np.sort(chosen) if dataset.triplets is None else dataset.triplets[chosen], seed)

    def __len__(self) -> int:
        """Batches an epoch."""
        return self._sampler.num_batches

    def _hold(self, rows: IntArray, seed: int) -> None:
        """Draw from triplets ``rows`` (T, 3), or from items (N,), sorted."""
        self.triplets = rows if rows.ndim == 2 else None
        self.items = rows if self.triplets is None else np.unique(rows)
        self.labels = self._labels[self.items]
        self._sampler: _Sampler
        if self.triplets is None:
            sizes = self.batch_size, self.samples_per_class
            self._sampler = ClassBalancedSampler(self.labels, *sizes, seed)
        else:
            self._sampler = TripletSampler(len(rows), self.batch_size, seed, self.training)

    @property
    def seed(self) -> int:
        """What decides the order of every epoch."""
        return self._sampler.seed

    def __iter__(self) -> Iterator[Batch]:
        """The batches of epoch 0, then 1, and so on, one epoch further at every call."""
        epoch, self._epoch = self._epoch, self._epoch + 1
        return self.batches(epoch)

    def batches(
        self, epoch: int, start: int = 0, prefetcher: Prefetcher | None = None
    ) -> Iterator[Batch]:
        """The batches of one epoch, the same at every call.

        Args:
            epoch: from 0.
            start: how many batches to leave out at the beginning.
            prefetcher: assembles batches ahead, in threads.
        """
        picked = islice(self._sampler.batches(epoch if self.training else 0), start, None)
        return (prefetcher or Prefetcher()).map(self._assemble, picked)

    def with_seed(self, seed: int) -> TripletLoader:
        """A loader of the same items and triplets, whose epochs come in the order of ``seed``."""
        check_whole("seed", seed, 0)
        other = copy.copy(self)
        other._sampler, other._epoch = copy.copy(self._sampler), 0
        other._sampler.seed = seed
        return other

    def with_pseudo_labels(
        self, items: IntArray, labels: IntArray, nodes: IntArray
    ) -> TripletLoader:
        """A loader that draws from ``items`` too, as if their classes were ``labels``; ``nodes`` as
        the attribute."""
        other = copy.copy(self)
        other._labels, other._epoch = self._labels.copy(), 0
        other._labels[items] = labels
        other.pseudo, other.nodes = np.sort(items), np.sort(nodes)
        other._hold(np.union1d(self.items, items), self.seed)
        return other

    def without(self, items: Sequence[int]) -> TripletLoader:
        """A validation loader but for these items, and for triplets of which one is anchor or
        positive."""
        other = copy.copy(self)
        if self.triplets is None:
            other._hold(np.setdiff1d(self.items, items), self.seed)
        else:
            known = np.isin(self.triplets[:, :2], items).any(axis=1)
            other._hold(self.triplets[~known], self.seed)
        return other

    def restrict(self, rows: IntArray | None) -> None:
        """Draw training batches from these rows of ``triplets`` only, of labelled data from these
        positions in ``items``; None draws from all again.

        An epoch keeps its number of batches, so each row comes more often in it.

        Raises:
            ValueError: the loader validates, no row is given, a row does not exist, or a class
                has none of them.
        """
        if not self.training:
            raise ValueError("rows cannot be chosen: the loader validates, always on all of them")
        self._sampler.restrict(rows)

    def _assemble(self, picked: IntArray) -> Batch:
        by_triplet = self.triplets is not None
        rows = self.items[picked] if self.triplets is None else self.triplets[picked].T.reshape(-1)
        return batch_of(rows, self._labels[rows].astype(np.int32), by_triplet)


def batch_of(items: IntArray, labels: NDArray[np.int32], by_triplet: bool) -> Batch:
    """A batch of items, and their classes; with ``by_triplet`` all anchors come first, then
    positives, then negatives."""
    if not by_triplet:
        return Batch(items, labels, None, count_triplets(items, labels))
    positions = np.arange(len(items), dtype=np.int32).reshape(3, -1).T
    return Batch(items, labels, np.ascontiguousarray(positions), len(positions))


def count_triplets(items: IntArray, labels: NDArray[np.int32]) -> int:
    """(a, p, n) with labels a = p ≠ n and different items a, p: Σ_c (m_c² − Σ_i r_i²)(N − m_c),
    m_c the size of class c in the batch and r_i how often item i of it occurs."""
    _, first, repeats = np.unique(items, return_index=True, return_counts=True)
    _, of_item = np.unique(labels[first], return_inverse=True)
    sizes = np.bincount(of_item, weights=repeats)
    same_item = np.bincount(of_item, weights=repeats.astype(np.float64) ** 2)
    return int(((sizes**2 - same_item) * (len(items) - sizes)).sum())


def usual_split(dataset: Items) -> float:
    """The share that trains where none is named; triplets between both sides are lost to either."""
    least = 0.8 if dataset.triplets is None else 0.9
    return max(least, 1 - MOST_HELD_OUT / len(dataset.training_rows()))


def usual_classes(dataset: Items, train_split: float) -> float:
    """The share of the classes that is held out of a run that chooses the epoch: a tenth, of many
    rows so many as have ``MOST_HELD_OUT`` of them, but ``LEAST_CLASSES`` at least. None where all
    rows train, or where labels are spread over others."""
    if train_split == 1 or dataset.labels is None or len(dataset.unlabelled_items()) > 0:
        return 0.0
    _, counts = np.unique(dataset.labels[dataset.training_items()], return_counts=True)
    several = max(int((counts > 1).sum()), 1)  # classes of one row are not held out
    return min(0.1, max(MOST_HELD_OUT / int(counts.sum()), LEAST_CLASSES / several))


def make_loaders(
    dataset: Items,
    batch_size: int,
    train_split: float,
    seed: int,
    samples_per_class: int,
    groups: Sequence[str | int | float] | NDArray[Any] | None = None,
    notes: dict[str, str] | None = None,
    held_out_classes: float = 0.0,
) -> tuple[TripletLoader, TripletLoader]:
    """What ``TripletDataset.create_dataloaders`` promises; ``notes`` as those of ``Division``."""
    check_whole("batch_size", batch_size, 1 if dataset.triplets is not None else 4)
    check_whole("seed", seed, 0)
    check_share("train_split", train_split)
    check_part("held_out_classes", held_out_classes)
    division = Division(dataset, groups, notes)
    rng = np.random.Generator(np.random.PCG64(seed))
    count = len(division.everything)
    if division.validation is None:
        train, validation = division.divide(division.everything, train_split, rng)
    else:
        train, validation = division.everything, division.validation
        validation = validation[:0] if train_split == 1 else validation
        count += len(validation)
    if held_out_classes and dataset.triplets is None:
        train, validation = division.hold_classes_out(train, validation, held_out_classes, rng)

    def loader(chosen: IntArray, training: bool) -> TripletLoader:
        return TripletLoader(
            dataset,
            chosen,
            batch_size,
            samples_per_class=samples_per_class,
            seed=seed,
            training=training,
            dropped=count - len(train) - len(validation),
        )

    if train_split < 1:  # those who train again on all have told it before
        division.note_unused(train)
        division.note_columns(train)
    return loader(train, True), loader(validation, False)
