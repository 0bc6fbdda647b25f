"""From a dataset to its two loaders: check the arguments, divide, report."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from .loader import TripletLoader
from .raw import IntArray
from .split import equal_groups, split_labelled, split_triplets

if TYPE_CHECKING:
    from .dataset import TripletDataset

__all__ = ["make_loaders"]

_log = logging.getLogger("dtgcnn")


def make_loaders(
    dataset: TripletDataset, batch_size: int, train_split: float, seed: int, samples_per_class: int
) -> tuple[TripletLoader, TripletLoader]:
    """What ``TripletDataset.create_dataloaders`` promises."""
    _check_whole("batch_size", batch_size, 1 if dataset.triplets is not None else 4)
    _check_whole("samples_per_class", samples_per_class, 2)
    _check_whole("seed", seed, 0)
    _check_share("train_split", train_split)
    items = dataset.training_items()
    rng = np.random.Generator(np.random.PCG64(seed))
    groups = equal_groups(dataset.texts, dataset.features)
    dropped = 0
    if dataset.triplets is not None:
        train, validation = split_triplets(dataset.triplets, groups, train_split, rng)
        dropped = len(dataset.triplets) - len(train) - len(validation)
        _report(dataset.source, len(train), len(validation), dropped, train_split)
    else:
        assert dataset.labels is not None
        sides = split_labelled(dataset.labels[items], groups[items], train_split, rng)
        train, validation = (items[side] for side in sides)

    def loader(chosen: IntArray, training: bool) -> TripletLoader:
        return TripletLoader(
            dataset,
            chosen,
            batch_size,
            samples_per_class=samples_per_class,
            seed=seed,
            training=training,
            dropped=dropped,
        )

    return loader(train, True), loader(validation, False)


def _check_whole(name: str, value: object, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, received {value!r}")


def _check_share(name: str, value: object) -> None:
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not number or not 0 < value <= 1:  # type: ignore[operator]
        raise ValueError(f"{name} must be in (0, 1], received {value!r}")


def _report(source: str, train: int, validation: int, dropped: int, train_split: float) -> None:
    if dropped:
        _log.info(
            "%s: %d of %d triplets left out, since they have texts on both sides; "
            "%d train and %d validate",
            *(source, dropped, train + validation + dropped, train, validation),
        )
    elif train_split < 1 and not validation:
        _log.warning(
            "%s: the triplets share texts so that none can be held out; all %d train",
            *(source, train),
        )
