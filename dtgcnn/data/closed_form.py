"""The closed-form start of an embedding: fitted once, on the host, without a step of gradient
descent."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..array import give_freed_memory_back
from .kernel_ridge import (
    Real,
    blocks_of,
    class_targets,
    kernel,
    kernel_type,
    ridge_regression,
)
from .linear_maps import Columns, UnitRows, Weighing, Whitening, discriminants, leading, unit
from .reading.equality import equal_groups

__all__ = ["ClosedForm", "fit_closed_form", "standardized_columns"]

_log = logging.getLogger("dtgcnn")

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

RIDGES = (0.1, 0.3, 1.0, 3.0)
"""λ, of which held-out rows choose one."""

POWERS, CLEARLY = (0.25, 0.5), 0.005
"""p of the relevance: the second where held-out rows tell so much more of their classes by it, with
the λ that is best with the first."""

CODE_WEIGHT = 1.5
"""β: the weight of a class code of usual norm beside the whitened row."""

KERNEL_ROWS = 10_000
SPREAD_ROWS = 5_000
"""Most rows that the class code, and the projection, are found on."""

FOLDS = 5
CROSS_FITTED_ROWS = 2_000
"""Most rows whose left-out codes are of five folds. More rows have those of leaving one out, which
look at the whitening that all rows made: of many rows it knows each one little."""

CALIBRATION_ROWS, CHECKED_ROWS = 4_000, 1_000
"""Most rows, where they are not cross-fitted, to fit and to check each ridge on."""

LEAST_ROWS, MOST_CLASSES = 4, 1_000
"""Rows a class, on average, and classes, that a class code makes sense for."""

LONGER, TRUST = 1.25, 2 / 3
"""How much longer than left-out codes those of held-out rows are where what made the vectors, such
as TF-IDF, was fitted on the other rows alone and hides what is new in a text; and how much of that,
in logarithms, the usual norm follows."""

LONGER_ROWS = 4
"""By how many the held-out rows that are so much longer must outnumber the others: that all of
fewer are may well be chance (a sign test of four out of four gives p = .06)."""

LEAST_GAIN, LEAST_ROWS_GAINED = 0.01, 4
"""By how much more of the rows, and how many, standardised columns must tell right by."""

ALIKE = 1.02
"""How many times as long as the shortest row the longest may be of rows of one length, which may
have been rounded."""

LEAST_NORM = 1e-5
"""Length of a usual class code, below which it is what rounding in float32 makes of 0."""


Started = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Rows (N, D) of an embedding, and their gates (N, 1)."""

LeftOut = tuple[NDArray[np.float32], NDArray[np.float32], Ints]
"""The same, and which rows they are, (N,)."""


@dataclass(frozen=True)
class ClosedForm:
    """What ``fit_closed_form`` found.

    Attributes:
        arrays: by name, float32: what ``dtgcnn.model.Start`` is applied with.
        started: (N, D) float32 rows, and (N, 1) gates, of the rows it was fitted on, as
            ``dtgcnn.model.Start`` makes them; None without class codes.
        left_out: the same of each row with the class code that it would have if its own label were
            not known, and the numbers of these rows, ascending: those that the class code was found
            on. To the others their own label is nothing.
        ridge, power: λ, and p of the relevance, that were chosen.
        longer: how much longer the usual codes are than those of rows left out.
    """

    arrays: dict[str, NDArray[np.float32]]
    started: Started | None = None
    left_out: LeftOut | None = None
    ridge: float | None = None
    power: float | None = None
    longer: float = 1.0


