"""Rows whose nearest rows are of other classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..data import check_items
from .comparison import queries_and_gallery
from .metrics import findable, nearest_rows

if TYPE_CHECKING:
    from ..data import Items

__all__ = ["WorstRow", "worst_neighbors"]


@dataclass(frozen=True)
class WorstRow:
    """A row, and what is nearest to it.

    Attributes:
        item: which it is in the data.
        share: of its nearest rows that are of its own class, in [0, 1].
        near: the items that are nearest to it by cosine, nearest first.
        cosines: theirs.
    """

    item: int
    share: float
    near: list[int]
    cosines: list[float]


def worst_neighbors(
    dataset: Items, embeddings: npt.ArrayLike, *, k: int = 10, most: int = 20
) -> list[WorstRow]:
    """The rows whose k nearest are least of their own class, the worst first: of equal shares the
    one whose nearest row is nearest, which is the surest mistake.

    Rows are looked up where ``compare`` does it: those "test" among those "train", or each among
    all others. Left out are rows whose neighbours are all of their own class, and rows of a class
    that has no other row to be found.

    Args:
        dataset: labelled rows.
        embeddings: (N, D) of all its items.
        k: neighbours.
        most: rows at most.

    Raises:
        ValueError: the embeddings are of other rows.
    """
    check_items("dataset", dataset)
    labels = dataset.labels
    if labels is None or dataset.label_names is None or not (labels >= 0).any():
        return []
    z = np.asarray(embeddings)
    if z.ndim != 2 or len(z) != dataset.num_items:
        raise ValueError(
            f"embeddings must have the shape ({dataset.num_items}, D), received {z.shape}"
        )
    rows, gallery, _ = queries_and_gallery(dataset, None, None)
    ends = rows if gallery is None else gallery
    near, cosines = nearest_rows(z[rows], k, None if gallery is None else z[gallery])
    if not near.shape[1]:
        return []
    own = labels[rows]
    share = (labels[ends[near]] == own[:, None]).mean(axis=1)
    alike = findable(own, None if gallery is None else labels[gallery])
    wrong = alike[share[alike] < 1.0]
    order = wrong[np.lexsort((-cosines[wrong, 0], share[wrong]))][:most]
    return [
        WorstRow(int(rows[i]), float(share[i]), ends[near[i]].tolist(), cosines[i].tolist())
        for i in order
    ]
