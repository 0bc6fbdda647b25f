"""Negatives: which texts an anchor is to be told apart from."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

import numpy as np

from ..reading.raw import FloatArray, IntArray

__all__ = ["STEP", "NegativeSampling", "draw_negatives", "strategy_of"]

NegativeSampling: TypeAlias = Literal["random", "hard", "semi_hard", "distance_weighted"]

CUTOFF, NONZERO_LOSS_CUTOFF = 0.5, 1.4
"""Of distances, as in ``dtgcnn.losses.mining.distance_weighted``."""

STEP = np.float32(2**-22)
"""What cosines of ``unit_rows`` are multiples of."""

_OUT = np.float32(-np.inf)


def strategy_of(name: str) -> NegativeSampling:
    """The strategy of a name; a hyphen serves as an underscore.

    Raises:
        ValueError: there is none.
    """
    known: tuple[NegativeSampling, ...] = get_args(NegativeSampling)
    for strategy in known:
        if strategy == str(name).replace("-", "_"):
            return strategy
    raise ValueError(
        f"negative_sampling_strategy must be one of {', '.join(known)}, received {name!r}"
    )


def draw_negatives(
    strategy: NegativeSampling,
    cosines: FloatArray,
    to_positive: FloatArray,
    dimensions: int,
    rng: np.random.Generator,
) -> IntArray:
    """T negatives of one anchor out of N texts, all different.

    ``random`` draws evenly. The others give each text a score and take the T highest, of equal ones
    the first: ``hard`` its cosine; ``semi_hard`` its cosine, where that is below the cosine of the
    positive (Schroff et al. 2015); ``distance_weighted`` ``log w + g`` with a Gumbel-distributed g,
    which draws without replacement with probabilities in proportion to the weights w of Wu et al.
    2017 (see ``dtgcnn.losses.mining.distance_weighted``).

    Args:
        strategy: how they are chosen.
        cosines: (N,) float32 with the anchor, multiples of ``STEP``; minus infinity for texts that
            are no negatives of it. Is overwritten.
        to_positive: (T,) the cosine of each triplet's positive.
        dimensions: D, those of the sphere on which the vectors lie.
        rng: decides what is drawn.

    Returns:
        (T,) texts, -1 where none is left.
    """
    chosen = np.full(len(to_positive), -1, np.int64)
    if strategy == "random":
        left = np.flatnonzero(cosines > _OUT)
        count = min(len(chosen), len(left))
        chosen[:count] = rng.choice(left, count, replace=False)
        return chosen
    scores = cosines
    if strategy == "distance_weighted":
        scores = _weighted(cosines, dimensions, rng)
    for t, limit in enumerate(to_positive):
        best = _below(scores, limit) if strategy == "semi_hard" else int(scores.argmax())
        if scores[best] > _OUT and (strategy != "semi_hard" or scores[best] < limit):
            chosen[t] = best
            scores[best] = _OUT
    return chosen


def _below(scores: FloatArray, limit: np.float32) -> int:
    """Where the highest score below ``limit`` is; anywhere where there is none.

    Read as whole numbers, the bits of floats rise from 0 to infinity, and those of negative ones
    are higher still. So the least of them is the smallest difference that is not negative: in a
    tenth of the time of a masked maximum.
    """
    differences: FloatArray = (limit - STEP) - scores
    return int(differences.view(np.uint32).argmin())


def _weighted(cosines: FloatArray, dimensions: int, rng: np.random.Generator) -> FloatArray:
    """(N,) ``log w + g``, ``w = 1 / q(max(d, cutoff))``; minus infinity beyond the other cutoff."""
    near = np.flatnonzero(cosines > 1 - NONZERO_LOSS_CUTOFF**2 / 2)
    squared = np.maximum(2 - 2 * cosines[near], np.float32(CUTOFF**2))
    log_weights = np.float32(-0.5 * (dimensions - 2)) * np.log(squared)
    log_weights -= np.float32(0.5 * (dimensions - 3)) * np.log1p(np.float32(-0.25) * squared)
    drawn = rng.standard_exponential(len(near), np.float32)
    log_weights -= np.log(np.maximum(drawn, np.float32(1e-30)))
    scores = np.full_like(cosines, _OUT)
    scores[near] = log_weights
    return scores
