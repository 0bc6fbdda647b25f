"""The rows that are nearest to a query by cosine."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .approximate import RowGraph

__all__ = ["NearRows"]

ROUNDING = 1e-4
"""More than twice what a float32 cosine of some hundred columns can be wrong by: n · 2⁻²⁴ for n."""

LARGE = 20_000
"""Rows from which on leading columns are compared first."""

COLUMNS = 64
"""Columns that are compared first."""

MOST = 0.05
"""The share of rows from which on these did not help, and all rows are compared."""

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]


class NearRows:
    """Rows that are searched.

    Args:
        rows: (N, D) float32 at unit length or zero.
        ordered: whether the columns of largest variance come first. Then many rows are told from
            the nearest by leading columns alone: cut in two, ``a·b ≤ a₁·b₁ + |a₂| |b₂|``.
    """

    def __init__(self, rows: Floats, *, ordered: bool = False) -> None:
        self.rows, self.ordered = rows, ordered and len(rows) >= LARGE
        self.graph: RowGraph | None = None
        """Where there is one, only the rows that it finds are ranked."""
        self._searched = False
        self._leading: tuple[Floats, Floats] | None = None

    def nearest(self, queries: Floats, count: int) -> list[Ints]:
        """The ``count`` rows of greatest cosine with each query (Q, D), in descending order; of
        equal ones the first row comes first."""
        alone = len(queries) == 1 and self.ordered
        if alone and self._searched and self._leading is None:
            columns = np.ascontiguousarray(self.rows[:, :COLUMNS])
            self._leading = columns, _rest(columns)
        self._searched = (
            self._searched or alone
        )  # at first comparing all costs no more than cutting
        found = [self._candidates(query, count, alone) for query in queries]
        open_ones = [i for i, near in enumerate(found) if near is None]
        if open_ones:
            similar = queries[open_ones].astype(np.float32) @ self.rows.T
            for i, cosines in zip(open_ones, similar, strict=True):
                least = np.partition(cosines, len(cosines) - count)[len(cosines) - count]
                found[i] = np.flatnonzero(cosines >= least - ROUNDING)
        return [
            near[np.argsort(-self.cosines(near, query), kind="stable")[:count]]
            for near, query in zip(found, queries, strict=True)
            if near is not None
        ]

    def cosines(self, rows: Any, query: Floats) -> NDArray[np.float64]:
        """Of some rows with a query, in float64, by sums that give equal rows equal bits, which a
        product does not."""
        products = self.rows[rows].astype(np.float64) * query
        cosines: NDArray[np.float64] = products.sum(axis=1)
        return cosines

    def _candidates(self, query: Floats, count: int, alone: bool) -> Ints | None:
        """Rows in ascending order that are known to hold the nearest, or with a graph are likely
        to; None where no few are."""
        if self.graph is not None:
            return self.graph.near(query, count)
        if self._leading is None or not alone:  # of many queries the product of all is as fast
            return None
        (columns, rest), first = self._leading, query[:COLUMNS].astype(np.float32)
        most = columns @ first + rest * _rest(first[None])
        likely = np.argpartition(most, len(most) - count)[len(most) - count :]
        near = np.flatnonzero(most >= self.cosines(likely, query).min() - ROUNDING)
        return near if len(near) < MOST * len(most) else None


def _rest(columns: Floats) -> Floats:
    """At least the length of the rest of unit rows, of their leading columns."""
    left = 1.0 - np.einsum("ij,ij->i", columns, columns)
    rest: Floats = np.sqrt(np.maximum(left, 0.0) + np.float32(ROUNDING))
    return rest
