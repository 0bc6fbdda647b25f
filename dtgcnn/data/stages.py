"""How hard triplets and labelled rows are, and the easiest of them stage by stage."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .dataset import TripletDataset
from .items import Items
from .linear_maps import unit
from .reading.raw import IntArray, RawData

__all__ = ["difficulties", "input_vectors", "stage_data", "stage_rows", "training_labels"]


def difficulties(
    vectors: NDArray[np.floating], labels: IntArray, triplets: IntArray | None = None
) -> NDArray[np.float64]:
    """The larger, the harder: of triplets (T,) ``cos(a, n) − cos(a, p)``.

    Of labelled rows (N,) the cosine with the nearest mean of another class, less that with the mean
    of the others of the row's own; a class of one row has 0 for it. −inf without a label.
    """
    z = unit(vectors.astype(np.float64))
    if triplets is not None:
        a, p, n = (z[column] for column in triplets.T)
        return (a * n).sum(axis=1) - (a * p).sum(axis=1)  # type: ignore[no-any-return]
    known = labels >= 0
    classes, place = np.unique(labels[known], return_inverse=True)
    sums = np.zeros((len(classes), z.shape[1]))
    np.add.at(sums, place, z[known])
    rows, numbers = z[known], np.arange(known.sum())
    own = sums[place] - rows
    length = np.maximum(np.linalg.norm(own, axis=1), 1e-300)
    cosines = rows @ unit(sums).T
    cosines[numbers, place] = -np.inf
    found = np.full(len(z), -np.inf)
    found[known] = cosines.max(axis=1) - (rows * own).sum(axis=1) / length
    return found


def stage_rows(
    scores: NDArray[np.floating],
    stage: int,
    num_stages: int,
    *,
    cumulative: bool = True,
    labels: IntArray | None = None,
) -> IntArray:
    """The rows of a stage, 0 to ``num_stages`` − 1, the easiest first; with ``labels`` of each
    class the same share, two rows at least, and none without a label."""
    order = np.argsort(scores, kind="stable")
    if labels is None:
        bounds = [round(len(order) * i / num_stages) for i in range(num_stages + 1)]
        return order[0 if cumulative else bounds[stage] : bounds[stage + 1]]
    kept = np.zeros(len(order), bool)
    for label in np.unique(labels[labels >= 0]):
        rows = order[labels[order] == label]
        stop = max(round(len(rows) * (stage + 1) / num_stages), 2)
        start = 0 if cumulative else min(round(len(rows) * stage / num_stages), stop - 2)
        kept[rows[start:stop]] = True
    return order[kept[order]]


def training_labels(dataset: Items) -> IntArray:
    """(N,) the classes of a dataset's items, −1 of those that are not trained on."""
    items = dataset.training_items()
    assert dataset.labels is not None
    found = np.full(dataset.num_items, -1)
    found[items] = dataset.labels[items]
    return found


def input_vectors(dataset: Items) -> NDArray[np.floating]:
    """The vectors of a dataset; of texts those of TF-IDF, fitted on them."""
    if dataset.texts is None:
        assert dataset.features is not None
        return dataset.features
    from .encoders.registry import TfidfEncoder

    return TfidfEncoder(256).fit(dataset.texts).encode(dataset.texts)


def stage_data(dataset: Items, rows: IntArray) -> TripletDataset:
    """A dataset of these rows of ``triplets``; where there are none, of these items and of all that
    are of other splits than "train"."""
    whole = RawData(
        dataset.kind,
        dataset._source,
        dataset._rows,
        texts=dataset.texts,
        features=dataset.features,
        labels=None if dataset.label_names is None else dataset.names_of(range(dataset.num_items)),
        splits=dataset.splits,
        groups=dataset.groups,
    )
    if dataset.triplets is None:
        places = np.arange(len(dataset.splits or []))
        items = np.concatenate([rows, np.setdiff1d(places, dataset.split_items("train"))])
        few = whole.only(items, items)
    else:
        items, places = np.unique(dataset.triplets[rows], return_inverse=True)
        few = replace(whole.only(items, rows), triplets=places.reshape(-1, 3))
    result = TripletDataset._from_raw(few)
    result.targets = None if dataset.targets is None else dataset.targets[items]
    return result
