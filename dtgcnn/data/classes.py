"""Classes: the order of their names, and triplets that contradict those that triplets make."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from .reading.raw import IntArray, RawData

__all__ = ["consistent", "names_in_order"]

_log = logging.getLogger("dtgcnn")


def names_in_order(names: Iterable[str]) -> list[str]:
    """Distinct class names, by number where all of them are whole numbers, else as strings."""
    distinct = sorted(set(names))
    whole = all(re.fullmatch(r"-?\d{1,18}", name) for name in distinct)
    return sorted(distinct, key=int) if whole else distinct


def consistent(raw: RawData, labels: IntArray) -> NDArray[np.bool_]:
    """Which triplets have a negative that is not, by other triplets, of the anchor's own class.

    Logs a warning about the others.

    Args:
        raw: holds the triplets.
        labels: (N,) the classes that anchors and their positives make of the items.

    Raises:
        DataError: there is no such triplet.
    """
    assert raw.triplets is not None
    bad = labels[raw.triplets[:, 0]] == labels[raw.triplets[:, 2]]
    if bad.any():
        first = raw.source.place(raw.rows[int(np.argmax(bad))])
        why = "its negative is joined to its anchor by anchor-positive pairs"
        if bad.all():
            raise raw.source.error(f"no triplet has a valid negative; of the first, {first}, {why}")
        _log.warning(
            "%s: left out %s of %s triplets that contradict others; the first is %s: %s",
            *(raw.source.name, f"{bad.sum():,}", f"{len(bad):,}", first, why),
        )
    good: NDArray[np.bool_] = ~bad
    return good
