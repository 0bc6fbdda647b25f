"""A product whose rows do not depend on each other's places, over threads."""

from __future__ import annotations

from typing import Any

import numpy as np
from autograd.extend import defvjp, primitive

from .pool import blocks, each
from .products import product

__all__ = ["matmul_by_rows"]

_ROWS_ALIKE, _COLUMNS_ALIKE = 8, 16
"""As in ``dtgcnn.array.numerics``: rows that a BLAS rounds alike, of as many columns or more."""

_COLUMNS = 256
"""Columns of the second factor at a time, which stay in a cache while all rows meet them."""

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
    groups = np.reshape(x, (-1, alike, width))
    if alike * width * weight.shape[1] <= _SMALL:
        out = groups @ weight
    else:
        out = _tiled(groups, weight, least)
    return np.reshape(out, (count + missing, weight.shape[1]))[:count, :columns]


def _tiled(groups: Any, weight: Any, least: int) -> Any:
    columns = weight.shape[1]
    out = np.empty((*groups.shape[:2], columns), np.result_type(groups, weight))
    starts = range(0, max(columns - least + 1, 1), _COLUMNS)
    stops = [*starts[1:], columns]  # no tile is narrower than ``least``
    tiles = [slice(start, stop) for start, stop in zip(starts, stops, strict=True)]

    def multiply(block: slice) -> None:
        for tile in tiles:
            np.matmul(groups[block], weight[:, tile], out=out[block, :, tile])

    each(multiply, blocks(len(groups), _GROUPS))
    return out


defvjp(
    matmul_by_rows,
    lambda ans, x, weight: lambda g: product(g, weight.T),
    lambda ans, x, weight: lambda g: product(x.T, g),
)
