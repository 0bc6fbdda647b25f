"""Embedding spaces of several models: rotated onto each other, and put together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..array import HostArray, numerics

__all__ = ["aligned", "mean_of", "procrustes", "side_by_side"]


def procrustes(z: HostArray, reference: HostArray) -> HostArray:
    """The orthogonal Q (D, D) that makes ``‖z Q − reference‖`` least, rows (N, D), in float64.

    With ``zᵀ reference = U S Vᵀ`` it is ``U Vᵀ``: a rotation, a reflection allowed.

    Schönemann 1966, "A generalized solution of the orthogonal Procrustes problem".
    """
    u, _, vt = np.linalg.svd(np.asarray(z, np.float64).T @ np.asarray(reference, np.float64))
    return u @ vt


def aligned(views: Sequence[HostArray]) -> HostArray:
    """For each view (N, D) of the same rows what rotates it onto the first one, (n, D, D)."""
    return np.stack([procrustes(view, views[0]) for view in views])


def side_by_side(views: Sequence[HostArray]) -> HostArray:
    """(N, n · D): the cosine of two rows is the mean of the views' cosines."""
    return np.concatenate(views, axis=1) / np.sqrt(np.float32(len(views)))


def mean_of(views: Sequence[HostArray], rotations: HostArray | None, normalize: bool) -> HostArray:
    """The mean (N, D), float32, of views that are rotated where rotations are given; at unit length
    with ``normalize``."""
    if rotations is not None:
        views = [_rotate(view, q) for view, q in zip(views, rotations, strict=True)]
    mean = np.mean(views, axis=0, dtype=np.float64)
    if normalize:
        length = np.linalg.norm(mean, axis=1, keepdims=True)
        mean /= np.where(length > 0, length, 1.0)
    return mean.astype(np.float32)


def _rotate(z: HostArray, rotation: HostArray) -> HostArray:
    """``z Q`` (N, D), in float64, so that a row of it depends on that row of ``z`` alone."""
    rows = numerics.ROWS_ALIKE
    padded = np.zeros((-(-len(z) // rows), rows, z.shape[1]))
    padded.reshape(-1, z.shape[1])[: len(z)] = z
    return (padded @ rotation).reshape(-1, z.shape[1])[: len(z)]