def fit_closed_form(
    x: NDArray[np.float32],
    labels: Ints,
    output_dim: int,
    *,
    code_weight: float = CODE_WEIGHT,
    seed: int = 0,
    held_out: NDArray[np.float32] | None = None,
    longer: float = 1.0,
    code_norm: float | None = None,
    standardize: bool | Literal["auto"] | tuple[NDArray[np.float32], ...] = False,
) -> ClosedForm:
    """The closed-form start of labelled rows: whitening, class code, projection.

    See ``docs/architecture.md`` for the equations. Whitening: Hatch, Kajarekar & Stolcke 2006,
    "Within-class covariance normalization for SVM-based speaker recognition". The code is kernel
    ridge regression (Saunders, Gammerman & Vovk 1998) onto one-hot classes.

    Args:
        x: (N, D) rows, finite, of any length. Equal ones of a class count once: a row that is left
            out must not be known by its twin.
        labels: (N,) their classes.
        output_dim: columns of the embedding.
        code_weight: β; 0 leaves the class code out. So do fewer rows than four a class on average,
            a single class, more than 1,000 classes, and rows that tell nothing of their classes, as
            where all lie in one direction.
        seed: of what is drawn: folds, and rows where there are too many.
        held_out: (H, D) other rows of these classes. Where codes of clearly most are more than
            ``LONGER`` times as long as those of ``x``, each left out, they tell what is usual.
        longer: the same ratio where it is known, as by a fit on fewer of the rows.
        code_norm: c, where it is that of a start which is there already.
        standardize: whether columns are standardised first (see ``Columns``), which brings columns
            in unlike units to one scale; ``"auto"`` where rows that are held out are told better
            so, and rows are not of one length; or μ and 1 / σ, of a start which is there.
    """
    labels = np.unique(labels, return_inverse=True)[1]
    first, of = _distinct(x, labels)
    labels = labels[first]
    usable = has_usable_classes(labels)
    places, coded = None if len(first) == len(x) else first, code_weight > 0.0 and usable
    kinds = [UnitRows(x, places, columns) for columns in _columns(x, standardize, coded)]
    rows, rng, calibrated = kinds[0], np.random.Generator(np.random.PCG64(seed)), None
    if coded:
        (rows, rng, calibrated), *others = _tried(kinds, labels, seed)
        for _, _, other in others:
            _log.info(
                "columns are %s: of training rows, held out in turn, %.1f%% are told right so, "
                "%.1f%% otherwise%s",
                "left as they are" if rows.columns is None else "standardised",
                *(100 * told.right.mean() for told in (calibrated, other)),
                ", too few more" if other.right.sum() > calibrated.right.sum() else "",
            )
    everything = UnitRows(x, columns=rows.columns)
    whitening = Whitening.of(rows, labels)
    arrays: dict[str, Real] = {"mean": whitening.mean, "whitening": whitening.matrix}
    if rows.columns is not None:
        arrays |= {"column_mean": rows.columns.mean, "column_scale": rows.columns.scale}
    if calibrated is None or _usual_norm(calibrated.unseen) < LEAST_NORM:
        projection = None
        if not usable:
            projection = discriminants(rows[:], labels, whitening, output_dim, seed)
        if projection is None:
            some = sample_evenly(labels, SPREAD_ROWS, rng)
            projection = leading(whitening(rows[some]), output_dim)
        return ClosedForm(_single({**arrays, "projection": projection}))
    ridge, power, unseen, unseen_white, _ = calibrated
    (weighing,) = Weighing.of(rows, labels, whitening, [power])
    chosen = sample_evenly(labels, KERNEL_ROWS, rng)
    kept = _Views.of(rows, chosen, weighing)
    classes = int(labels.max()) + 1
    targets = class_targets(labels[chosen], classes)
    give_freed_memory_back()
    coefficients, loo = ridge_regression(kept.own_kernel(), targets, ridge, left_out=True)
    assert loo is not None
    # K A = Y − λ A: what the code is of its own rows takes no kernel.
    place = np.full(len(rows), -1)
    place[chosen] = np.arange(len(chosen))
    own = targets - ridge * coefficients
    balance = _balance(loo)
    for scores in (unseen, coefficients, own, loo):
        scores *= balance
    given = (weighing, kept, coefficients)
    usual = _usual_norm(unseen)
    if held_out is not None and len(held_out) > 0:
        some = np.linspace(0, len(held_out) - 1, min(len(held_out), CHECKED_ROWS)).astype(int)
        _, (new,) = _codes(
            UnitRows(held_out, columns=rows.columns)[some], *given, np.full(len(some), -1), [own]
        )
        surplus = 2 * (np.linalg.norm(new, axis=1) > LONGER * usual).sum() - len(new)
        longer = (_usual_norm(new) / usual) ** TRUST if surplus >= LONGER_ROWS else 1.0
    if code_norm is None:
        code_norm = longer * usual
    # From what is saved of it a start is found again to the last bit.
    single = np.float32(code_norm)
    norm = usual if single == np.float32(usual) else float(single)
    scale = code_weight / norm**2
    some = sample_evenly(labels, SPREAD_ROWS, rng)
    white, (codes,) = _codes(rows[some], *given, place[some], [own])
    projection = leading(unit(_joined(white, codes, scale)), output_dim)
    arrays |= {"rows": rows[chosen], "coefficients": coefficients, "projection": projection}
    arrays |= {"row_relevance": weighing.row.matrix, "white_relevance": weighing.white.matrix}
    arrays |= {"code_scale": np.array(scale), "code_norm": np.array(norm)}
    places = np.flatnonzero(place[of] >= 0) if unseen_white is None else np.arange(len(x))
    started, left_out = (_empty(count, output_dim) for count in (len(x), len(places)))
    for block in blocks_of(len(x)):
        own_of = [own, loo] if unseen_white is None else [own]
        white, found = _codes(everything[block], *given, place[of[block]], own_of)
        views = [(white, codes) for codes in found]
        if unseen_white is not None:
            views.append((unseen_white[of[block]], unseen[of[block]]))
        inside = slice(*np.searchsorted(places, (block.start, block.stop)))
        given_to: tuple[tuple[Started, float, slice, slice | Ints], ...] = (
            (started, norm, block, slice(None)),
            (left_out, usual, inside, places[inside] - block.start),
        )
        for ((z, gates), c, into, own_rows), (white, codes) in zip(given_to, views, strict=True):
            z[into] = unit(_joined(white, codes, code_weight / c**2) @ projection)[own_rows]
            norms = np.linalg.norm(codes, axis=1, keepdims=True)[own_rows]
            gates[into] = np.minimum(1.0, (norms / c) ** 4)
    return ClosedForm(_single(arrays), started, (*left_out, places), ridge, power, longer)


