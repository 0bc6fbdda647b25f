"""Two rankings of the same rows made one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["interleaved"]


def interleaved(first: npt.ArrayLike, second: npt.ArrayLike, count: int) -> npt.NDArray[np.int64]:
    """The ``count`` best rows of two rankings, by turns: the best of the first, the best of the
    second that is not there yet, and so on.

    A trained embedding puts whole classes first, so a query that is taken for another class finds
    none of its own among the first rows; by the input vectors it often does. By turns keeps the
    best row of the embedding and most of what the input vectors find.

    Args:
        first, second: (N,) similarities of the rows to a query; of equal ones the lower row is the
            better.
        count: rows to give, at most N.

    Raises:
        ValueError: the arrays are not of one shape (N,), or ``count`` is below 1.
    """
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if a.ndim != 1 or a.shape != b.shape:
        raise ValueError(f"first and second must both be (N,), received {a.shape} and {b.shape}")
    if count < 1:
        raise ValueError(f"count must be at least 1, received {count}")
    orders = (np.argsort(-scores, kind="stable")[:count] for scores in (a, b))
    turns = np.stack(list(orders), axis=1).reshape(-1)
    kept = np.sort(np.unique(turns, return_index=True)[1])
    return turns[kept][:count].astype(np.int64)
