"""Labels of a few rows, spread over the graph of all rows: pseudo-labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ..array import one_thread
from ..errors import needing
from .linear_maps import unit

__all__ = ["Corpus", "SpreadLabels", "smoothed", "spread_labels"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

NEIGHBORS = 10
POWER = 8
"""The weight of a link is the cosine, 0 where it is negative, to this power."""
OWN_SHARE = 1.0
"""c of a row's own share ``c / (c + Σ_j w_ij)``: it listens only where neighbours are near."""
SMOOTHING_HOPS, SPREADING_HOPS = 2, 30
INVERSE_REGULARISATION = 10.0
KEPT = 0.85
"""The share of a class's unlabelled rows that take its label: those of the largest margin."""
FAR = 0.05
"""Rows are far from the labels where the nearest one is less similar than it is to all but this
share of the labelled rows themselves."""
_BLOCK = 1024
"""Rows that are compared with all others at a time, and fewer where there are more of these."""
_COSINES = 1 << 24
"""Cosines that are held."""


@dataclass(frozen=True)
class SpreadLabels:
    """What spreading found.

    Attributes:
        labels: (N,) the given classes; pseudo-labels of unlabelled rows, −1 of those left out.
        far: how many unlabelled rows are left out since no labelled row is near.
        unreached: since no path of links leads to a label.
        unsure: since their margin between first and second class is among their class's least.
    """

    labels: Ints
    far: int
    unreached: int
    unsure: int


def spread_labels(
    x: NDArray[np.float32],
    labels: Ints,
    *,
    kept: float = KEPT,
    plain: NDArray[np.float32] | None = None,
) -> SpreadLabels:
    """Give unlabelled rows the classes of labelled ones, over the graph of nearest neighbours.

    Links go to the ten nearest rows both ways, of weight ``w_ij = max(0, cos_ij)⁸``; P is W with
    rows of sum 1, and a row's own share ``a_i = 1 / (1 + Σ_j w_ij)``. Rows are smoothed,
    ``Z ← a X + (1 − a) P Z`` twice; Q are the probabilities of logistic regression on the labelled
    rows of Z; and classes spread, ``F ← a Q + (1 − a) P F`` thirty times, labelled rows held at
    their class (personalised propagation, Gasteiger et al. 2019, arXiv:1810.05997; label spreading,
    Zhou et al. 2004). Of the rows that fall to a class, the share ``kept`` with the largest margin
    between first and second class takes its label.

    Args:
        x: (N, D) vectors, no two equal.
        labels: (N,) classes, −1 where unknown.
        kept: in (0, 1].
        plain: (N, E) vectors to tell by which rows are far, where labels have drawn those of
            ``x`` together.

    Raises:
        ValueError: the labelled rows are of fewer than two classes.
        MissingExtraError: scikit-learn is not installed.
    """
    return Corpus(x, labels, plain).spread(labels, kept)


def smoothed(x: NDArray[np.floating[Any]], values: NDArray[np.floating[Any]]) -> Floats:
    """Values of rows, smoothed over the graph of ``spread_labels`` and brought to unit length:
    ``Z ← a V + (1 − a) P Z`` twice, from V on.

    Args:
        x: (N, D) vectors of two rows or more, which are linked.
        values: (N, E) V.
    """
    links, own = _graph(unit(x.astype(np.float64)))
    return unit(_smoothed(links, own, values.astype(np.float64)))


