"""TripletDataset: texts or features, and which of them belong together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from typing_extensions import Self

from .classes import consistent, names_in_order
from .division import split_dataset
from .errors import Source, shorten
from .loader import TripletLoader, make_loaders
from .reading.arrays import as_features, check_length, column
from .reading.raw import FloatArray, IntArray, Kind, RawData, Record, from_records
from .reading.readers import read_file
from .reading.streaming import stream_file
from .split import components

if TYPE_CHECKING:
    from .encoders.registry import Encoder

__all__ = ["TripletDataset"]


class TripletDataset:
    """Items (texts or feature vectors) with triplets over them, with class labels, or with neither.

    Attributes:
        kind: "triplets", "labelled", or "texts" for items without labels.
        texts: N texts, or None where the items are features.
        features: (N, D) float32, or None where the items are texts.
        labels: (N,) int64 classes, indices into ``label_names``. Of triplets: the connected
            component of each item in the graph that joins anchors with their positives.
        label_names: class names in order (by number where all are whole numbers), None for
            triplets.
        triplets: (T, 3) int64 item indices of anchor, positive and negative.
        splits: the split name of each item, where the source gives one.
        groups: the name of the group of each triplet, or of each item where there are no triplets,
            where the source gives one: ``create_dataloaders`` parts no group.
        targets: (N,) float32, what a regression head is to predict of each item, NaN where that is
            not known; None where nothing is to be predicted. See ``set_targets``.
        source: the file or the call that the data came from, for messages.

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

    def __init__(self, path: str | PathLike[str]) -> None:
        """Read a file; see ``read_file`` for the formats."""
        self._fill(read_file(path))

    @classmethod
    def stream(
        cls, path: str | PathLike[str], encoder: Encoder, folder: str | PathLike[str]
    ) -> Self:
        """A file of texts too large for memory, as features: read and encoded a block at a time.

        The rows that ``encoder`` gives go to a file in ``folder``, named after ``path``, and
        ``features`` are mapped from there, so that memory holds neither texts nor features, only
        labels and triplets. Give the model the same encoder, and it encodes texts as well.

        Args:
            path: .csv, .tsv, .jsonl, .txt or .parquet, packed or not.
            encoder: fitted already.
            folder: made where it is missing; must outlive the dataset.

        Raises:
            DataError: the data break a rule, as in a file that is read whole.
            OSError: the folder cannot be written to.
        """
        return cls._from_raw(stream_file(path, encoder, folder))

    @classmethod
    def from_triplets(cls, triplets: Iterable[tuple[str, str, str]]) -> Self:
        """Triplets of texts (anchor, positive, negative); equal texts become one item."""
        source = Source(f"{cls.__name__}.from_triplets")
        if isinstance(triplets, str) or not isinstance(triplets, Iterable):
            raise source.error(f"must be a list of triplets, received {shorten(triplets)}")
        records: list[Record] = []
        for row, triplet in enumerate(triplets):
            if isinstance(triplet, str) or not isinstance(triplet, Sequence) or len(triplet) != 3:
                raise source.error(f"must be three texts, received {shorten(triplet)}", row)
            fields = zip(("anchor", "positive", "negative"), triplet, strict=True)
            records.append((row, dict(fields)))
        return cls._from_raw(from_records(source, records))

    @classmethod
    def from_labelled(
        cls,
        texts: Sequence[str],
        labels: Sequence[str | int | float] | NDArray[Any],
        splits: Sequence[str] | None = None,
        groups: Sequence[str | int | float] | NDArray[Any] | None = None,
    ) -> Self:
        """Texts with one label each, and with a split and a group each if there are any."""
        source = Source(f"{cls.__name__}.from_labelled")
        columns: dict[str, Any] = {"text": texts, "label": labels}
        if splits is not None:
            columns["split"] = splits
        if groups is not None:
            columns["group"] = groups
        for name, values in columns.items():
            count = len(texts) if hasattr(texts, "__len__") else 0
            check_length(source, f"{name}s", values, count)
        rows = zip(*columns.values(), strict=True)
        records = [(i, dict(zip(columns, row, strict=True))) for i, row in enumerate(rows)]
        return cls._from_raw(from_records(source, records))

    @classmethod
    def from_arrays(
        cls,
        x: NDArray[Any],
        labels: Sequence[str | int | float] | NDArray[Any] | None = None,
        splits: Sequence[str] | None = None,
        groups: Sequence[str | int | float] | NDArray[Any] | None = None,
    ) -> Self:
        """Features (N, D), floats of any width; with labels, splits and groups if there are any."""
        source = Source(f"{cls.__name__}.from_arrays", "row")
        features = as_features(source, "x", x)
        count = len(features)
        return cls._from_raw(
            RawData(
                "texts" if labels is None else "labelled",
                source,
                range(count),
                features=features,
                labels=None if labels is None else column(source, "labels", labels, count),
                splits=None if splits is None else column(source, "splits", splits, count),
                groups=None if groups is None else column(source, "groups", groups, count),
            )
        )

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
            values = np.asarray(targets, np.float32)
        except (TypeError, ValueError) as error:
            raise source.error(f"must be numbers: {error}") from None
        if values.shape != (self.num_items,):
            raise source.error(f"must have shape ({self.num_items},), received {values.shape}")
        infinite = np.flatnonzero(np.isinf(values))
        if len(infinite):
            raise source.error(f"must be finite or NaN; row {infinite[0]} is infinite")
        if np.isnan(values).all():
            raise source.error("must hold one number or more, all are NaN")
        self.targets = values

    def split_items(self, prefix: str) -> IntArray:
        """Indices of the items whose split begins with ``prefix`` (any case): "train" is train_5
        too. Empty where no item is in such a split or the data names no splits."""
        splits = self.splits or []
        found = [
            i for i, split in enumerate(splits) if split.casefold().startswith(prefix.casefold())
        ]
        return np.array(found, np.int64)

    def training_items(self) -> IntArray:
        """Indices of the items to train on: of split "train", or all where no splits are named.

        Raises:
            DataError: as ``require_trainable``.
        """
        source = Source(self.source)
        if self.labels is None:
            raise source.error("has no labels and no triplets, so there is nothing to train on")
        if self.triplets is not None:
            return np.arange(self.num_items)
        items = np.arange(self.num_items) if self.splits is None else self.split_items("train")
        if not len(items):
            names = ", ".join(sorted(set(self.splits or [])))
            raise source.error(f"no item is in the split 'train'; found the splits {names}")
        counts = np.bincount(self.labels[items])
        counts = counts[counts > 0]
        if len(counts) < 2:
            raise source.error(
                f"training needs at least two classes, found one class only, of {counts[0]} items"
            )
        if counts.max() < 2:
            raise source.error(
                "training needs a class with at least two items, "
                f"found {len(counts)} classes of one item each"
            )
        return items

    def require_trainable(self) -> None:
        """Check that training can learn from this: triplets, or classes that give triplets.

        Raises:
            DataError: there are no labels; splits are named but none is "train"; the training
                items are of one class only; or no class has two of them.
        """
        self.training_items()

    def create_dataloaders(
        self,
        batch_size: int = 512,
        train_split: float = 0.9,
        seed: int = 0,
        samples_per_class: int = 4,
        groups: Sequence[str | int | float] | NDArray[Any] | None = None,
    ) -> tuple[TripletLoader, TripletLoader]:
        """Loaders of a training and a validation side that share no text and no group.

        Where the data names splits, both sides are drawn from the items of split "train".

        Args:
            batch_size: triplets a batch; of labelled data, items a batch, at least 4.
            train_split: share of the training side, in (0, 1]; 1.0 leaves validation empty.
            seed: decides the division and the order of every epoch.
            samples_per_class: items of one class in a batch, at least 2; of labelled data only.
            groups: a name for each triplet, or for each item where there are no triplets, such as
                who wrote it: what has the same name comes to the same side. By default ``groups``
                of the data, if any.

        Raises:
            ValueError: an argument is out of its range.
            DataError: the data cannot be trained on; see ``require_trainable``.
        """
        return make_loaders(self, batch_size, train_split, seed, samples_per_class, groups)

    def split(
        self,
        shares: Sequence[float],
        seed: int = 0,
        groups: Sequence[str | int | float] | NDArray[Any] | None = None,
    ) -> tuple[IntArray, ...]:
        """Parts that share no text and no group, such as training, validation and test.

        Each part after the first is taken from what the first still holds, in the way that
        ``create_dataloaders`` takes validation: stratified by class, two items of which stay.

            train, validation, test = dataset.split((0.8, 0.1, 0.1))
            loader = TripletLoader(dataset, train, batch_size=512)

        Args:
            shares: of the parts, above 0 and in sum 1; the first is that of training.
            seed: decides the division.
            groups: as those of ``create_dataloaders``.

        Returns:
            For each part the rows of its triplets, or its item indices where there are no triplets,
            sorted. Triplets that have texts on both sides of a part are in none.

        Raises:
            ValueError: an argument is out of its range.
            DataError: the data cannot be trained on.
        """
        return split_dataset(self, shares, seed, groups)

    @classmethod
    def _from_raw(cls, raw: RawData) -> Self:
        dataset = cls.__new__(cls)
        dataset._fill(raw)
        return dataset

    def _fill(self, raw: RawData) -> None:
        self.kind = raw.kind
        self.source = raw.source.name
        self.texts = raw.texts
        self.features = raw.features
        self.splits = raw.splits
        self.groups = raw.groups
        self.equal = raw.equal
        self.targets = None
        self.labels = self.label_names = self.triplets = None
        if raw.labels is not None:
            self.label_names = names_in_order(raw.labels)
            index = {name: i for i, name in enumerate(self.label_names)}
            self.labels = np.fromiter((index[name] for name in raw.labels), np.int64)
        if raw.triplets is not None:
            self.labels = components(raw.triplets[:, :2], self.num_items)
            kept = consistent(raw, self.labels)
            self.triplets = raw.triplets[kept]
            if raw.groups is not None:
                self.groups = [name for name, keep in zip(raw.groups, kept, strict=True) if keep]
