"""What a picture is drawn of: the items of a loader, a dataset or arrays, with their classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..data import TripletDataset, TripletLoader, as_inputs

__all__ = ["Data", "Rows", "read_rows"]

Data = TripletLoader | TripletDataset | Sequence[str] | npt.NDArray[Any]


@dataclass(frozen=True)
class Rows:
    """Items and their classes.

    Attributes:
        inputs: all N items as a model takes them, texts or vectors (N, D).
        chosen: the rows to draw or to measure.
        labels: (N,) their classes; None where they have none.
        names: names of the classes 0, 1, …; None where they have none, as the classes of triplets.
        what: what the chosen rows are called, such as "test rows".
    """

    inputs: Any
    chosen: npt.NDArray[np.intp]
    labels: npt.NDArray[np.int64] | None
    names: list[str] | None
    what: str = "rows"

    def take(self, rows: npt.NDArray[np.intp]) -> Any:
        """The items at ``rows``, as a model takes them."""
        if isinstance(self.inputs, np.ndarray):
            return self.inputs[rows]
        return [self.inputs[row] for row in rows]


def read_rows(
    data: Data,
    labels: Sequence[Any] | npt.NDArray[Any] | None = None,
    *,
    held_out: bool = True,
) -> Rows:
    """The rows that ``data`` stands for.

    Args:
        data: a loader, for the rows of its side; a dataset; a list of texts; or vectors.
        labels: one a row of texts or of an array, strings or numbers; the others have their own.
        held_out: whether of a dataset with a split "test", or else "validation", its rows alone are
            chosen.

    Raises:
        ValueError: ``labels`` do not fit ``data``, or an array is none of vectors.
    """
    if isinstance(data, TripletLoader | TripletDataset):
        if labels is not None:
            raise ValueError(f"labels go with texts or an array, data are {data!r}")
        return _of_dataset(data, held_out)
    inputs = as_inputs(data, "data")
    if not len(inputs):
        raise ValueError(f"data must be a list of texts or an array of vectors, received {data!r}")
    if not isinstance(inputs, list):
        return _of_dataset(TripletDataset.from_arrays(inputs, labels), held_out)
    if labels is None:
        return Rows(inputs, np.arange(len(inputs)), None, None)
    return _of_dataset(TripletDataset.from_labelled(inputs, labels), held_out)


def _of_dataset(data: TripletLoader | TripletDataset, held_out: bool) -> Rows:
    dataset = data.dataset if isinstance(data, TripletLoader) else data
    chosen, what = np.arange(dataset.num_items), "rows"
    if isinstance(data, TripletLoader):
        chosen = data.items
    elif held_out and len(dataset.held_out_items()[0]):
        chosen, name = dataset.held_out_items()
        what = f"{name} rows"
    if dataset.label_names is not None and dataset.labels is not None:
        chosen = chosen[dataset.labels[chosen] >= 0]
    if not len(chosen):
        raise ValueError(f"data must hold one row or more, {data!r} holds none")
    return Rows(dataset.inputs, chosen, dataset.labels, dataset.label_names, what)
