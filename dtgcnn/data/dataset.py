"""``TripletDataset``: items from a file or from Python, and the loaders and parts of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from .batches.loader import TripletLoader, make_loaders
from .encoders.encoder import Encoder
from .items import Items, check_items
from .reading.arrays import (
    as_column,
    as_features,
    class_names,
    column,
    from_arrays,
    is_layout,
)
from .reading.frames import read_frame
from .reading.raw import TRIPLET_FIELDS, UNLABELLED, IntArray, RawData, Record, from_records
from .reading.readers import not_pairs, read_file
from .reading.shapes import Columns, shaped
from .reading.source import Source, shorten
from .splits.divide import split_dataset
from .streaming import stream_file

__all__ = ["TripletDataset"]


class TripletDataset(Items):
    """Items (texts or feature vectors) with triplets over them, with class labels, or with neither.

    What it holds is told by ``Items``.

    Raises:
        DataError: the data breaks a rule; the message names file, row, rule and value.
    """

    def __init__(self, path: str | PathLike[str], columns: Columns | None = None) -> None:
        """Read a file; see ``read_file`` for the formats and ``columns``."""
        self._fill(read_file(path, columns=columns))

    @classmethod
    def of_rows(cls, path: str | PathLike[str], columns: Columns | None = None) -> Self:
        """Read a file whose labels need not be known: where every one is blank, null or −1, its
        items are as those of a file without labels."""
        return cls._from_raw(read_file(path, columns=columns, labels=False))

    @classmethod
    def from_table(cls, table: Any, columns: Columns | None = None) -> Self:
        """The rows of a table in memory, as those of a file with the same columns.

        Args:
            table: a DataFrame of pandas or polars, a table of PyArrow, a ``Dataset`` of
                ``datasets``, columns by name, or a list of rows as ``json.load`` gives it, with
                ``{"triplets": …}`` around it or without; or such tables by the names of splits, as
                a ``DatasetDict`` has them. Vectors by triplets or by splits are arrays by the names
                that they have in ``.npz``.
            columns: as of ``read_file``.
        """
        source = Source(f"{cls.__name__}.from_table", "row")
        if is_layout(table):
            raw = from_arrays(source, dict(table), columns)
        else:
            source, records = read_frame(source, table)
            source, shape, records = shaped(source, records, columns)
            if shape.held == "pairs":
                raise not_pairs(source, shape)
            raw = from_records(source, records)
        raw.require_label()
        return cls._from_raw(raw)

    @classmethod
    def stream(
        cls,
        path: str | PathLike[str],
        encoder: Encoder,
        folder: str | PathLike[str],
        columns: Columns | None = None,
    ) -> Self:
        """A file of texts too large for memory, as features: read and encoded a block at a time.

        The rows that ``encoder`` gives go to a file in ``folder``, named after ``path``, and
        ``features`` are mapped from there, so that memory holds neither texts nor features, only
        labels and triplets. Give the model the same encoder, and it encodes texts as well.

        Args:
            path: .csv, .tsv, .jsonl, .txt or .parquet, packed or not.
            encoder: fitted already.
            folder: made where it is missing; must outlive the dataset.
            columns: as of ``read_file``.

        Raises:
            DataError: the data break a rule, as in a file that is read whole.
            OSError: the folder cannot be written to.
        """
        return cls._from_raw(stream_file(path, encoder, folder, columns))

    @classmethod
    def from_triplets(cls, triplets: Iterable[Sequence[str]] | NDArray[Any]) -> Self:
        """Triplets of texts (anchor, positive, negative), or an array (T, 3) of them; equal texts
        become one item."""
        source = Source(f"{cls.__name__}.from_triplets")
        if isinstance(triplets, str) or not isinstance(triplets, Iterable):
            raise source.error(f"must be a list of triplets, received {shorten(triplets)}")
        records: list[Record] = []
        for row, triplet in enumerate(triplets):
            if isinstance(triplet, np.ndarray):
                triplet = triplet.tolist()
            if isinstance(triplet, str) or not isinstance(triplet, Sequence) or len(triplet) != 3:
                told = "; from_table takes objects" if isinstance(triplet, Mapping) else ""
                raise source.error(f"must be three texts, received {shorten(triplet)}{told}", row)
            records.append((row, dict(zip(TRIPLET_FIELDS, triplet, strict=True))))
        return cls._from_raw(from_records(source, records))

    @classmethod
    def from_labelled(
        cls,
        texts: Sequence[str],
        labels: Sequence[str | int | float] | NDArray[Any],
        splits: Sequence[str] | None = None,
        groups: Sequence[str | int | float] | NDArray[Any] | None = None,
    ) -> Self:
        """Texts with one label each, and with a split and a group each if there are any: lists,
        arrays, or columns of pandas, polars or PyArrow."""
        source = Source(f"{cls.__name__}.from_labelled")
        columns: dict[str, Any] = {"text": texts, "label": labels}
        if splits is not None:
            columns["split"] = splits
        if groups is not None:
            columns["group"] = groups
        count = len(texts) if hasattr(texts, "__len__") else 0
        given = [as_column(source, f"{name}s", own, count) for name, own in columns.items()]
        rows = zip(*given, strict=True)
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
                labels=None if labels is None else class_names(source, "labels", labels, count),
                splits=None if splits is None else column(source, "splits", splits, count),
                groups=None if groups is None else column(source, "groups", groups, count),
            )
        )

    def create_dataloaders(
        self,
        batch_size: int = 512,
        train_split: float = 0.9,
        seed: int = 0,
        samples_per_class: int = 4,
        groups: Sequence[str | int | float] | NDArray[Any] | None = None,
        held_out_classes: float = 0.0,
    ) -> tuple[TripletLoader, TripletLoader]:
        """Loaders of a training and a validation side that share no text and no group.

        Where the data names splits, the training side is the items of split "train", and the
        validation side those of a split whose name begins with "val" or "dev", without those that
        share a text or a group with it. Where there are none, both are drawn from "train".

        Args:
            batch_size: triplets a batch; of labelled data, items a batch, at least 4.
            train_split: share of the training side, in (0, 1]; 1.0 leaves validation empty. It
                decides nothing more where the data name a validation side.
            seed: decides the division and the order of every epoch.
            samples_per_class: items of one class in a batch, at least 2; of labelled data only.
            groups: a name for each triplet, or for each item where there are no triplets, such as
                who wrote it: what has the same name comes to the same side. By default ``groups``
                of the data, if any.
            held_out_classes: share of the classes, in [0, 1), all of whose items are validated on
                and none trained on: what training is worth to classes that it does not know. None
                where it makes fewer than three classes; of triplets it decides nothing.

        Raises:
            ValueError: an argument is out of its range.
            DataError: the data cannot be trained on; see ``require_trainable``.
        """
        return make_loaders(
            self,
            batch_size,
            train_split,
            seed,
            samples_per_class,
            groups,
            held_out_classes=held_out_classes,
        )

    def with_unlabelled(self, other: Items) -> Self:
        """These items and those of ``other``, whose classes are not known here, after them.

        Where splits are named, the new ones are of split "train"; each is a group of its own.

        Raises:
            DataError: one holds texts and the other vectors, or vectors of another width; or one
                of them holds triplets.
        """
        check_items("other", other)
        source = Source(f"{self.source} and {other.source}", "row")
        if self.label_names is None or self.labels is None or other.triplets is not None:
            raise source.error("unlabelled rows go with labelled ones, and are single texts")
        texts = features = None
        if self.texts is not None and other.texts is not None:
            texts = self.texts + other.texts
        elif self.features is not None and other.features is not None:
            widths = self.features.shape[1], other.features.shape[1]
            if widths[0] != widths[1]:
                raise source.error(f"must have equal widths, received {widths[0]} and {widths[1]}")
            features = np.concatenate([self.features, other.features])
        else:
            raise source.error("must both hold texts, or both vectors")
        count, more = self.num_items, other.num_items
        groups = self.groups
        if groups is not None:
            groups = [str(group) for group in groups] + [f"unlabelled {i}" for i in range(more)]
        return self._from_raw(
            RawData(
                "labelled",
                source,
                range(count + more),
                texts=texts,
                features=features,
                labels=self.names_of(range(count)) + [UNLABELLED] * more,
                splits=None if self.splits is None else self.splits + ["train"] * more,
                groups=groups,
            )
        )

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
