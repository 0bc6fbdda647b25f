"""Whether training goes well: figures of an embedding space, on the host."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .metrics import unit_rows

__all__ = ["effective_rank", "mean_cosine"]


def effective_rank(embeddings: npt.ArrayLike) -> float:
    """How many dimensions the rows of (N, D) ``embeddings`` take up, from 1 to min(N, D).

    ``exp(−Σ p_i ln p_i)`` with ``p_i = σ_i / Σ σ``, σ the singular values. 1 where all rows lie on
    a line through the origin; 0 where all are zero.

    Roy & Vetterli 2007, "The effective rank: A measure of effective dimensionality".

    Raises:
        ValueError: the array is not 2-D, is empty or is not finite.
    """
    unit_rows(embeddings, name="embeddings")
    sigma = np.linalg.svd(np.asarray(embeddings, dtype=np.float64), compute_uv=False)
    if sigma[0] == 0.0:
        return 0.0
    p = sigma / sigma.sum()
    p = p[p > 0.0]
    return float(np.exp(-np.sum(p * np.log(p))))


def mean_cosine(embeddings: npt.ArrayLike) -> float:
    """The mean cosine between two different rows of (N, D) ``embeddings``; zero rows count as 0.

    ``(|Σ u_i|² − Σ |u_i|²) / (N (N − 1))``, u the rows at unit length, so no pair is formed.

    Raises:
        ValueError: the array is not 2-D, is not finite or has fewer than two rows.
    """
    u = unit_rows(embeddings, name="embeddings")
    n = len(u)
    if n < 2:
        raise ValueError(f"embeddings must have at least 2 rows, received {n}")
    total = u.sum(axis=0)
    return float((total @ total - np.sum(u * u)) / (n * (n - 1)))
