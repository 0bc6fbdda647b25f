"""A product whose rows do not depend on each other's places, over threads."""

from __future__ import annotations

from typing import Any

import numpy as np
from autograd.extend import defvjp, primitive

from .pool import blocks, each, one_thread
from .products import product

__all__ = ["matmul_by_rows"]

_ROWS_ALIKE, _COLUMNS_ALIKE = 8, 16
"""As in ``dtgcnn.array.numerics``: rows that a BLAS rounds alike, of as many columns or more."""

_COLUMNS, _TERMS = 128, 1_000_000
"""Columns of the second factor at a time, and terms of a product with them, at most: they stay in a
cache while all rows meet them, and OpenBLAS has kernels for AVX-512 that take no more, which are
three to four times as fast where the factor is a transpose."""

_GROUPS = 8
"""Groups of rows of a thread's block."""

_SMALL = 1 << 18
"""Most terms of a group's product that OpenBLAS leaves to one thread by itself."""


@primitive
def matmul_by_rows(x: Any, weight: Any) -> Any:
    """``x @ weight``, differentiable, a row's bits the same in any place and by any number of
    threads; see ``dtgcnn.array.numerics.matmul_by_rows``."""
    alike, least = _ROWS_ALIKE, _COLUMNS_ALIKE
    (count, width), columns = x.shape, weight.shape[1]
    if columns < least:
        weight = np.pad(weight, ((0, 0), (0, least - columns)))
    missing = -count % alike
    if missing:
        x = np.pad(x, ((0, missing), (0, 0)))
    # In the order of rows: a BLAS adds the terms of a transpose's rows up in orders of their own.
    groups = np.reshape(np.ascontiguousarray(x), (-1, alike, width))
    if alike * width * weight.shape[1] <= _SMALL:
        out = groups @ weight
    else:
        out = _tiled(groups, weight, least)
    return np.reshape(out, (count + missing, weight.shape[1]))[:count, :columns]


def _tiled(groups: Any, weight: Any, least: int) -> Any:
    columns, most = weight.shape[1], _TERMS // (_ROWS_ALIKE * weight.shape[0])
    out = np.empty((*groups.shape[:2], columns), np.result_type(groups, weight))
    step = max(least, min(_COLUMNS, most - most % least))
    starts = range(0, max(columns - least + 1, 1), step)
    stops = [*starts[1:], columns]  # no tile is narrower than ``least``
    tiles = [slice(start, stop) for start, stop in zip(starts, stops, strict=True)]

    def multiply(block: slice) -> None:
        for tile in tiles:
            np.matmul(groups[block], weight[:, tile], out=out[block, :, tile])

    with one_thread():  # of a single block too
        each(multiply, blocks(len(groups), _GROUPS))
    return out


defvjp(
    matmul_by_rows,
    lambda ans, x, weight: lambda g: product(g, weight.T),
    lambda ans, x, weight: lambda g: product(x.T, g),
)
