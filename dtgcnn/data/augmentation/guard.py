"""What a version of an item must not be, so that every item keeps its meaning."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from ...errors import DataError
from ..dataset import TripletDataset
from ..reading.raw import IntArray, label_name
from ..reading.source import Source, shorten
from .rows import Addition

__all__ = ["NEAR", "Guard"]

NEAR = 0.8
"""Texts with this share of their character trigrams in common say the same."""

_SOURCE = Source("a version")


class Guard:
    """Refuses versions, and remembers those that were taken.

    Args:
        dataset: its items are not to be made again.
        items: those that are augmented; the others are held out.
        held_out: further items that no version may equal.

    Raises:
        DataError: ``held_out`` is of another sort than the items.
    """

    def __init__(
        self,
        dataset: TripletDataset,
        items: IntArray,
        held_out: TripletDataset | Sequence[str] | None,
    ) -> None:
        self._texts = dataset.texts
        own = [_key(item) for item in dataset.inputs]
        trained = set(items.tolist())
        self._own, self._taken = own, set(own)
        self._held_out = {key for i, key in enumerate(own) if i not in trained}
        self._held_out |= {_key(item) for item in _inputs(dataset, held_out)}
        self._against = _opposed(dataset)

    def refuse(self, addition: Addition) -> str | None:
        """Why a version will not do, None where it will."""
        if isinstance(addition.content, str):
            try:
                label_name(_SOURCE, 0, addition.content)
            except DataError:
                return "blank or no text"
        key = _key(addition.content)
        if key == self._own[addition.item]:
            return "unchanged"
        if key in self._held_out:
            return "equal to a held-out item"
        if key in self._taken:
            return "equal to another item"
        if isinstance(addition.content, str) and self._is_near(addition.item, addition.content):
            return "too near to its negative or anchor"
        return None

    def take(self, addition: Addition) -> None:
        """A version is in the data from now on."""
        self._taken.add(_key(addition.content))

    def _is_near(self, item: int, text: str) -> bool:
        """Whether the version says what the other side of a triplet of its original says."""
        assert self._texts is not None
        others = self._against.get(item, ())
        own = _trigrams(text) if others else frozenset()
        for other in others:
            theirs = _trigrams(self._texts[other])
            if len(own & theirs) >= NEAR * len(own | theirs):
                return True
        return False


def _key(item: str | np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> str | bytes:
    """Equal for texts of the same words, whatever their case, white space and punctuation."""
    if not isinstance(item, str):
        return item.tobytes()
    folded = item.casefold()
    return " ".join(re.findall(r"\w+", folded)) or " ".join(folded.split())


def _trigrams(text: str) -> frozenset[str]:
    padded = f"  {_key(text)!s}  "
    return frozenset(padded[i : i + 3] for i in range(len(padded) - 2))


def _opposed(dataset: TripletDataset) -> dict[int, set[int]]:
    """The negatives of each anchor and positive, and the reverse."""
    against: defaultdict[int, set[int]] = defaultdict(set)
    for anchor, positive, negative in () if dataset.triplets is None else dataset.triplets.tolist():
        against[anchor].add(negative)
        against[positive].add(negative)
        against[negative] |= {anchor, positive}
    return against


def _inputs(
    dataset: TripletDataset, held_out: TripletDataset | Sequence[str] | None
) -> Iterable[str | np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    if held_out is None:
        return ()
    if not isinstance(held_out, TripletDataset):
        if isinstance(held_out, str) or not all(isinstance(text, str) for text in held_out):
            raise DataError(f"held_out must be a dataset or texts, received {shorten(held_out)}")
        if dataset.texts is None:
            raise DataError("held_out must hold vectors as the dataset does, received texts")
        return held_out
    if (held_out.texts is None) != (dataset.texts is None):
        raise DataError(f"held_out must hold what the dataset holds, received {held_out!r}")
    return held_out.inputs
