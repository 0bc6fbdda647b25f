"""Matrix products, in blocks of rows over threads."""

from __future__ import annotations

from typing import Any

import numpy as np
from autograd.extend import defvjp, primitive

from .pool import blocks, each, one_thread

__all__ = ["matmul", "product"]

_ROWS = 192
"""Rows of a block are a multiple of it: OpenBLAS takes 12, 16 or 24 at a time and rounds those that
are left over in another order, so such blocks have the bits of the whole product by one thread."""

_ABOVE = np.triu(np.ones((_ROWS, _ROWS), bool), 1)
"""What lies above the diagonal of a block of rows."""

_FEW = 4 * _ROWS
"""Rows up to which blocks are of that height, and of twice as much beyond."""

_SMALL = 1 << 24
"""Most terms of a product that is left to one thread."""

_TILE = 128
"""Side of the squares in which a triangle is mirrored, which both stay in a cache."""


def product(x: Any, y: Any) -> Any:
    """``x @ y`` of two matrices, equal bits by any number of threads."""
    (rows, width), columns = x.shape, y.shape[-1]
    if x.ndim != 2 or y.ndim != 2 or width != y.shape[0]:
        return np.matmul(x, y)
    out = np.empty((rows, columns), np.result_type(x, y))
    small = rows * width * columns <= _SMALL
    height = rows if small else _ROWS if rows < _FEW else 2 * _ROWS
    if not small and _is_transpose(x, y):
        # The largest first, so that the last to end is a short one.
        each(lambda block: _triangle(x, block, out), blocks(rows, _ROWS)[::-1])
        return out

    def multiply(block: slice) -> None:
        np.matmul(x[block], y, out=out[block])

    if height >= rows:
        with one_thread():
            np.matmul(x, y, out=out)
    else:
        each(multiply, blocks(rows, height))
    return out


def _is_transpose(x: Any, y: Any) -> bool:
    ours, theirs = x.__array_interface__, y.T.__array_interface__
    return bool(
        x.dtype == y.dtype
        and x.shape == y.T.shape
        and x.strides == y.T.strides
        and ours["data"] == theirs["data"]
    )


def _triangle(x: Any, block: slice, out: Any) -> None:
    """The rows of ``x xᵀ`` up to the diagonal, and what mirrors them."""
    np.matmul(x[block], x[: block.stop].T, out=out[block, : block.stop])
    for tile in blocks(block.start, _TILE):
        out[tile, block] = out[block, tile].T
    square = out[block, block]
    np.copyto(square, square.T.copy(), where=_ABOVE[: len(square), : len(square)])


@primitive
def matmul(x: Any, y: Any) -> Any:
    """``x @ y``, differentiable."""
    return product(x, y)


defvjp(
    matmul,
    lambda ans, x, y: lambda g: product(g, y.T),
    lambda ans, x, y: lambda g: product(x.T, g),
)
