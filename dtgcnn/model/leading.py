"""Which rows of a large bank can be among the nearest of a query, as their leading columns tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from ..array import Array, ArrayOps, numerics
from .graph import EfficientGraphConstructor, Graph

__all__ = ["Leading"]

COLUMNS = 64
"""Columns that are compared first. A start's embedding has those of largest variance first."""

CANDIDATES = (512, 4096)
"""Rows that are compared as a whole; where these are not enough, all rows are."""

SLACK = 1e-5
"""More than float32 rounds a bound, or the square of a row's length, by."""


@dataclass(frozen=True)
class Leading:
    """The leading columns of rows at unit length or zero, and what the others may add to a cosine.

    With rows cut in two, ``a·b = a₁·b₁ + a₂·b₂ ≤ a₁·b₁ + |a₂| |b₂|``.

    Args:
        columns: (M, L) of M rows.
        rest: (M,) at least the length ``|a₂|`` of the rest of each.
    """

    columns: Array
    rest: Array

    @classmethod
    def of(cls, ops: ArrayOps, rows: Array) -> Self:
        """Those of rows (M, D)."""
        columns = ops.concat([rows[:, :COLUMNS]])  # a copy, which lies together
        return cls(columns, _rest(ops, columns))

    def attach(
        self,
        ops: ArrayOps,
        constructor: EfficientGraphConstructor,
        query: Array,
        source: Array,
        itself: int,
    ) -> Graph | None:
        """The links of a query (1, D) to ``source`` (M, D), as ``constructor.attach`` makes them;
        None where ``candidates`` gives none. ``itself`` is the row that is the query, −1 for none.
        """
        rows = self.candidates(ops, query, source, constructor.k + 1)
        if rows is None:
            return None
        few = ops.to_numpy(rows).tolist()
        place = ops.asarray([few.index(itself) if itself in few else -1], "int32")
        graph = constructor.attach(ops, query, ops.take(source, rows), place)
        return graph._replace(neighbors=ops.take(rows, graph.neighbors))

    def candidates(self, ops: ArrayOps, query: Array, source: Array, k: int) -> Array | None:
        """Rows (W,) int32 of ``source`` (M, D), in ascending order, among which the ``k`` of
        greatest cosine with a query (1, D) are for certain; None where more would have to be
        compared. The query too is at unit length or zero."""
        first = query[:, :COLUMNS]
        most = first @ ops.permute_dims(self.columns, (1, 0)) + _rest(ops, first) * self.rest
        for wanted in CANDIDATES:
            if not k <= wanted < source.shape[0]:
                return None
            bounds, near = numerics.top_k(ops, most, wanted)
            cosines = ops.sum(query * ops.take(source, near[0]), axis=1)
            least = numerics.top_k(ops, cosines[None], k)[0][0, -1]
            if bool(ops.to_numpy(least - bounds[0, -1] > SLACK)):
                return ops.take(near[0], ops.argsort(near[0]))
        return None


def _rest(ops: ArrayOps, columns: Array) -> Array:
    """``√(1 − |a₁|²)``, rounded up, of the leading columns of rows."""
    left = 1.0 - ops.sum(columns * columns, axis=1)
    return ops.sqrt(ops.maximum(left, 0.0) + SLACK)
