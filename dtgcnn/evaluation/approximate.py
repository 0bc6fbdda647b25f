"""Approximate search: usearch's graph of rows, which finds most of the nearest without comparing
all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import CheckpointError, needing
from ..storage import replace_file

__all__ = ["RowGraph", "write_graph"]

Floats = NDArray[np.floating[Any]]

CANDIDATES = 64
"""Rows that are asked for, to be ranked by their own cosines; four times those that are wanted
where that is more."""


def write_graph(path: Path, rows: Floats) -> None:
    """Write the hierarchical graph (HNSW, Malkov & Yashunin 2016, arXiv:1603.09320) of rows (N, D)
    by cosine, its keys their numbers, as usearch has it.

    Raises:
        MissingExtraError: usearch is not installed.
        OSError: it cannot be written; what was at ``path`` is as it was.
    """
    graph = _usearch()(ndim=rows.shape[1], metric="cos", dtype="f32")
    keys = np.arange(len(rows), dtype=np.uint64)
    graph.add(keys, np.array(rows), threads=1)  # of several threads each run has another graph
    replace_file(path, bytes(graph.save()))


class RowGraph:
    """A graph that ``write_graph`` wrote, mapped from its file.

    Args:
        path: the file.
        rows: (N, D) what it must be the graph of.

    Raises:
        CheckpointError: it is missing, no graph, or that of other rows.
        MissingExtraError: usearch is not installed.
    """

    def __init__(self, path: Path, rows: Floats) -> None:
        index = _usearch()
        if not path.is_file():
            raise CheckpointError(f"{path}: no such file")
        try:
            self._graph = index.restore(str(path), view=True)
        except Exception as error:  # what usearch raises has no common base
            raise CheckpointError(f"{path}: is no file of usearch: {error}") from None
        if self._graph is None:
            raise CheckpointError(f"{path}: is no file of usearch")
        if (len(self._graph), self._graph.ndim) != rows.shape or not self._same(rows):
            raise CheckpointError(
                f"{path}: must be the graph of the {len(rows):,} rows of the index, as `dtgcnn "
                "index --export` writes it, it is that of others"
            )

    def near(self, query: Floats, count: int) -> NDArray[np.int64]:
        """Rows that likely hold the ``count`` nearest to a query (D,), in ascending order."""
        wanted = min(max(4 * count, CANDIDATES), len(self._graph))
        found = self._graph.search(query.astype(np.float32), wanted, threads=1)
        return np.sort(np.asarray(found.keys).astype(np.int64))

    def _same(self, rows: Floats) -> bool:
        """Whether some rows are those of the graph."""
        for key in np.linspace(0, len(rows) - 1, 8).astype(int).tolist():
            held = self._graph.get(key)
            if held is None or not np.array_equal(np.ravel(held), rows[key]):
                return False
        return True


def _usearch() -> Any:
    with needing("approximate search needs usearch", "usearch"):
        from usearch.index import Index
    return Index