class Corpus:
    """Rows and their graph, over which labels spread; see ``spread_labels``.

    Args:
        x: (N, D) vectors, no two equal.
        labels: (N,) classes, −1 where unknown: rows far from every labelled one are left out.
        plain: (N, E) vectors to tell these by, x where not given.
    """

    def __init__(
        self,
        x: NDArray[np.floating[Any]],
        labels: Ints,
        plain: NDArray[np.floating[Any]] | None = None,
    ) -> None:
        rows = unit(x.astype(np.float64))
        by = rows if plain is None else unit(plain.astype(np.float64))
        self._near = np.flatnonzero((labels >= 0) | ~_far(by, labels))
        rows = rows[self._near]
        self._links, self._own = _graph(rows)
        self._z = unit(_smoothed(self._links, self._own, rows))
        self._part = sparse.csgraph.connected_components(self._links, directed=False)[1]

    def spread(self, labels: Ints, kept: float = KEPT) -> SpreadLabels:
        """What ``spread_labels`` finds where these (N,) labels are given."""
        near, out = self._near, labels.copy()
        given = np.flatnonzero(labels[near] >= 0)
        names, classes = np.unique(labels[near[given]], return_inverse=True)
        if len(names) < 2:
            raise ValueError(f"labels must be of two classes at least, received {len(names)}")
        prior = _probabilities(self._z, given, classes)
        held = np.eye(len(names))[classes]
        f = prior.copy()
        f[given] = held
        for _ in range(SPREADING_HOPS):
            f = _mixed(self._links, self._own, prior, f)
            f[given] = held
        reached = np.isin(self._part, self._part[given])
        rest = np.flatnonzero(reached & (labels[near] < 0))
        best = np.argmax(f[rest], axis=1)
        second, first = np.partition(f[rest], -2, axis=1)[:, -2:].T
        taken = np.zeros(len(rest), bool)
        for number in range(len(names)):
            own = np.flatnonzero(best == number)
            count = int(np.ceil(kept * len(own)))
            taken[own[np.argsort((second - first)[own], kind="stable")[:count]]] = True
        out[near[rest[taken]]] = names[best[taken]]
        far, unreached = len(labels) - len(near), int((~reached).sum())
        return SpreadLabels(out, far, unreached, int((~taken).sum()))


def _probabilities(z: Floats, given: Ints, classes: Ints) -> Floats:
    """(N, C) by logistic regression on the rows ``given``."""
    with needing("unlabelled rows need scikit-learn", "text"):
        from sklearn.linear_model import LogisticRegression
    model = LogisticRegression(C=INVERSE_REGULARISATION, max_iter=1000)
    with one_thread():  # its steps are so short that a second one makes them longer
        model.fit(z[given], classes)
    found: Floats = model.predict_proba(z)
    return found


def _mixed(links: Any, share: Floats, own: Floats, others: Floats) -> Floats:
    """``a own + (1 − a) P others``."""
    mixed: Floats = share * own + (1.0 - share) * (links @ others)
    return mixed


def _smoothed(links: Any, share: Floats, values: Floats) -> Floats:
    z = values
    for _ in range(SMOOTHING_HOPS):
        z = _mixed(links, share, values, z)
    return z


def _far(rows: Floats, labels: Ints) -> NDArray[np.bool_]:
    """Which rows are less similar to their nearest labelled row than all but a share ``FAR`` of the
    labelled rows are to another."""
    given = np.flatnonzero(labels >= 0)
    nearest = np.empty(len(rows))
    for start in range(0, len(rows), _BLOCK):
        cosines = rows[start : start + _BLOCK] @ rows[given].T
        own = np.flatnonzero((given >= start) & (given < start + _BLOCK))
        cosines[given[own] - start, own] = -np.inf
        nearest[start : start + _BLOCK] = cosines.max(axis=1)
    if len(given) < 2:
        return np.zeros(len(rows), bool)
    far: NDArray[np.bool_] = nearest < np.quantile(nearest[given], FAR)
    return far


def _graph(rows: Floats) -> tuple[Any, Floats]:
    """The links of rows, each row's of sum 1, and their own shares (N, 1)."""
    count = len(rows)
    k = min(NEIGHBORS, count - 1)
    neighbors = np.empty((count, k), np.int64)
    weights = np.empty((count, k))
    block = max(1, min(_BLOCK, _COSINES // count))
    for start in range(0, count, block):
        cosines = rows[start : start + block] @ rows.T
        cosines[np.arange(len(cosines)), np.arange(start, start + len(cosines))] = -np.inf
        found = np.argpartition(cosines, count - k, axis=1)[:, count - k :]
        neighbors[start : start + block] = found
        weights[start : start + block] = np.take_along_axis(cosines, found, axis=1)
    sources = np.repeat(np.arange(count), k)
    values = np.maximum(weights, 0.0).ravel() ** POWER
    directed = sparse.csr_array((values, (sources, neighbors.ravel())), shape=(count, count))
    both = directed.maximum(directed.T)
    both.eliminate_zeros()
    sums = np.asarray(both.sum(axis=1), np.float64).reshape(-1, 1)
    own: Floats = OWN_SHARE / (OWN_SHARE + sums)
    scaled = sparse.diags_array(1.0 / np.where(sums[:, 0] > 0.0, sums[:, 0], 1.0)) @ both
    return scaled.tocsr(), own
