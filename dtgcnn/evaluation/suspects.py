"""Labels that look wrong, by what the other rows say of each."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..array import one_thread
from ..data import check_seed
from ..errors import needing
from .metrics import unit_rows

__all__ = ["LabelSuspects", "suspect_labels"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

FOLDS = 5
INVERSE_PENALTY = 3.0
"""C of the logistic regression."""
DIVISIONS = 5
"""Divisions into folds whose log-odds are averaged, where that takes seconds."""
_QUICK = 100_000_000
"""Rows times columns times classes up to which it does."""


@dataclass(frozen=True)
class LabelSuspects:
    """Rows in the order in which their labels look wrong, the worst first.

    Attributes:
        rows: (M,) row numbers: those with a label, of classes of two such rows or more.
        scores: (M,) ``p_y / (p_y + p_c)`` in [0, 1], y the label given and c the likeliest other
            class: below 0.5 the other one is likelier.
        suggested: (M,) that class.
        suspected: (M,) whether another class is found as surely as its own rows are on average.
        left_out: rows that have a label, the only one of its class.
    """

    rows: Ints
    scores: Floats
    suggested: Ints
    suspected: npt.NDArray[np.bool_]
    left_out: Ints


def suspect_labels(vectors: npt.ArrayLike, labels: npt.ArrayLike, seed: int = 0) -> LabelSuspects:
    """Rank rows by how little the others bear out their labels.

    Logistic regression (C = 3) on rows at unit length gives each row, in stratified folds, five at
    most, its probabilities ``p`` from the rows of the other folds. Rows are ranked by the log-odds
    ``log p_y − max_{c ≠ y} log p_c``, the mean over five divisions into folds, or of one of
    large data. Suspected are rows whose likeliest class c is another than y and has ``p_c`` at
    least at the mean ``p_c`` of the rows that are labelled c, or, where several reach theirs,
    those whose likeliest of these is another (Northcutt, Jiang & Chuang 2021, "Confident
    Learning", with the geometric mean of the divisions as ``p``).

    Args:
        vectors: (N, D) what is known of the rows, such as TF-IDF.
        labels: (N,) classes; −1 where there is none, and such rows take no part.
        seed: decides the divisions, below 2³².

    Raises:
        ImportError: scikit-learn is not installed.
        ValueError: rows are not 2-D or not finite, labels are not one each, fewer than two classes
            have two rows, or ``seed`` is out of range.
    """
    check_seed(seed)
    x, y = unit_rows(vectors, name="vectors"), np.asarray(labels, np.int64)
    if y.shape != (len(x),):
        raise ValueError(f"labels must have shape ({len(x)},), received {y.shape}")
    known = np.flatnonzero(y >= 0)
    classes, place, counts = np.unique(y[known], return_inverse=True, return_counts=True)
    two = counts[place] >= 2
    rows, left_out = known[two], known[~two]
    classes = classes[counts >= 2]
    if len(classes) < 2:
        raise ValueError(
            "labels must have two classes of two rows or more, so that one can be mistaken for "
            f"another and the rest tell: {len(classes)} of {len(counts)} classes have two rows"
        )
    own = np.searchsorted(classes, y[rows])
    log_p = _out_of_fold(x[rows], own, min(FOLDS, int(counts.max())), seed)
    at = np.arange(len(rows))
    others = log_p.copy()
    others[at, own] = -np.inf
    best = others.argmax(axis=1)
    odds = log_p[at, own] - others[at, best]
    order = np.argsort(odds, kind="stable")
    scores = 1.0 / (1.0 + np.exp(-np.clip(odds, -700.0, 700.0)))
    suspected = _confidently_other(log_p, own)
    return LabelSuspects(
        rows[order], scores[order], classes[best[order]], suspected[order], left_out
    )


def _out_of_fold(x: Floats, own: Ints, folds: int, seed: int) -> Floats:
    """(M, C) mean log-probabilities from the rows of other folds."""
    with needing("labels need scikit-learn", "text"):
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import StratifiedKFold
    width = int(own.max()) + 1
    divisions = DIVISIONS if x.size * width <= _QUICK else 1
    total = np.zeros((len(x), width))
    # Logistic regression's steps are so short that a second thread makes them longer.
    with one_thread(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes of fewer rows than folds
        for division in range(divisions):
            parts = StratifiedKFold(folds, shuffle=True, random_state=(seed + division) % 2**32)
            for others, held in parts.split(x, own):
                model = LogisticRegression(C=INVERSE_PENALTY, max_iter=1000)
                total[held] += model.fit(x[others], own[others]).predict_log_proba(x[held])
    return total / divisions


def _confidently_other(log_p: Floats, own: Ints) -> npt.NDArray[np.bool_]:
    """(M,) rows off the diagonal of the confident joint, whose likeliest class is another too."""
    p = np.exp(log_p)
    p /= p.sum(axis=1, keepdims=True)
    at = np.arange(len(own))
    surety = np.bincount(own, weights=p[at, own]) / np.bincount(own)
    sure = np.where(p >= surety, p, -1.0)
    found = sure.argmax(axis=1)
    other: npt.NDArray[np.bool_] = (sure[at, found] > 0) & (found != own)
    other &= p.argmax(axis=1) != own
    return other
