"""Kernel ridge regression of classes: the kernel, and its solution in single precision, refined in
double (Saunders, Gammerman & Vovk 1998; Moler 1967, "Iterative refinement in floating point")."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

__all__ = ["Real", "blocks_of", "class_targets", "kernel", "kernel_type", "ridge_regression"]

Real = NDArray[np.floating[Any]]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

KERNEL_BLOCK = 512
"""Rows of a kernel looked at at a time."""

SINGLE_ROWS = 2_000
"""Rows above which a kernel is made, and factored, in single precision."""

_ROUNDS, _SETTLED = 4, 1e-3
"""Corrections at most, and how small beside the solution one shows that the next would be nothing:
each is as much smaller than the one before."""


def blocks_of(count: int) -> list[slice]:
    """So many rows, ``KERNEL_BLOCK`` at a time."""
    starts = range(0, count, KERNEL_BLOCK)
    return [slice(start, min(start + KERNEL_BLOCK, count)) for start in starts]


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
    k: Real, targets: Floats, ridge: float, left_out: bool = False, *, exact: bool = True
) -> tuple[Floats, Floats | None]:
    """``A = (K + λ I)⁻¹ (Y − 1/C)``, and with ``left_out`` the rows' leave-one-out predictions
    ``Y − 1/C − A_i / [(K + λ I)⁻¹]_ii``.

    It works in the memory of ``k`` (N, N), which is symmetric: the factor takes the lower triangle,
    and K stays above the diagonal. Of single precision are the factor, and what is found with it at
    first; the error that this leaves is found in double precision and solved for again. Where that
    does not settle, all of it is in double precision. Without ``exact`` what single precision finds
    is left as it is: enough to choose a ridge by.
    """
    diagonal = k.diagonal().astype(np.float64) + ridge
    k[np.diag_indices(len(k))] = diagonal
    letter = "s" if k.dtype == np.float32 else "d"
    names = "potrf", "potrs", "trtri"
    factor, solve, invert = (getattr(scipy.linalg.lapack, letter + name) for name in names)
    # LAPACK takes columns, so the lower triangle is the upper one to it.
    u, failed = factor(k.T, lower=0, clean=0, overwrite_a=1)
    a: Floats = np.zeros_like(targets)
    settled, missing = False, targets
    for _ in range(0 if failed else _ROUNDS if k.dtype == np.float32 else 1):
        step = solve(u, missing.astype(k.dtype), lower=0)[0].astype(np.float64)
        a += step
        settled = not (exact and k.dtype == np.float32) or bool(
            np.linalg.norm(step) <= _SETTLED * np.linalg.norm(a)
        )
        if settled:
            break
        missing = targets - _product(k, diagonal, a)
    if not settled:
        if k.dtype == np.float64:
            raise scipy.linalg.LinAlgError("the kernel of the rows is not positive definite")
        k[np.diag_indices(len(k))] = diagonal - ridge
        whole = np.triu(k).astype(np.float64)
        whole += np.triu(whole, 1).T
        return ridge_regression(whole, targets, ridge, left_out)
    if not left_out:
        return a, None
    inverse = invert(u, lower=0, overwrite_c=1)[0].T
    own = np.zeros(len(k))
    for rows in blocks_of(len(k)):
        block = np.tril(inverse[rows, : rows.stop], rows.start)
        own[: rows.stop] += np.einsum("ij,ij->j", block, block)
    return a, targets - a / own[:, None]


def _product(k: Real, diagonal: Floats, a: Floats) -> Floats:
    """``M a``, in double precision, of what is left of M: its diagonal and ``k`` above it."""
    out: Floats = diagonal[:, None] * a
    for rows in blocks_of(len(k)):
        block = k[rows, rows.start :].astype(np.float64)
        block[:, : len(block)] = np.triu(block[:, : len(block)], 1)
        out[rows] += block @ a[rows.start :]
        out[rows.start :] += block.T @ a[rows]
    return out