def standardized_columns(
    x: NDArray[np.float32],
    labels: Ints,
    standardize: bool | Literal["auto"] = "auto",
    seed: int = 0,
) -> Columns | None:
    """What standardises columns of labelled rows, where that is so; see ``fit_closed_form``."""
    kinds = _columns(x, standardize, coded=True)
    if len(kinds) == 1:
        return kinds[0]
    labels = np.unique(labels, return_inverse=True)[1]
    first = _distinct(x, labels)[0]
    if not has_usable_classes(labels[first]):
        return None
    tried = _tried([UnitRows(x, first, columns) for columns in kinds], labels[first], seed)
    return tried[0][0].columns


def _distinct(x: NDArray[np.float32], labels: Ints) -> tuple[Ints, Ints]:
    """The first of equal rows of one class, ascending, and which of these each row is."""
    groups = equal_groups(None, x) * (int(labels.max()) + 1) + labels
    _, first, of = np.unique(groups, return_index=True, return_inverse=True)
    order = np.argsort(first)
    return first[order], np.argsort(order)[of]


class _Calibrated(NamedTuple):
    """What rows tell that are held out in turn, or a part of them.

    Attributes:
        ridge, power: λ and p of the relevance.
        unseen: codes that their rows had no part in: of few rows, of all of them in order.
        white: of few rows, these whitened by what they had no part in.
        right: which of the rows that were held out are told right.
    """

    ridge: float
    power: float
    unseen: Floats
    white: Floats | None
    right: NDArray[np.bool_]


def _columns(x: NDArray[np.float32], standardize: Any, coded: bool) -> list[Columns | None]:
    """What may be made of the columns before rows are brought to unit length."""
    if isinstance(standardize, tuple):
        return [Columns(*standardize)]
    if standardize != "auto":
        return [Columns.of(x) if standardize else None]
    return [None, Columns.of(x)] if coded and not _of_one_length(x) else [None]


def _of_one_length(x: NDArray[np.float32]) -> bool:
    """Whether all rows but zeros are, as of most encoders: their directions are what counts."""
    shortest, longest = np.inf, 0.0
    for block in blocks_of(len(x)):
        lengths = np.linalg.norm(x[block].astype(np.float64), axis=1)
        shortest = min(shortest, lengths[lengths > 0.0].min(initial=np.inf))
        longest = max(longest, lengths.max())
        if longest > ALIKE * shortest:
            return False
    return True


