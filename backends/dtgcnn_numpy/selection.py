"""The largest entries of rows, and of products of rows that are never held as a whole."""

from __future__ import annotations

from typing import Any

import numpy as np

from .pool import blocks, each

__all__ = ["count_in_rows", "top_k_indices", "top_products"]

_GROUP = 8
"""Columns that stand or fall together when candidates are narrowed."""

_ROWS, _BLOCK = 512, 1 << 20
"""Rows and products of a block: enough for BLAS, few enough to stay in the processor's cache."""


def count_in_rows(x: Any) -> Any:
    """(N,) int32, how many booleans of each row hold, eight at a time."""
    if x.shape[1] % 8 or not x.flags.c_contiguous:
        return x.sum(axis=1, dtype=np.int32)
    return np.bitwise_count(x.view(np.uint64)).sum(axis=1, dtype=np.int32)


def top_k_indices(x: Any, k: int) -> Any:
    """(N, k) column indices of the largest values, descending, the lowest index first in ties."""
    n = x.shape[1]
    if k == 0:
        return np.zeros((len(x), 0), np.int32)
    if n < 4 * k or x.size == 0 or np.isnan(x.max()):
        return np.argsort(-x, axis=1, kind="stable")[:, :k].astype(np.int32)
    chosen = _some_top_k(x, k)
    least = np.take_along_axis(x, chosen, axis=1).min(axis=1, keepdims=True)
    tied = np.flatnonzero(count_in_rows(x >= least) > k)
    if tied.size:  # more values equal the k-th than there is room for: the lowest indices stay
        values, least = x[tied], least[tied]
        above, equal = values > least, values == least
        room = k - above.sum(axis=1, keepdims=True)
        above |= equal & (np.cumsum(equal, axis=1, dtype=np.int32) <= room)
        chosen[tied] = np.nonzero(above)[1].reshape(-1, k)
    chosen.sort(axis=1)
    order = np.argsort(-np.take_along_axis(x, chosen, axis=1), axis=1, kind="stable")
    return np.take_along_axis(chosen, order, axis=1).astype(np.int32)


def _some_top_k(x: Any, k: int) -> Any:
    """(N, k) column indices of the largest values in any order, any of them in ties.

    In long rows they are sought in the ``k`` groups of columns whose maxima are largest.
    """
    rows, n = x.shape
    if n < 4 * _GROUP * k:
        return np.argpartition(x, n - k, axis=1)[:, n - k :]
    stride = n // _GROUP
    whole = stride * _GROUP
    groups = _some_top_k(x[:, :whole].reshape(rows, _GROUP, stride).max(axis=1), k)
    columns = groups[:, None, :] + stride * np.arange(_GROUP)[:, None]
    tail = np.broadcast_to(np.arange(whole, n), (rows, n - whole))
    columns = np.concatenate([columns.reshape(rows, -1), tail], axis=1)
    found = _some_top_k(np.take_along_axis(x, columns, axis=1), k)
    return np.take_along_axis(columns, found, axis=1)


def top_products(x: Any, y: Any, k: int, most: int) -> tuple[Any, Any]:
    """The ``k`` largest of each row of ``x yᵀ``, (N, k), and their int32 columns; NaN is last.

    A block of columns has few entries above the k-th that a row has found so far, and these alone
    are looked at. A block of rows is the work of one thread, of as many as hold ``most`` products.
    """
    values = np.empty((len(x), k), x.dtype)
    columns = np.empty((len(x), k), np.int32)
    height = max(1, min(_ROWS, len(x), most))
    width = max(_GROUP * k, _GROUP, min(most, _BLOCK) // height // _GROUP * _GROUP)

    def search(rows: slice) -> None:
        _search(x[rows], y, width, values[rows], columns[rows])

    parts, together = blocks(len(x), height), max(1, most // (height * width))
    for start in range(0, len(parts), together):
        each(search, parts[start : start + together])
    return values, columns


def _search(x: Any, y: Any, width: int, values: Any, columns: Any) -> None:
    """Fill in ``values`` and ``columns`` of a block of rows."""
    k = values.shape[1]
    held = np.empty(len(x) * min(width, len(y)), x.dtype)
    for start in range(0, len(y) if k else 0, width):
        products = _products(x, y[start : start + width], held)
        if start == 0:
            columns[:] = top_k_indices(products, k)
            values[:] = np.take_along_axis(products, columns, axis=1)
            values[np.isnan(values)] = -np.inf
            continue
        row, column = _above(products, values[:, -1])
        if len(row):
            places = (column + start).astype(np.int32)
            _merge(values, columns, row, products[row, column], places)


def _products(x: Any, y: Any, held: Any) -> Any:
    out = held[: len(x) * len(y)].reshape(len(x), len(y))
    return np.matmul(x, y.T, out=out)


def _above(x: Any, least: Any) -> tuple[Any, Any]:
    """Rows and columns of the entries above ``least`` (N,) of their row, in ascending order."""
    rows, n = x.shape
    if n % _GROUP:
        row, column = np.nonzero(x > least[:, None])
        return row, column
    stride = n // _GROUP
    largest = x.reshape(rows, _GROUP, stride).max(axis=1)
    likely = np.flatnonzero(~(largest <= least[:, None]))  # a group with NaN may have others
    row, group = np.divmod(likely, stride)
    places = group[:, None] + stride * np.arange(_GROUP)
    above = x[row[:, None], places] > least[row, None]
    places += row[:, None] * n
    return np.divmod(np.sort(places[above]), n)


def _merge(values: Any, columns: Any, row: Any, found: Any, column: Any) -> None:
    """Put what was found, ordered by row and column, among the k largest of its row, in place."""
    changed, first, counts = np.unique(row, return_index=True, return_counts=True)
    k, most = values.shape[1], counts.max()
    wide = np.full((len(changed), k + most), -np.inf, values.dtype)
    places = np.zeros(wide.shape, np.int32)
    wide[:, :k], places[:, :k] = values[changed], columns[changed]
    at = np.repeat(np.arange(len(changed)), counts)
    beside = k + np.arange(len(row)) - np.repeat(first, counts)
    wide[at, beside], places[at, beside] = found, column
    order = top_k_indices(wide, k)
    values[changed] = np.take_along_axis(wide, order, axis=1)
    columns[changed] = np.take_along_axis(places, order, axis=1)
