"""Linear maps that a start is made of: whitening within classes, leading directions, and Fisher's
discriminants of classes of very few rows. On the host, in float64."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray

__all__ = [
    "Columns",
    "UnitRows",
    "Weighing",
    "Whitening",
    "discriminants",
    "leading",
    "unit",
    "whitening_of",
    "within_classes",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SHRINKAGE = 0.6
"""How much of the within-class covariance is taken as spherical."""

LEAST_RELEVANCE = 0.1
"""What of the largest eigenvalue of the classes' scatter is added to each."""

FOLDS = 5
"""A fifth of the classes is held out to tell whether discriminants help."""

LEAST_PAIRS, MOST_PAIRS = 20, 1_000
"""Pairs of held-out classes without which nothing is told, and the most that are looked at."""

_BLOCK = 2048
"""Rows looked at at a time."""

LEAST_SHARE, LEAST_AUC = 0.1, 0.001
"""What discriminants must gain on them: of what the AUC lacks to 1, and at least so much in all."""


@dataclass(frozen=True)
class Whitening:
    """``unit(W (x − μ))``: within-class covariance normalisation (Hatch et al. 2006)."""

    mean: Floats
    matrix: Floats

    @classmethod
    def of(cls, rows: Floats | UnitRows, labels: Ints) -> Whitening:
        """That of rows and their classes."""
        if len(labels) >= rows.shape[1]:
            mean, covariance = _within(rows, labels)
            return cls(mean, whitening_of(covariance))
        # Of fewer rows than columns the covariance has as many directions as there are rows.
        x = rows[:]
        own, _, means = _by_class(x, labels)
        spread = (x - means[own]) / np.sqrt(len(x))
        _, sizes, directions = np.linalg.svd(spread, full_matrices=False)
        return cls(x.mean(axis=0), _whitening(directions, sizes**2))

    def __call__(self, rows: Floats) -> Floats:
        """(N, D) rows, whitened and at unit length."""
        return _made_unit((rows - self.mean) @ self.matrix)


@dataclass(frozen=True)
class Relevance:
    """``unit(Ω v)`` of rows v: directions that tell classes apart count for more, as by a relevance
    matrix (Schneider, Biehl & Hammer 2009, "Adaptive relevance matrices in learning vector
    quantization"), here in closed form.

    ``Ω = (B / b₁ + f I)^p``, ``B = Σ_c n_c (m_c − m)(m_c − m)ᵀ`` of the mean m_c of the n_c rows of
    class c and the mean m of all, b₁ its largest eigenvalue and f = 0.1.
    """

    matrix: Floats

    @classmethod
    def of(cls, sums: Floats, counts: Ints, power: float) -> Relevance:
        """That of the sums (C, D) of classes' rows and the numbers (C,) of these."""
        means = sums / np.maximum(counts, 1)[:, None] - sums.sum(axis=0) / counts.sum()
        means *= np.sqrt(counts)[:, None]
        _, sizes, directions = np.linalg.svd(means, full_matrices=False)
        shares = (sizes / max(sizes[0], np.finfo(float).tiny)) ** 2
        return cls(_power(directions, shares + LEAST_RELEVANCE, LEAST_RELEVANCE, power))

    def __call__(self, rows: Floats) -> Floats:
        """(N, D) rows, weighed and at unit length."""
        return _made_unit(rows @ self.matrix)


class Weighing(NamedTuple):
    """Both views that classes are told by: rows at unit length and whitened rows, each weighed by
    its own relevance."""

    whitening: Whitening
    row: Relevance
    white: Relevance

    @classmethod
    def of(
        cls, rows: Floats | UnitRows, labels: Ints, whitening: Whitening, powers: Sequence[float]
    ) -> list[Weighing]:
        """Those of rows and their classes, by each p of ``powers``."""
        counts = np.bincount(labels)
        sums = [_class_sums(rows, labels), _class_sums(rows, labels, whitening)]
        return [
            cls(whitening, *(Relevance.of(of, counts, power) for of in sums)) for power in powers
        ]

    def __call__(self, rows: Floats) -> tuple[Floats, Floats]:
        """Both views of rows (N, D)."""
        return self.row(rows), self.white(self.whitening(rows))


def unit(x: Floats) -> Floats:
    """Rows at unit length; zero rows stay zero."""
    return _made_unit(x.copy())


def _made_unit(x: Floats) -> Floats:
    """The same in the memory of ``x``."""
    norms = np.linalg.norm(x, axis=1, keepdims=True)
    np.divide(x, norms, out=x, where=norms != 0)
    return x


FLAT = 1e-6
"""Deviation of a column, beside its mean, at which float32 tells it from a constant no more."""