def _tried(
    kinds: Sequence[UnitRows], labels: Ints, seed: int
) -> list[tuple[UnitRows, np.random.Generator, _Calibrated]]:
    """Rows as they are, and maybe standardised, which come first where clearly more of them are
    told right so; each with what is drawn from next, and what they told."""
    found = []
    for rows in kinds:
        rng = np.random.Generator(np.random.PCG64(seed))
        found.append((rows, rng, _calibrated(rows, labels, rng)))
    plain, standardized = (int(found[i][2].right.sum()) for i in (0, -1))
    least = max(LEAST_GAIN * len(found[0][2].right), LEAST_ROWS_GAINED)
    return found[::-1] if standardized - plain >= least else found


class _Views(NamedTuple):
    """Rows at unit length and whitened rows, both weighed."""

    row: Real
    white: Real

    @classmethod
    def of(cls, rows: UnitRows, places: Ints, weighing: Weighing) -> _Views:
        """Those of some rows, in the precision of a kernel of so many."""
        shape = (len(places), rows.shape[1])
        views = cls(*(np.empty(shape, kernel_type(len(places))) for _ in range(2)))
        for block in blocks_of(len(places)):
            views.row[block], views.white[block] = weighing(rows[places[block]])
        return views

    def kernel(self, other: _Views) -> Real:
        """The mean over both views of ``exp(2 (a·b − 1))``, in the precision of the other."""
        total: Real = kernel(self.row, other.row)
        total += kernel(self.white, other.white)
        total *= 0.5
        return total

    def own_kernel(self) -> Real:
        """That of the rows among each other."""
        count = len(self.row)
        out = np.empty((count, count), self.row.dtype)
        for rows in blocks_of(count):
            block, before = (_Views(*(v[of] for v in self)) for of in (rows, slice(rows.stop)))
            out[rows, : rows.stop] = block.kernel(before)
            out[: rows.start, rows] = out[rows, : rows.start].T
        return out


def class_scores(rows: Floats, labels: Ints, classes: int, queries: Floats) -> Floats:
    """(Q, classes) the class codes of unit rows ``queries`` by kernel ridge regression on unit
    ``rows`` (N, D) alone, at most ``CALIBRATION_ROWS`` of them, without a whitening."""
    chosen = sample_evenly(labels, CALIBRATION_ROWS, np.random.Generator(np.random.PCG64(0)))
    kept = rows[chosen].astype(kernel_type(len(chosen)))
    targets = class_targets(labels[chosen], classes)
    a, _ = ridge_regression(kernel(kept, kept), targets, RIDGES[0])
    return np.concatenate([kernel(queries[block], kept) @ a for block in blocks_of(len(queries))])


def has_usable_classes(labels: Ints) -> bool:
    """Whether classes are large enough, and few enough, to be told by a code."""
    counts = np.bincount(labels)
    return 2 <= len(counts) <= MOST_CLASSES and len(labels) >= LEAST_ROWS * len(counts)


def sample_evenly(labels: Ints, most: int, rng: np.random.Generator) -> Ints:
    """Up to ``most`` row numbers in ascending order, drawn evenly over classes."""
    if len(labels) <= most:
        return np.arange(len(labels))
    order = rng.permutation(len(labels))
    by_class = order[np.argsort(labels[order], kind="stable")]
    counts = np.bincount(labels)
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    turn = np.arange(len(labels)) - np.repeat(starts, counts)
    return np.sort(by_class[np.argsort(turn, kind="stable")[:most]])


