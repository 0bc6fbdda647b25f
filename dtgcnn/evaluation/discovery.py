"""Groups of rows: known classes of a model, and new ones that it has not seen."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..data import check_seed, smoothed
from ..errors import needing
from ..model import check_embedder
from .metrics import unit_means, unit_rows
from .projection import stratified_sample

if TYPE_CHECKING:
    from ..array import HostArray
    from ..model import Embedder

__all__ = ["Discovery", "Group", "clusters_may_be_fewer", "discover"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

STARTS = 5
"""Starts of k-means, the best of which is kept."""
SAMPLE = 3000
"""Rows on which the number of groups is chosen."""
MOST_GROUPS = 200
"""The largest number that is tried."""
_TRIED = 24
COINCIDE = 1e-9
"""What the cosine of centres lacks to 1 that are one but for rounding."""
_EDGE = 10.0
"""The percentile of cosines that counts as the edge of a group or class."""
_ALIKE = 0.93
"""The least cosine of a class's mean with the centre of a group that has its name."""


@dataclass(frozen=True)
class Group:
    """Rows that belong together.

    Attributes:
        name: that of a class of the model, or ``"new 1"`` and so on, the largest first,
            of the names that no class has.
        known: whether it is a class of the model.
        rows: (n,) its rows, the nearest to its centre first.
    """

    name: str
    known: bool
    rows: Ints


@dataclass(frozen=True)
class Discovery:
    """What ``discover`` found.

    Attributes:
        groups: the largest first.
        assigned: (N,) each row's place in ``groups``; −1 for rows of which nothing is known.
        cosines: (N,) of a row with its group's centre; NaN where there is none.
        silhouettes: the mean silhouette of each number of groups that was tried; empty where the
            number was given.
    """

    groups: list[Group]
    assigned: Ints
    cosines: Floats
    silhouettes: dict[int, float] = field(default_factory=dict)

    @property
    def names(self) -> list[str | None]:
        """The name of each row's group."""
        return [None if place < 0 else self.groups[place].name for place in self.assigned]

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON's types."""
        groups = [
            {"name": g.name, "known": g.known, "size": len(g.rows), "rows": g.rows.tolist()}
            for g in self.groups
        ]
        cosines = [None if np.isnan(cosine) else float(cosine) for cosine in self.cosines]
        tried = {str(number): score for number, score in self.silhouettes.items()}
        return {
            "groups": groups,
            "assigned": self.assigned.tolist(),
            "cosines": cosines,
            "silhouettes": tried,
        }


def discover(
    model: Embedder, x: HostArray | Sequence[str], groups: int | None = None, seed: int = 0
) -> Discovery:
    """Put texts or vectors into groups: classes that the model knows, and new ones.

    Rows are embedded by ``model.index`` over themselves, so that those of new classes find each
    other, and grouped by k-means on unit rows. Its centres begin at the mean embeddings of the
    labelled rows of known classes, where a row of ``x`` is as near as their own, and at others by
    k-means++ with each row weighed by its distance to those (Arthur & Vassilvitskii 2007). From
    these groups k-means goes on with the embeddings smoothed over the graph of the rows' vectors
    (see ``dtgcnn.data.smoothed``; a model with an embedding layer has none). A group has the name
    of a class if most of the class's labelled rows are nearest to it, half of these nearer to its
    centre than its tenth of outermost rows, most labelled rows that are so near are of the class,
    and the cosine of the class's mean with the centre is 0.93 at least.

    Args:
        model: a trained model or ensemble; without classes all groups are new.
        x: N texts or vectors (N, input_dim). Those whose vectors are zero are in no group.
        groups: how many there are to be, or fewer where embeddings coincide. None takes, of numbers
            from 2 to 200 (a quarter of the rows at most) in even ratios, that of the largest mean
            silhouette by cosine (Rousseeuw 1987), on 3,000 rows at most.
        seed: decides the starts and the sample, below 2³².

    Raises:
        ImportError: scikit-learn is not installed.
        ValueError: ``groups`` is not between 2 and the number of distinct rows, there are too few
            rows for the model's graph, ``seed`` is out of range, or as ``encode``.
    """
    check_seed(seed)
    check_embedder(model)
    host_x = model.vectors(x)
    some = np.flatnonzero(model.tells(host_x))
    distinct = len(np.unique(np.asarray(host_x)[some], axis=0))
    least = model.config.graph_k_neighbors + 1
    if distinct < least:
        raise ValueError(
            f"x must have {least} distinct rows or more that are not zero, for the graph, it has "
            f"{distinct}"
        )
    if groups is not None and not (isinstance(groups, Integral) and 2 <= groups <= distinct):
        raise ValueError(
            f"groups must be between 2 and the {distinct} distinct rows, received {groups!r}"
        )
    indexed = model.index(host_x[some])
    z = unit_rows(indexed.bank_embeddings()[indexed.bank_rows_of(host_x[some])])
    known, labels = _known_rows(model, indexed)
    tried = {} if groups is not None else _silhouettes(z, distinct, seed)
    number = groups if groups is not None else max(tried, key=lambda k: (tried[k], -k))
    own, centres = _k_means(z, _seeds(z, known, labels), number, seed)
    if model.config.vocab_size is None:
        smooth = smoothed(model.input_vectors(host_x[some]), z)
        own, _ = _k_means(smooth, unit_means(smooth, own), number, seed)
        centres = unit_means(z, own)
    cosines = np.full(len(host_x), np.nan)
    cosines[some] = (z * centres[own]).sum(axis=1)
    names = _named(z, own, centres, known, labels)
    assigned = np.full(len(host_x), -1)
    made: list[Group] = []
    taken = set(model.classes_ or [])
    free = (name for number in count(1) if (name := f"new {number}") not in taken)
    sizes = np.bincount(own, minlength=len(centres))
    for cluster in np.argsort(-sizes, kind="stable")[: np.count_nonzero(sizes)]:
        rows = some[own == cluster]
        assigned[rows] = len(made)
        name = (model.classes_ or [])[names[cluster]] if cluster in names else next(free)
        order = np.argsort(-cosines[rows], kind="stable")
        made.append(Group(name, cluster in names, rows[order]))
    return Discovery(made, assigned, cosines, tried)


