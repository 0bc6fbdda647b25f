"""Embeddings of fewer bits, and what of their neighbours is lost."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ..config import refuse_unknown
from .metrics import nearest_rows

__all__ = ["Precision", "kept_neighbors", "restored", "smaller", "step_of"]

Precision = Literal["float32", "float16", "int8", "binary"]

QUERIES = 1000
"""Rows whose neighbours are compared, evenly spread."""


def smaller(embeddings: NDArray[Any], precision: Precision) -> NDArray[Any]:
    """Embeddings (N, D) in fewer bits.

    ``"int8"``: round(127 x / max |x|), one scale for all, so that cosines stay; ``"binary"``: the
    signs, eight columns a byte, (N, ⌈D / 8⌉) uint8, the first column in the highest bit, to be
    compared by the Hamming distance.

    Raises:
        ValueError: there is no such precision.
    """
    refuse_unknown("precision", precision, get_args(Precision))
    if precision == "binary":
        return np.packbits(embeddings > 0, axis=1)
    if precision == "int8":
        return np.rint(embeddings / step_of(embeddings)).astype(np.int8)
    return embeddings.astype(precision)


def step_of(embeddings: NDArray[Any]) -> float:
    """What ``"int8"`` counts: embeddings are about this times its whole numbers."""
    return (float(np.abs(embeddings).max(initial=0.0)) or 1.0) / 127


def restored(rows: NDArray[Any], width: int) -> NDArray[np.float32]:
    """What ``smaller`` gave as float32 (N, ``width``), whose cosines rank as it is compared: of
    signs, −1 and 1."""
    if rows.dtype == np.uint8:
        return np.unpackbits(rows, axis=1, count=width).astype(np.float32) * 2 - 1
    return rows.astype(np.float32)


def kept_neighbors(embeddings: NDArray[Any], rows: NDArray[Any], k: int = 10) -> float:
    """The share of the ``k`` nearest others of each embedding (N, D) that are among the ``k``
    nearest by what ``smaller`` made of them; of 1,000 rows where there are more. 1 of one row."""
    chosen = np.unique(np.linspace(0, len(embeddings) - 1, QUERIES).astype(np.int64))
    if len(chosen) < 2:
        return 1.0
    before, after = embeddings[chosen], restored(rows, embeddings.shape[1])[chosen]
    pairs = zip(nearest_rows(before, k)[0], nearest_rows(after, k)[0], strict=True)
    return float(np.mean([len(np.intersect1d(a, b)) / len(a) for a, b in pairs]))