def _calibrated(rows: UnitRows, labels: Ints, rng: np.random.Generator) -> _Calibrated:
    """Hold each fifth of the rows out in turn, or one of many rows."""
    fold = folds(labels, rng)
    everything = len(rows) <= CROSS_FITTED_ROWS
    classes = int(labels.max()) + 1
    white = np.empty(rows.shape if everything else (0, 0))
    parts: list[tuple[Ints, Ints, Whitening]] = []
    for number in range(FOLDS if everything else 1):
        held, rest = np.flatnonzero(fold == number), np.flatnonzero(fold != number)
        if not everything:
            held = held[sample_evenly(labels[held], CHECKED_ROWS, rng)]
            rest = rest[sample_evenly(labels[rest], CALIBRATION_ROWS, rng)]
        whitening = Whitening.of(rows[rest], labels[rest])
        if everything:
            white[held] = whitening(rows[held])
        parts.append((held, rest, whitening))
    seen = np.concatenate([held for held, *_ in parts])
    codes: dict[tuple[float, float], Floats] = {}

    def ask(power: float, ridges: Sequence[float]) -> dict[float, float]:
        """The share of rows whose class their code tells, by ridge."""
        found: dict[float, list[Floats]] = {ridge: [] for ridge in ridges}
        for held, rest, whitening in parts:
            (weighing,) = Weighing.of(rows[rest], labels[rest], whitening, [power])
            fitted, asked = (_Views.of(rows, some, weighing) for some in (rest, held))
            k, among = asked.kernel(fitted), fitted.own_kernel()
            scratch, targets = np.empty_like(among), class_targets(labels[rest], classes)
            for ridge in ridges:
                np.copyto(scratch, among)
                a, _ = ridge_regression(scratch, targets, ridge, exact=False)
                found[ridge].append(k @ a)
        codes.update({(ridge, power): np.concatenate(of) for ridge, of in found.items()})
        right = {ridge: codes[ridge, power].argmax(axis=1) == labels[seen] for ridge in ridges}
        return {ridge: float(of.mean()) for ridge, of in right.items()}

    power, right = POWERS[0], ask(POWERS[0], RIDGES)
    ridge = _ridge_of(right)
    more = ask(POWERS[1], [ridge])
    if more[ridge] >= max(right.values()) + CLEARLY:
        others = [other for other in RIDGES if other != ridge]
        power, ridge = POWERS[1], _ridge_of(more | ask(POWERS[1], others))
    unseen = codes[ridge, power]
    hits = unseen.argmax(axis=1) == labels[seen]
    if not everything:
        return _Calibrated(ridge, power, unseen, None, hits)
    return _Calibrated(ridge, power, unseen[np.argsort(seen)], white, hits)


def _ridge_of(right: dict[float, float]) -> float:
    """The smallest that is about as good as the best."""
    most = max(right.values())
    return min(ridge for ridge, share in right.items() if share >= most - 0.0025)


def _balance(left_out: Floats) -> Floats:
    """What each class's column of the codes is multiplied by: ``(r_c / r̄)^{-1/2}``, r its root mean
    square over left-out codes.

    A regression tells classes of few rows, or of unlike ones, by small numbers, and they lose rows
    to the others; this is half of what would make them equally large."""
    size = np.sqrt(np.mean(left_out**2, axis=0) + np.finfo(np.float64).eps)
    balance: Floats = (size / size.mean()) ** -0.5
    return balance


def _usual_norm(codes: Floats) -> float:
    return float(np.median(np.linalg.norm(codes, axis=1)))


def folds(labels: Ints, rng: np.random.Generator) -> Ints:
    """The fold of each row, each class spread evenly over all."""
    order = rng.permutation(len(labels))
    by_class = order[np.argsort(labels[order], kind="stable")]
    fold = np.empty(len(labels), np.int64)
    fold[by_class] = np.arange(len(labels)) % FOLDS
    return fold


def _codes(
    rows: Floats,
    weighing: Weighing,
    kept: _Views,
    coefficients: Floats,
    place: Ints,
    known: list[Floats],
) -> tuple[Floats, list[Floats]]:
    """Rows whitened, and their codes as often as there are ``known`` ones: ``known[place]`` where
    ``place`` is not negative, the kernel's where it is."""
    white, here = weighing.whitening(rows), place >= 0
    others = np.flatnonzero(~here)
    sums = np.empty((len(others), coefficients.shape[1]))
    for block in blocks_of(len(others)):
        some = others[block]
        views = _Views(weighing.row(rows[some]), weighing.white(white[some]))
        sums[block] = views.kernel(kept) @ coefficients
    found = []
    for own in known:
        codes = np.empty((len(rows), coefficients.shape[1]))
        codes[here], codes[others] = own[place[here]], sums
        found.append(codes)
    return white, found


def _empty(rows: int, columns: int) -> Started:
    return np.empty((rows, columns), np.float32), np.empty((rows, 1), np.float32)


def _joined(white: Floats, codes: Floats, scale: float) -> Floats:
    """Whitened rows, and beside them their codes, gated by their own norms."""
    return np.concatenate([white, gated(codes, scale)], axis=1)


def gated(codes: Floats, scale: float) -> Floats:
    """``scale ‖p‖ p``."""
    out: Floats = scale * codes * np.linalg.norm(codes, axis=1, keepdims=True)
    return out


def _single(arrays: dict[str, Real]) -> dict[str, NDArray[np.float32]]:
    return {name: np.array(array, np.float32, order="C") for name, array in arrays.items()}