LARGEST, LEAST_SCALE, EXTREME = 1e18, 1e-20, 1e37
"""As of ``dtgcnn.model.start``; and most that a mean, 1 / σ and σ are taken to be, so that all
stays finite."""


class Columns(NamedTuple):
    """Standardised columns of float32 rows, ``[(x − μ) / σ ; √D]``: of mean 0 and deviation 1, or 0
    where one does not vary, and a constant, by which the length of a row still counts when rows are
    brought to unit length."""

    mean: NDArray[np.float32]
    scale: NDArray[np.float32]

    @classmethod
    def of(cls, x: NDArray[np.float32]) -> Columns:
        """Those of rows (N, D)."""
        sums, squares = np.zeros(x.shape[1]), np.zeros(x.shape[1])
        for start in range(0, len(x), _BLOCK):
            sums += x[start : start + _BLOCK].sum(axis=0, dtype=np.float64)
        mean = (sums / len(x)).clip(-EXTREME, EXTREME).astype(np.float32)
        for start in range(0, len(x), _BLOCK):
            squares += ((x[start : start + _BLOCK].astype(np.float64) - mean) ** 2).sum(axis=0)
        deviation = np.sqrt(squares / len(x))
        varies = deviation > FLAT * np.abs(mean)
        scale = np.where(varies, 1.0 / deviation.clip(1.0 / EXTREME, EXTREME), 0.0)
        return cls(mean, scale.astype(np.float32))

    def __call__(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N, D + 1) of rows (N, D), as ``dtgcnn.model.Start`` makes them on the device."""
        reach = np.float32(LARGEST) / np.maximum(self.scale, np.float32(LEAST_SCALE))
        z = (x.clip(self.mean - reach, self.mean + reach) - self.mean) * self.scale
        constant = np.full((len(x), 1), x.shape[1] ** 0.5, np.float32)
        return np.concatenate([z, constant], axis=1)


class UnitRows:
    """Rows at unit length, in float64, of an array of float32: made as they are asked for.

    Args:
        x: (N, D).
        places: the rows that are meant; all where not given.
        columns: what standardises them first, if anything.
    """

    def __init__(
        self, x: NDArray[np.float32], places: Ints | None = None, columns: Columns | None = None
    ) -> None:
        self.x, self.places, self.columns = x, places, columns
        width = x.shape[1] + (columns is not None)
        self.shape: tuple[int, ...] = (len(x) if places is None else len(places), width)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | Ints) -> Floats:
        chosen = self.x[rows if self.places is None else self.places[rows]]
        if self.columns is not None:
            chosen = self.columns(chosen)
        return _made_unit(chosen.astype(np.float64))


def within_classes(rows: Floats | UnitRows, labels: Ints) -> Floats:
    """(D, D) the covariance of rows around the means of their classes."""
    return _within(rows, labels)[1]


def _within(rows: Floats | UnitRows, labels: Ints) -> tuple[Floats, Floats]:
    """The mean (D,) of all rows, and the covariance around the means of their classes, in blocks
    of rows."""
    own, sums, means = _by_class(rows, labels)
    covariance = np.zeros((rows.shape[1],) * 2)
    for part in _parts(own):
        spread = rows[part] - means[own[part]]
        covariance += spread.T @ spread
    return sums.sum(axis=0) / len(own), covariance / len(own)


def _by_class(rows: Floats | UnitRows, labels: Ints) -> tuple[Ints, Floats, Floats]:
    """The class (N,) of each row, from 0 without a gap, as a fold may lack one; and the sums and
    means (C, D) of classes' rows."""
    own = np.unique(labels, return_inverse=True)[1]
    sums = _class_sums(rows, own)
    return own, sums, sums / np.bincount(own)[:, None]


def _class_sums(
    rows: Floats | UnitRows, labels: Ints, whitening: Whitening | None = None
) -> Floats:
    """(C, D) the sum of each class's rows, whitened where that is given."""
    sums = np.zeros((int(labels.max()) + 1, rows.shape[1]))
    for part in _parts(labels):
        order = np.argsort(labels[part], kind="stable")
        present, first = np.unique(labels[part][order], return_index=True)
        some = rows[part] if whitening is None else whitening(rows[part])
        sums[present] += np.add.reduceat(some[order], first, axis=0)
    return sums


def _parts(labels: Ints) -> list[slice]:
    return [slice(start, start + _BLOCK) for start in range(0, len(labels), _BLOCK)]


def whitening_of(covariance: Floats, shrinkage: float = SHRINKAGE) -> Floats:
    """The symmetric inverse root of a covariance that is shrunk towards a sphere."""
    values, vectors = np.linalg.eigh(covariance)
    return _whitening(vectors.T, np.maximum(values, 0.0), shrinkage)


