"""Sparse matrices in compressed rows, and their products, by SciPy's kernels.

``scipy.sparse.csr_array`` checks itself anew each time, which takes longer than a small product.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import _sparsetools

from .pool import blocks, each

__all__ = ["Sparse", "from_lists", "product", "transposed"]

_SMALL, _HEIGHT = 1 << 19, 128
"""Most terms of a product that one thread computes, and rows of a block of more."""


class Sparse(NamedTuple):
    """A matrix whose row i holds ``values[offsets_i : offsets_(i+1)]`` at ``indices`` there."""

    offsets: Any
    indices: Any
    values: Any
    columns: int


def from_lists(indices: Any, weights: Any, columns: int) -> Sparse:
    """The (N, columns) matrix whose row i holds ``weights[i]``, where not 0, at ``indices[i]``."""
    linked = weights != 0
    if linked.all():
        offsets = np.arange(len(indices) + 1, dtype=np.int32) * np.int32(indices.shape[1])
        return Sparse(offsets, _int32(indices), weights.reshape(-1), columns)
    offsets = np.zeros(len(indices) + 1, np.int32)
    np.cumsum(linked.sum(axis=1), out=offsets[1:])
    return Sparse(offsets, _int32(indices[linked]), weights[linked], columns)


def _int32(indices: Any) -> Any:
    return np.ascontiguousarray(indices, np.int32).reshape(-1)


def transposed(matrix: Sparse) -> Sparse:
    """The transpose; the entries of a row are in the order of the rows that they come from."""
    rows, count = len(matrix.offsets) - 1, len(matrix.values)
    offsets = np.empty(matrix.columns + 1, np.int32)
    indices, values = np.empty(count, np.int32), np.empty(count, matrix.values.dtype)
    given = (matrix.offsets, matrix.indices, np.ascontiguousarray(matrix.values))
    _sparsetools.csr_tocsc(rows, matrix.columns, *given, offsets, indices, values)
    return Sparse(offsets, indices, values, rows)


def product(matrix: Sparse, x: Any) -> Any:
    """``matrix @ x``, in blocks of rows over threads."""
    rows, width = len(matrix.offsets) - 1, math.prod(x.shape[1:])
    dtype = np.result_type(matrix.values, x)
    values, x = (np.ascontiguousarray(part, dtype) for part in (matrix.values, x))
    out = np.zeros((rows, *x.shape[1:]), dtype)

    def multiply(block: slice) -> None:
        offsets = matrix.offsets[block.start : block.stop + 1]
        lists = (offsets, matrix.indices, values, x.reshape(-1), out[block].reshape(-1))
        _sparsetools.csr_matvecs(len(offsets) - 1, matrix.columns, width, *lists)

    whole = len(values) * width <= _SMALL
    each(multiply, blocks(rows, max(rows, 1) if whole else _HEIGHT))
    return out
