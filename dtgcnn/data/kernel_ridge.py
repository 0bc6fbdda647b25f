"""Kernel ridge regression of classes: the kernel, and its solution in single precision, refined in
double (Saunders, Gammerman & Vovk 1998; Moler 1967, "Iterative refinement in floating point")."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

__all__ = ["Block", "Real", "blocks_of", "class_targets", "in_memory", "kernel", "kernel_type"]
__all__ += ["ridge_regression"]

Real = NDArray[np.floating[Any]]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

Block = Callable[[slice, slice], Real]
"""Some rows and columns of a symmetric matrix, the same each time that they are asked for."""

KERNEL_BLOCK = 512
"""Rows of a kernel looked at at a time."""

SINGLE_ROWS = 2_000
"""Rows above which a kernel is made, and factored, in single precision."""

_ROUNDS, _SETTLED = 4, 1e-3
"""Corrections at most, and how small beside the solution one shows that the next would be nothing:
each is as much smaller than the one before."""


def kernel_type(rows: int) -> type[np.floating[Any]]:
    """The precision of the kernel of so many rows."""
    return np.float32 if rows > SINGLE_ROWS else np.float64


def kernel(a: Real, b: Real) -> Real:
    """``exp(2 (a·b − 1))`` of unit rows, in the precision of ``b``."""
    out: Real = a.astype(b.dtype, copy=False) @ b.T
    out -= 1.0
    out *= 2.0
    return np.exp(out, out=out)


def class_targets(labels: Ints, classes: int) -> Floats:
    """``Y − 1/C``, Y one-hot."""
    y = np.full((len(labels), classes), -1.0 / classes)
    y[np.arange(len(labels)), labels] += 1.0
    return y


def ridge_regression(
    k: Block,
    targets: Floats,
    ridge: float,
    left_out: bool = False,
    *,
    exact: bool = True,
    dtype: type[np.floating[Any]] | None = None,
) -> tuple[Floats, Floats | None]:
    """``A = (K + λ I)⁻¹ (Y − 1/C)``, and with ``left_out`` the rows' leave-one-out predictions
    ``Y − 1/C − A_i / [(K + λ I)⁻¹]_ii``.

    It holds a triangle, that of the Cholesky factor. Of single precision are the factor, and what
    is found with it at first; the error that this leaves is found in double precision, with K made
    anew, and solved for again. Where that does not settle, all of it is in double precision.
    Without ``exact`` what single precision finds is left as it is: enough to choose a ridge by.

    Args:
        k: K, of N rows.
        targets: (N, C) ``Y − 1/C``.
        ridge: λ.
        left_out: whether to predict each row from the others.
        exact: whether to correct what single precision finds.
        dtype: of the factor; by N where not given.

    Raises:
        scipy.linalg.LinAlgError: K is not positive definite.
    """
    dtype = dtype or kernel_type(len(targets))
    single = dtype == np.float32
    factor = _factor(k, len(targets), ridge, dtype)
    a: Floats = np.zeros_like(targets)
    settled, missing = False, targets
    for _ in range(0 if factor is None else _ROUNDS if single else 1):
        assert factor is not None
        step = _solved(factor, missing.astype(dtype))
        a += step
        small = _SETTLED * np.linalg.norm(a)
        settled = not (exact and single) or bool(np.linalg.norm(step) <= small)
        if settled:
            break
        missing = _missing(k, targets, ridge, a)
    if factor is None or not settled:
        if not single:
            raise scipy.linalg.LinAlgError("the kernel of the rows is not positive definite")
        return ridge_regression(k, targets, ridge, left_out, dtype=np.float64)
    if not left_out:
        return a, None
    del missing, step
    return a, targets - a / _inverse_diagonal(factor)[:, None]


def in_memory(k: Block, count: int) -> Block:
    """The same K, of ``count`` rows, whose lower triangle is held from now on."""
    panels = _triangle(count, kernel_type(count))
    for rows, own in zip(blocks_of(count), panels, strict=True):
        _fill(own, k, rows)
    return lambda rows, columns: panels[rows.start // KERNEL_BLOCK][:, columns]


def blocks_of(count: int) -> list[slice]:
    """So many rows, ``KERNEL_BLOCK`` at a time."""
    starts = range(0, count, KERNEL_BLOCK)
    return [slice(start, min(start + KERNEL_BLOCK, count)) for start in starts]


def _triangle(count: int, dtype: type[np.floating[Any]]) -> list[Real]:
    """Room for a lower triangle, in panels of rows up to their last column: one piece of memory,
    which an allocator gives back at once."""
    shapes = [(rows.stop - rows.start, rows.stop) for rows in blocks_of(count)]
    stops = np.cumsum([height * width for height, width in shapes])
    panels = np.split(np.empty(stops[-1], dtype), stops[:-1])
    return [panel.reshape(shape) for panel, shape in zip(panels, shapes, strict=True)]


def _fill(panel: Real, k: Block, rows: slice) -> None:
    for columns in blocks_of(rows.stop):
        panel[:, columns] = k(rows, columns)


def _factor(k: Block, count: int, ridge: float, dtype: type[np.floating[Any]]) -> list[Real] | None:
    """The panels of L, ``L Lᵀ = K + λ I``, each with the inverse of its diagonal block in the
    place of that block; None where there is no L."""
    letter = "s" if dtype == np.float32 else "d"
    factor, invert = (getattr(scipy.linalg.lapack, letter + name) for name in ("potrf", "trtri"))
    panels = _triangle(count, dtype)
    for rows, own in zip(blocks_of(count), panels, strict=True):
        _fill(own, k, rows)
        for columns, above in zip(blocks_of(rows.start), panels, strict=False):
            before = slice(columns.start)
            own[:, columns] -= own[:, before] @ above[:, before].T
            own[:, columns] = own[:, columns] @ above[:, columns].T
        left, corner = own[:, : rows.start], own[:, rows].astype(np.float64)
        corner[np.diag_indices(len(corner))] += ridge
        corner -= left @ left.T
        lower, failed = factor(corner.astype(dtype), lower=1)
        if failed:
            return None
        own[:, rows] = invert(lower, lower=1)[0]
    return panels


def _solved(panels: list[Real], b: Real) -> Real:
    """``(L Lᵀ)⁻¹ b``, in the memory of ``b``."""
    steps = list(zip(blocks_of(len(b)), panels, strict=True))
    for rows, own in steps:
        b[rows] = own[:, rows] @ (b[rows] - own[:, : rows.start] @ b[: rows.start])
    for rows, own in reversed(steps):
        b[rows] = own[:, rows].T @ b[rows]
        b[: rows.start] -= own[:, : rows.start].T @ b[rows]
    return b


def _missing(k: Block, targets: Floats, ridge: float, a: Floats) -> Floats:
    """``Y − 1/C − (K + λ I) A``, in double precision."""
    out: Floats = targets - ridge * a
    for rows in blocks_of(len(a)):
        for columns in blocks_of(rows.stop):
            block = k(rows, columns).astype(np.float64)
            out[rows] -= block @ a[columns]
            if columns != rows:
                out[columns] -= block.T @ a[rows]
    return out


def _inverse_diagonal(panels: list[Real]) -> Floats:
    """The diagonal of ``(L Lᵀ)⁻¹``: the squares of the columns of L⁻¹, which the panels become."""
    out = np.zeros(panels[-1].shape[1])
    parts = blocks_of(len(out))
    for place, (rows, own) in enumerate(zip(parts, panels, strict=True)):
        left = -own[:, rows] @ own[:, : rows.start]
        for first, columns in enumerate(parts[:place]):
            inner = zip(parts[first:place], panels[first:place], strict=True)
            own[:, columns] = sum(left[:, among] @ above[:, columns] for among, above in inner)
        out[: rows.stop] += np.einsum("ij,ij->j", own, own)
    return out