def _whitening(directions: Floats, values: Floats, shrinkage: float = SHRINKAGE) -> Floats:
    """The same of its eigenvectors (k, D) and eigenvalues (k,), those that are left out being 0."""
    sphere = float(values.sum()) / directions.shape[1]
    if sphere <= 0.0:
        return np.eye(directions.shape[1])
    shrunk = (1.0 - shrinkage) * values + shrinkage * sphere
    return _power(directions, shrunk, shrinkage * sphere, -0.5)


def _power(directions: Floats, values: Floats, rest: float, exponent: float) -> Floats:
    """(D, D) the power of a symmetric matrix of eigenvectors (k, D) and eigenvalues (k,), which
    ``rest`` is in every other direction."""
    if len(values) == directions.shape[1]:
        whole: Floats = (directions.T * values**exponent) @ directions
        return whole
    out: Floats = (directions.T * (values**exponent - rest**exponent)) @ directions
    out[np.diag_indices(len(out))] += rest**exponent
    return out


def leading(rows: Floats, count: int) -> Floats:
    """(D, count) the leading eigenvectors of ``rowsᵀ rows``, zeros where there are fewer."""
    width = rows.shape[1]
    taken = min(count, width)
    _, vectors = scipy.linalg.eigh(rows.T @ rows, subset_by_index=(width - taken, width - 1))
    out = np.zeros((width, count))
    out[:, :taken] = _settled(vectors[:, ::-1])
    return out


def discriminants(
    rows: Floats, labels: Ints, whitening: Whitening, count: int, seed: int = 0
) -> Floats | None:
    """(D, count) the directions of whitened rows that tell classes apart, the surest first, zeros
    where there are fewer; or None where these do not help on classes that were held out.

    With Σ_t the covariance of all rows, Σ_w that within classes, an estimate without bias, and l_i,
    u_i the eigenvalues and vectors of ``W (Σ_t − Σ_w) W``, column i is ``(l_i / (l_i + l̄))^½ u_i``,
    l̄ their mean: Fisher's discriminants (Rao 1948), each weighed by how much of it is no noise.
    Two rows a class are enough. A fifth of the classes is held out, and the mean share of other
    classes' rows that are less similar to a row than another of its class is must be larger with
    them than with the leading directions.

    Args:
        rows: (N, D) at unit length.
        labels: (N,) their classes.
        whitening: of the same rows.
        count: columns of the embedding.
        seed: of which classes are held out.
    """
    labels = np.unique(labels, return_inverse=True)[1]
    rng = np.random.Generator(np.random.PCG64([seed, 1]))
    held = np.isin(labels, rng.permutation(labels.max() + 1)[::FOLDS])
    order = np.argsort(labels[held], kind="stable")
    second = np.flatnonzero(np.diff(labels[held][order]) == 0)
    second = second[:: -(-len(second) // MOST_PAIRS) or 1]
    if len(second) < LEAST_PAIRS or held.all():
        return None
    pairs = order[second], order[second + 1]
    fitted = Whitening.of(rows[~held], labels[~held])
    white = fitted(rows[held])
    maps = (
        leading(fitted(rows[~held]), count),
        _discriminants(rows[~held], labels[~held], fitted, count),
    )
    plain, better = (_auc(unit(white @ one), labels[held], *pairs) for one in maps)
    if not better > plain + max(LEAST_AUC, LEAST_SHARE * (1.0 - plain)):
        return None
    return _discriminants(rows, labels, whitening, count)


def _discriminants(rows: Floats, labels: Ints, whitening: Whitening, count: int) -> Floats:
    free = max(len(rows) - len(np.unique(labels)), 1)
    within = within_classes(rows, labels) * (len(rows) / free)
    spread = rows - rows.mean(axis=0)
    between = spread.T @ spread / len(rows) - within
    values, vectors = np.linalg.eigh(whitening.matrix @ between @ whitening.matrix)
    values, vectors = np.maximum(values[::-1], 0.0), vectors[:, ::-1]
    weights = np.sqrt(values / np.maximum(values + values.mean(), np.finfo(float).tiny))
    taken = min(count, len(values))
    out = np.zeros((len(values), count))
    out[:, :taken] = _settled(vectors[:, :taken]) * weights[:taken]
    return out


def _settled(vectors: Floats) -> Floats:
    """Columns, the largest number of each positive."""
    signs = np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(vectors.shape[1])])
    out: Floats = vectors * signs
    return out


def _auc(z: Floats, labels: Ints, anchor: Ints, positive: Ints) -> float:
    """The mean over pairs of the share of other classes' rows that are less similar to the anchor
    than its positive is."""
    similar, own = z[anchor] @ z.T, (z[anchor] * z[positive]).sum(axis=1)
    others = labels[anchor][:, None] != labels[None, :]
    below = (similar < own[:, None]) & others
    return float((below.sum(axis=1) / np.maximum(others.sum(axis=1), 1)).mean())
