"""Which rows to label next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..config import check_whole
from ..data import check_seed
from ..errors import needing
from ..model import check_embedder
from .discovery import clusters_may_be_fewer
from .metrics import unit_rows
from .near_duplicates import NEAR_VECTORS

if TYPE_CHECKING:
    from ..array import HostArray
    from ..model import Embedder

__all__ = ["NextRow", "next_rows"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

STARTS = 3
"""Starts of k-means, the best of which is kept."""


@dataclass(frozen=True)
class NextRow:
    """A row to label.

    Attributes:
        row: its number.
        share: of all that the model does not know, what is in this row's group; in sum 1.
        margin: the probability of its likeliest class less that of the second.
        first, second: the names of these.
    """

    row: int
    share: float
    margin: float
    first: str
    second: str


def next_rows(
    model: Embedder,
    x: HostArray | Sequence[str],
    count: int = 20,
    *,
    seed: int = 0,
) -> list[NextRow]:
    """Choose rows that the model would gain from, each from another group.

    Each row weighs ``w = 1 − (p₁ − p₂)``, with p₁ and p₂ the model's probabilities of its two
    likeliest classes. Weighted k-means of the input vectors makes ``count`` groups, whose centres
    go where there is much that the model is unsure of, and the row next to each centre is chosen:
    uncertain, typical, and unlike the others that are (Zhdanov 2019, "Diverse mini-batch Active
    Learning", here of all rows, where the paper begins with the most uncertain).

    Rows of zeros, those equal to an earlier one and those that the model's bank has with a label
    are left out; and none is chosen whose cosine with a chosen one is 0.97 or more.

    Args:
        model: a model or ensemble, trained on labelled rows.
        x: N texts or vectors (N, input_dim), without labels.
        count: rows to choose.
        seed: decides the starts, below 2³².

    Returns:
        ``count`` rows, or fewer where groups hold near-duplicates alone; the largest share first.

    Raises:
        ImportError: scikit-learn is not installed.
        ValueError: ``count`` is below 1 or more than the rows there are to choose from,
            ``seed`` is out of range, or the model knows no classes, or as ``encode``.
    """
    count = check_whole("count", count, 1)
    check_seed(seed)
    check_embedder(model)
    host_x = model.vectors(x)
    rows = _candidates(model, host_x)
    if not len(rows):
        raise ValueError(
            f"x must hold a row that is not zero and not labelled in the model, it has none in "
            f"{len(host_x)}"
        )
    if count > len(rows):
        raise ValueError(
            f"count must be at most {len(rows)}, the distinct rows of {len(host_x)} that are not "
            f"zero and not labelled in the model, received {count}"
        )
    answers = model.answers(host_x[rows.tolist()])
    classes, p = answers.best, np.asarray(answers.sure, np.float64)
    margin = p[:, 0] - p[:, 1]
    unit = unit_rows(model.input_vectors(host_x[rows.tolist()]))
    weights = np.maximum(1.0 - margin, 1e-6)
    groups, order = _groups(unit, weights, count, seed)
    names = answers.classes
    shares = np.bincount(groups, weights=weights, minlength=count) / weights.sum()
    chosen: list[NextRow] = []
    taken: list[int] = []
    for group in np.argsort(-shares, kind="stable").tolist():
        for row in order[groups[order] == group].tolist():
            if not taken or (unit[taken] @ unit[row]).max() < NEAR_VECTORS:
                taken.append(row)
                two = [names[label] for label in classes[row]]
                chosen.append(
                    NextRow(
                        int(rows[row]), float(shares[group]), float(margin[row]), two[0], two[-1]
                    )
                )
                break
    return chosen


def _candidates(model: Embedder, host_x: HostArray) -> Ints:
    """The first of equal rows, if it is not zero and the model does not know its label."""
    bank, x = model.trained_bank(), np.asarray(host_x)
    _, first = np.unique(x, axis=0, return_index=True)
    place = np.array(bank.rows_of(host_x), np.int64)
    labels = np.array([*(bank.labels or [-1] * len(bank)), -1], np.int64)
    free = model.tells(host_x) & (labels[place] < 0)
    return np.sort(first[free[first]])


def _groups(unit: Floats, weights: Floats, count: int, seed: int) -> tuple[Ints, Ints]:
    """Each row's group, and rows by their distance to its centre, the nearest first."""
    with needing("groups need scikit-learn", "text"):
        from sklearn.cluster import KMeans
    model: Any = KMeans(count, n_init=STARTS, random_state=seed)
    with clusters_may_be_fewer():
        groups = np.asarray(model.fit(unit, sample_weight=weights).labels_, np.int64)
    distance = ((unit - model.cluster_centers_[groups]) ** 2).sum(axis=1)
    return groups, np.argsort(distance, kind="stable")