def _known_rows(model: Embedder, indexed: Embedder) -> tuple[Floats, Ints]:
    """Embeddings of the model's labelled rows by the index, and their classes."""
    bank = model.trained_bank()
    labels = np.array(bank.labels or [-1] * len(bank), np.int64)
    rows = np.flatnonzero(labels >= 0)
    if model.classes_ is None or not len(rows):
        return indexed.embed(bank.host_x[:0]), np.empty(0, np.int64)
    return unit_rows(indexed.embed(bank.host_x[rows.tolist()])), labels[rows]


def _seeds(z: Floats, known: Floats, labels: Ints) -> Floats:
    """Means of known classes, those with the most rows first, of which there is a row in ``z``."""
    present = np.unique(labels)
    if not len(present):
        return known
    means = unit_rows(np.stack([known[labels == label].mean(axis=0) for label in present]))
    cosines = z @ means.T
    nearest = cosines.argmax(axis=1)
    edges = np.array([np.percentile(known[labels == c] @ m, _EDGE) for c, m in zip(present, means)])
    within = cosines[np.arange(len(z)), nearest] >= edges[nearest]
    counts = np.bincount(nearest[within], minlength=len(means))
    return means[np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)]]


def _k_means(z: Floats, seeds: Floats, number: int, seed: int) -> tuple[Ints, Floats]:
    """(N,) clusters, and their centres at unit length; of those whose centres coincide one."""
    cluster = _sklearn()
    first = seeds[:number]
    near = (z @ first.T).max(axis=1) if len(first) else np.zeros(len(z))
    distance = np.maximum(1.0 - near, 1e-9)
    best: Any = None
    for start in range(STARTS if number > len(first) else 1):
        drawing = (seed + start) % 2**32
        centres = first
        if number > len(first):
            drawn, _ = cluster.kmeans_plusplus(
                z, number - len(first), sample_weight=distance, random_state=drawing
            )
            centres = np.concatenate([first, drawn])
        with clusters_may_be_fewer():
            found = cluster.KMeans(number, init=centres, n_init=1, random_state=drawing).fit(z)
        if best is None or found.inertia_ < best.inertia_:
            best = found
    centres = unit_rows(best.cluster_centers_)
    # Rows that differ by rounding alone may have been parted.
    same = (centres @ centres.T > 1.0 - COINCIDE) | np.eye(len(centres), dtype=bool)
    kept, own = np.unique(same.argmax(axis=1)[best.labels_], return_inverse=True)
    return own, centres[kept]


def _silhouettes(z: Floats, distinct: int, seed: int) -> dict[int, float]:
    """The mean silhouette of each number of groups, by plain k-means on a sample."""
    from sklearn.metrics import silhouette_score
    from sklearn.metrics.pairwise import cosine_distances

    cluster = _sklearn()
    sample = z[stratified_sample(np.zeros(len(z)), SAMPLE, seed)]
    distances = cosine_distances(sample)
    most = max(2, min(MOST_GROUPS, len(sample) // 4, distinct - 1))
    found: dict[int, float] = {}
    for number in np.unique(np.geomspace(2, most, _TRIED).round().astype(int)).tolist():
        with clusters_may_be_fewer():
            own = cluster.KMeans(number, n_init=1, random_state=seed).fit_predict(sample)
        if 1 < len(np.unique(own)) < len(sample):
            found[number] = float(silhouette_score(distances, own, metric="precomputed"))
    return found or {2: 0.0}


def _named(z: Floats, own: Ints, centres: Floats, known: Floats, labels: Ints) -> dict[int, int]:
    """The class of each cluster that is one."""
    if not len(labels):
        return {}
    cosines = known @ centres.T
    nearest = cosines.argmax(axis=1)
    names = {}
    for cluster in np.intersect1d(nearest, own):
        edge = np.percentile(z[own == cluster] @ centres[cluster], _EDGE)
        nearby = nearest == cluster
        counts = np.bincount(labels[nearby & (cosines[:, cluster] >= edge)], minlength=1)
        label = int(counts.argmax())
        of_class = labels == label
        theirs = cosines[nearby & of_class, cluster]
        most = 2 * len(theirs) > of_class.sum() and 2 * counts[label] > counts.sum()
        alike = unit_rows(known[of_class].mean(axis=0)[None])[0] @ centres[cluster] >= _ALIKE
        if most and alike and np.median(theirs) >= edge:
            names[int(cluster)] = label
    return names


@contextmanager
def clusters_may_be_fewer() -> Iterator[None]:
    """Without scikit-learn's warning of rows that differ in fewer points than there are to be
    clusters, such as those that differ in length alone."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def _sklearn() -> Any:
    with needing("groups need scikit-learn", "text"):
        from sklearn import cluster
    return cluster
