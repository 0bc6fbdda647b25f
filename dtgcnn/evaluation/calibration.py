"""How sure votes may be, and which rows are of no class that is known: fitted on held-out rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from .metrics import unit_means, unit_rows

if TYPE_CHECKING:
    from ..model import Answers

__all__ = ["Held", "expected_calibration_error", "fit_calibration", "fit_votes"]
__all__ += ["measured"]

Floats = npt.NDArray[np.float64]

BINS = 15
QUANTILES = 1001
"""Of the held-out scores: any rate is told to a thousandth."""

LIMITS = ((np.log(0.01), np.log(2.0)), (np.log(1e-6), np.log(100.0)))
"""Of ln τ and of ln ε: with the least ε a class without a vote still has a probability."""

_ROUNDING = 1e-5
"""By which a probability in float32 may be above 1."""

_BEGINNINGS = (0.05, 0.2)
_BLOCK_ELEMENTS = 1 << 23


class Held(NamedTuple):
    """What is known of N held-out rows, and of the M rows that vote.

    Attributes:
        labels: (N,) their classes.
        voted, cosines: (N, k) the classes of their nearest voters, and the cosines to them.
        scope: (N, 3), see ``dtgcnn.model.Voters.scope``.
        x: (N, D) what goes into the model.
        known_x, known: (M, D) and (M,), inputs and classes of the voters.
    """

    labels: npt.ArrayLike
    voted: npt.ArrayLike
    cosines: npt.ArrayLike
    scope: npt.ArrayLike
    x: npt.ArrayLike
    known_x: npt.ArrayLike
    known: npt.ArrayLike


def fit_calibration(held: Held, classes: int) -> dict[str, Floats]:
    """The arrays of ``dtgcnn.model.Calibration`` but ``error``.

    τ and ε of ``fit_votes``. The score of a row is ``(a · u − mean) / deviation``, u its input's
    two figures in ``scope``, plus the same of the third, its embedding's; mean and deviation are
    those of the held-out rows. ``a`` is Fisher's discriminant, not below 0, between these rows as
    they are and as they would be if no row of their own class were known: to the input vectors, a
    row of a class that training did not see is like the latter. Embeddings would not tell, since
    they were trained with that class.
    """
    temperature, background = fit_votes(held, classes)
    scope = np.asarray(held.scope, np.float64)
    unseen = _without_own_class(held)
    spread = np.cov(scope[:, :2].T) + np.cov(unseen.T) + 1e-9 * np.eye(2)
    weights = np.linalg.solve(spread, scope[:, :2].mean(axis=0) - unseen.mean(axis=0))
    weights = np.maximum(weights, 0.0)
    both = np.stack([scope[:, :2] @ weights, scope[:, 2]], axis=1)
    mean, deviation = both.mean(axis=0), np.maximum(both.std(axis=0), 1e-6)
    weights = np.array([*weights / deviation[0], 1.0 / deviation[1]])
    offset = np.array(-(mean / deviation).sum())
    scores = (scope * weights).sum(axis=1) + offset
    return {
        "temperature": np.array(temperature),
        "background": np.array(background),
        "weights": weights,
        "offset": offset,
        "quantiles": np.quantile(scores, np.linspace(0.0, 1.0, QUANTILES)),
    }


def measured(
    arrays: Mapping[str, Floats], answers: Answers, labels: npt.ArrayLike
) -> dict[str, Floats]:
    """The arrays of ``fit_calibration`` and ``error``, of what they make of the held-out rows; NaN
    where the weights, and so the answers, are not finite."""
    right = np.asarray(answers.best)[:, 0] == np.asarray(labels)
    sure = np.asarray(answers.sure)[:, 0]
    finite = np.isfinite(sure).all()
    error = expected_calibration_error(sure, right) if finite else float("nan")
    return {**arrays, "error": np.array(error)}


def fit_votes(held: Held, classes: int) -> tuple[float, float]:
    """τ and ε at which the votes of ``dtgcnn.model.probabilities`` have the least cross entropy
    (Guo et al. 2017, arXiv:1706.04599, fit softmax's temperature so) with the held-out rows' own
    classes, each taken to be right in (N + 1) / (N + 2) of all cases (Platt 1999): a few rows that
    are all told right do not show that none ever is told wrong."""
    from scipy.optimize import minimize  # which takes as long to load as a search, and is rare

    cosines, count = np.asarray(held.cosines, np.float64), len(np.asarray(held.labels))
    own = np.asarray(held.voted) == np.asarray(held.labels)[:, None]
    right = np.concatenate([own, np.full((count, 1), 1.0 / classes)], axis=1)
    target = (count + 1.0) / (count + 2.0)

    def loss(logs: Floats) -> float:
        doubt = np.full((count, 1), logs[1])
        powers = np.concatenate([(cosines - 1.0) / np.exp(logs[0]), doubt], axis=1)
        votes = np.exp(powers - powers.max(axis=1, keepdims=True))
        said, whole = (votes * right).sum(axis=1), votes.sum(axis=1)
        unsaid = (votes * (1.0 - right)).sum(axis=1)
        logs_of = target * np.log(said) + (1.0 - target) * np.log(unsaid)
        return float((np.log(whole) - logs_of).mean())

    found = [
        minimize(loss, np.log([tau, 0.2]), method="Nelder-Mead", bounds=LIMITS)
        for tau in _BEGINNINGS
    ]
    temperature, background = np.exp(min(found, key=lambda result: float(result.fun)).x)
    return float(temperature), float(background)


def expected_calibration_error(
    confidence: npt.ArrayLike, correct: npt.ArrayLike, bins: int = BINS
) -> float:
    """``Σ_b |B_b| / N · |accuracy(B_b) − confidence(B_b)|`` over bins of equal width, the b-th of
    which is ((b − 1) / B, b / B] (Guo et al. 2017, arXiv:1706.04599).

    Args:
        confidence: (N,) the probability of the most probable class, in [0, 1].
        correct: (N,) whether that class was right.
        bins: B.

    Raises:
        ValueError: there are no rows, or not as many of both; a confidence is not in [0, 1], or
            ``bins`` is below 1.
    """
    sure, right = np.asarray(confidence, np.float64), np.asarray(correct, np.float64)
    if sure.ndim != 1 or sure.shape != right.shape or not len(sure):
        raise ValueError(
            "confidence and correct must be of one length, 1 or more, received shapes "
            f"{sure.shape} and {right.shape}"
        )
    inside = (sure >= 0.0) & (sure <= 1.0 + _ROUNDING)
    if not inside.all():
        raise ValueError(f"confidence must be in [0, 1], received {sure[~inside][0]:g}")
    if not ((right == 0.0) | (right == 1.0)).all():
        raise ValueError("correct must be true or false, 1 or 0")
    if bins < 1:
        raise ValueError(f"bins must be at least 1, received {bins}")
    places = np.clip(np.ceil(sure * bins).astype(np.int64) - 1, 0, bins - 1)
    gaps = np.bincount(places, weights=right - sure, minlength=bins)
    return float(np.abs(gaps).sum() / len(sure))


def _without_own_class(held: Held) -> Floats:
    """The first two columns of ``scope`` if the rows' own classes had no voters."""
    x, known_x = unit_rows(held.x), unit_rows(held.known_x)
    labels, known = np.asarray(held.labels), np.asarray(held.known)
    names, places = np.unique(known, return_inverse=True)
    means = unit_means(known_x, places)
    step, found = max(1, _BLOCK_ELEMENTS // len(known_x)), []
    for block in (slice(start, start + step) for start in range(0, len(x), step)):
        pair = [
            np.where(labels[block, None] == classes, -1.0, x[block] @ rows.T).max(axis=1)
            for rows, classes in ((known_x, known), (means, names))
        ]
        found.append(np.stack(pair, axis=1))
    return np.concatenate(found)
