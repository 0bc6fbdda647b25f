"""``Items``: texts or features, and which of them belong together."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..config import refuse_unless
from .classes import consistent, names_in_order
from .reading.equality import components
from .reading.inputs import in_single, unmasked
from .reading.raw import UNLABELLED, FloatArray, IntArray, Kind, RawData, listed, unread
from .reading.source import Source

__all__ = ["VALIDATION", "Items", "check_items"]

VALIDATION = ("val", "dev")
"""How the names of splits begin that choose the epoch: validation, valid, val and dev."""


class Items:
    """Items (texts or feature vectors) with triplets over them, with class labels, or with neither.

    Attributes:
        kind: "triplets", "labelled", or "texts" for items without labels.
        texts: N texts, or None where the items are features.
        features: (N, D) float32, or None where the items are texts.
        labels: (N,) int64 classes, indices into ``label_names``, −1 where the class is not known.
            Of triplets: the connected component of each item in the graph that joins anchors with
            their positives.
        label_names: class names in order (by number where all are whole numbers), None for
            triplets.
        triplets: (T, 3) int64 item indices of anchor, positive and negative.
        splits: the split name of each item, where the source gives one.
        groups: the name of the group of each triplet, or of each item where there are no triplets,
            where the source gives one: ``create_dataloaders`` parts no group.
        targets: (N,) float32, what a regression head is to predict of each item, NaN where that is
            not known; None where nothing is to be predicted. See ``set_targets``.
        source: the file or the call that the data came from, for messages.
        unread: its columns that were not read.

    Raises:
        DataError: the data breaks a rule; the message names file, row, rule and value.
    """

    kind: Kind
    texts: list[str] | None
    features: FloatArray | None
    labels: IntArray | None
    label_names: list[str] | None
    triplets: IntArray | None
    splits: list[str] | None
    groups: list[str] | None
    equal: IntArray | None
    targets: NDArray[np.float32] | None
    source: str
    unread: tuple[str, ...]

    @classmethod
    def _from_raw(cls, raw: RawData) -> Self:
        items = cls.__new__(cls)
        items._fill(raw)
        return items

    def _fill(self, raw: RawData) -> None:
        raw.require_label()
        self.kind = raw.kind
        self.source = raw.source.name
        self.unread = raw.source.unread
        self._source, self._rows = raw.source, raw.rows
        self.texts = raw.texts
        self.features = raw.features
        self.splits = raw.splits
        self.groups = raw.groups
        self.equal = raw.equal
        self.targets = None
        self.labels = self.label_names = self.triplets = None
        if raw.labels is not None:
            self.label_names = names_in_order(name for name in raw.labels if name != UNLABELLED)
            index = {UNLABELLED: -1} | {name: i for i, name in enumerate(self.label_names)}
            self.labels = np.fromiter((index[name] for name in raw.labels), np.int64)
        if raw.triplets is not None:
            self.labels = components(raw.triplets[:, :2], self.num_items)
            kept = consistent(raw, self.labels)
            self.triplets = raw.triplets[kept]
            if raw.groups is not None:
                self.groups = [name for name, keep in zip(raw.groups, kept, strict=True) if keep]

    @property
    def num_items(self) -> int:
        """N, the number of texts or feature rows."""
        return len(self.inputs)

    @property
    def inputs(self) -> list[str] | FloatArray:
        """The items as a model takes them: the texts, or else the features."""
        items = self.features if self.texts is None else self.texts
        assert items is not None
        return items

    def inputs_of(self, items: IntArray) -> list[str] | FloatArray:
        """``inputs`` of some items."""
        inputs = self.inputs
        return [inputs[item] for item in items] if isinstance(inputs, list) else inputs[items]

    def __len__(self) -> int:
        """The number of triplets, or of items where there are no triplets."""
        return self.num_items if self.triplets is None else len(self.triplets)

    def __repr__(self) -> str:
        classes = "" if self.label_names is None else f", {len(self.label_names)} classes"
        items = "texts" if self.features is None else f"vectors of {self.features.shape[1]}"
        triplets = "" if self.triplets is None else f"{len(self.triplets)} triplets over "
        return f"<TripletDataset {self.source}: {triplets}{self.num_items} {items}{classes}>"

    def set_targets(self, targets: ArrayLike) -> None:
        """Name the number (N,) that a regression head is to predict of each item.

        Raises:
            DataError: they are not N numbers, one of them is infinite, or none is known.
        """
        source = Source(f"{self.source}: targets")
        try:
            values = in_single(unmasked(np.asanyarray(targets)))
        except (TypeError, ValueError) as error:
            raise source.error(f"must be numbers: {error}") from None
        if values.shape != (self.num_items,):
            raise source.error(f"must have shape ({self.num_items},), received {values.shape}")
        infinite = np.flatnonzero(np.isinf(values))
        if len(infinite):
            raise source.error(f"must be finite in float32 or NaN; row {infinite[0]} is not")
        if np.isnan(values).all():
            raise source.error("must hold one number or more, all are NaN")
        self.targets = values

    def place(self, item: int) -> str:
        """What messages call an item: ``"line 7"`` of a file, or ``"row 3 (counting from 0)"`` of
        arrays; of triplets, whose rows are no items, ``"item 3 (counting from 0)"``."""
        if self.triplets is not None:
            return f"item {item} (counting from 0)"
        return self._source.place(self._rows[item])

    def split_items(self, prefix: str) -> IntArray:
        """Indices of the items whose split begins with ``prefix`` (any case): "train" is train_5
        too. Empty where no item is in such a split or the data names no splits."""
        splits = self.splits or []
        found = [
            i for i, split in enumerate(splits) if split.casefold().startswith(prefix.casefold())
        ]
        return np.array(found, np.int64)

    def validation_items(self) -> IntArray:
        """Indices of the items of a split whose name begins with ``val`` or ``dev``, sorted."""
        return np.sort(np.concatenate([self.split_items(prefix) for prefix in VALIDATION]))

    def held_out_items(self) -> tuple[IntArray, str]:
        """Indices of the items of split "test", or where there are none, those of validation; and
        the name of that split. Empty where the data name neither."""
        test = self.split_items("test")
        return (test, "test") if len(test) else (self.validation_items(), "validation")

    def unread_splits(self) -> list[str]:
        """The names of splits that are neither trained on nor measured, sorted."""
        read = ("train", "test", *VALIDATION)
        names = {split for split in self.splits or [] if not split.casefold().startswith(read)}
        return sorted(names)

    def names_of(self, items: Iterable[int]) -> list[str]:
        """The names of the classes of items; an empty one where it is not known.

        Raises:
            DataError: the data have no classes.
        """
        if self.label_names is None or self.labels is None:
            raise Source(self.source).error("has no classes")
        names = [*self.label_names, UNLABELLED]  # the last one is at −1
        return [names[self.labels[item]] for item in items]

    def unlabelled_items(self) -> IntArray:
        """Indices of the items of split "train", or of all where no splits are named, whose class
        is not known. Empty where none has a class."""
        if self.label_names is None or self.labels is None:
            return np.array([], np.int64)
        items = np.arange(self.num_items) if self.splits is None else self.split_items("train")
        return items[self.labels[items] < 0]

    def training_items(self) -> IntArray:
        """Indices of the labelled items to train on: of split "train", or all where no splits are
        named.

        Raises:
            DataError: as ``require_trainable``.
        """
        source = Source(self.source)
        if self.labels is None:
            more = f"; {unread('column', self.unread)}" if self.unread else ""
            raise source.error(
                f"has no labels and no triplets, so there is nothing to train on{more}; "
                "--label-column, or columns={'label': …}, names a column of labels"
            )
        if self.triplets is not None:
            return np.arange(self.num_items)
        items = np.arange(self.num_items) if self.splits is None else self.split_items("train")
        if not len(items):
            names = listed(sorted(set(self.splits or [])))
            raise source.error(f"no item is in the split 'train'; found the splits {names}")
        count, items = len(items), items[self.labels[items] >= 0]
        if not len(items):
            raise source.error(f"none of the {count} items to train on has a label")
        counts = np.bincount(self.labels[items])
        counts = counts[counts > 0]
        if len(counts) < 2:
            raise source.error(
                f"training needs at least two classes, found one class only, of {counts[0]} items"
                + (
                    f", and {count - counts[0]} whose label is blank, null or -1, which is none"
                    if count > counts[0]
                    else ""
                )
            )
        if counts.max() < 2:
            raise source.error(
                "training needs a class with at least two items, "
                f"found {len(counts)} classes of one item each"
            )
        return items

    def training_rows(self) -> IntArray:
        """The rows of all triplets, or where there are none the ``training_items``."""
        items = self.training_items()
        return items if self.triplets is None else np.arange(len(self.triplets))

    def require_trainable(self) -> None:
        """Check that training can learn from this: triplets, or classes that give triplets.

        Raises:
            DataError: there are no labels; splits are named but none is "train"; the training
                items are of one class only; or no class has two of them.
        """
        self.training_items()


def check_items(name: str, value: object) -> None:
    """Raise ``ValueError`` unless ``value`` is ``Items``."""
    rule = "must be a TripletDataset, such as TripletDataset.from_labelled(texts, labels) gives"
    refuse_unless(isinstance(value, Items), name, rule, value)
