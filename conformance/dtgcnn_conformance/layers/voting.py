"""The votes of a bank's labelled rows, against their formulas in NumPy."""

from __future__ import annotations

import numpy as np

from dtgcnn.array.ops import ArrayOps, HostArray
from dtgcnn.model.voters import SCOPE_ROWS, Voters, probabilities, two_best, voters_of

from ..comparison import require
from ..probe import Probe, integers, normal
from ..registry import check
from .start import single, unit

CLASSES, WIDTH, OUT, ROWS, NEAREST = 5, 7, 6, 30, 8
KNOWN = integers([-1 if i % 5 == 1 else (0, 1, 2, 4)[i % 4] for i in range(ROWS)])
"""Classes of the bank's rows: those of no class never vote, and of class 3 there is none."""
X, Z = single(normal(ROWS, WIDTH, seed=41)), single(normal(ROWS, OUT, seed=42))
QUERIES = single(unit(normal(20, WIDTH, seed=43))), single(unit(normal(20, OUT, seed=44)))

COSINES = single(np.sort(0.5 + 0.5 * np.tanh(normal(24, NEAREST, seed=45)), axis=1)[:, ::-1])
COSINES[:6] -= 1.2
LABELS = integers(np.random.default_rng(46).integers(0, CLASSES, COSINES.shape))
HOW = ((0.15, 0.2), (1.5, 1e-4), (0.01, 30.0))
"""Temperatures and backgrounds: of the last the background is at its limit."""


def voting(ops: ArrayOps, rows: int = ROWS) -> Voters:
    """The first rows of the bank that vote."""
    host = (single(X[:rows]), single(Z[:rows]))
    arrays = (ops.asarray(array, ops.dtype) for array in host)
    return voters_of(ops, KNOWN[:rows].tolist(), *arrays)


def nearest(z: HostArray, k: int, rows: int = ROWS) -> tuple[HostArray, HostArray]:
    """The rows of the bank that vote on each query, nearest first, and their cosines."""
    cosines = np.where(KNOWN[:rows] < 0, -9.0, z @ unit(Z[:rows]).T)
    order = np.argsort(-cosines, axis=1, kind="stable")[:, : min(k, int((KNOWN[:rows] >= 0).sum()))]
    return order, np.take_along_axis(cosines, order, axis=1)


@check("layers")
def votes_by_definition(probe: Probe) -> None:
    """Rows vote by ``exp(cos/τ)``, beside a background of all classes."""
    for tau, epsilon in HOW:
        for rows in (slice(None), slice(1), slice(0)):
            cosines, labels = COSINES[rows], LABELS[rows]
            weights = np.exp((cosines - cosines[:, :1]) / tau)
            votes = (weights[:, :, None] * (labels[:, :, None] == np.arange(CLASSES))).sum(axis=1)
            doubt = np.minimum(epsilon * np.exp((1.0 - cosines[:, :1]) / tau), 1e4)
            expected = (votes + doubt / CLASSES) / (votes.sum(axis=1, keepdims=True) + doubt)
            given = probe.array(labels), probe.array(cosines)
            every = probe.ops.arange(CLASSES)[None, :]
            found = probabilities(probe.ops, every, *given, CLASSES, tau, epsilon)
            probe.values(f"{len(cosines)} rows, τ = {tau}, ε = {epsilon}", found, expected)
            some = probabilities(probe.ops, given[0], *given, CLASSES, tau, epsilon)
            own = np.take_along_axis(expected, labels, axis=1)
            probe.values(f"classes of voters, τ = {tau}, ε = {epsilon}", some, own)


@check("layers")
def far_rows_are_in_doubt(probe: Probe) -> None:
    """However far the nearest are, no probability is 0 and the most votes are the most probable."""
    for tau, epsilon in HOW:
        given = probe.ops.arange(CLASSES)[None, :], probe.array(LABELS), probe.array(COSINES - 0.7)
        p = probe.ops.to_numpy(probabilities(probe.ops, *given, CLASSES, tau, epsilon))
        require(bool((p > 0.0).all()), f"τ = {tau}, ε = {epsilon}: a probability is {p.min()}")
        weights = np.exp((COSINES - COSINES[:, :1]) / tau)[:, :, None]
        votes = (weights * (LABELS[:, :, None] == np.arange(CLASSES))).sum(axis=1)
        clear = np.ptp(np.sort(votes, axis=1)[:, -2:], axis=1) > 1e-2
        same = p.argmax(axis=1)[clear] == votes.argmax(axis=1)[clear]
        require(bool(same.all()), f"τ = {tau}, ε = {epsilon}: another class than has most votes")


@check("layers")
def the_two_most_probable(probe: Probe) -> None:
    """Of classes that occur more than once and are as probable as others, the lower come first."""
    rng = np.random.default_rng(47)
    by_class = integers(rng.integers(1, 4, (40, CLASSES))) / np.float32(4.0)
    asked = integers(rng.integers(0, CLASSES, (40, NEAREST)))
    asked[:4] = asked[:4, :1]
    best, sure = two_best(
        probe.ops, probe.array(asked), probe.array(np.take_along_axis(by_class, asked, axis=1))
    )
    for row, (places, p) in enumerate(zip(*map(probe.ops.to_numpy, (best, sure)), strict=True)):
        own = by_class[row]
        order = [int(c) for c in np.argsort(-own, kind="stable") if c in asked[row]]
        wanted = (order + order)[:2]
        require(places.tolist() == wanted, f"row {row}: the best are {places}, not {wanted}")
        known = [own[wanted[0]], own[wanted[1]] if len(order) > 1 else 0.0]
        require(p.tolist() == known, f"row {row}: their probabilities are {p}, not {known}")


@check("layers")
def nearest_rows_that_vote(probe: Probe) -> None:
    """The nearest rows with a class, by the cosine of embeddings of any length."""
    for rows, k in ((ROWS, NEAREST), (ROWS, 1), (9, 100)):
        voters = voting(probe.ops, rows)
        places, labels, cosines = voters.nearest(probe.ops, probe.array(QUERIES[1]), k)
        order, wanted = nearest(QUERIES[1], k, rows)
        found = probe.ops.to_numpy(places)
        require(np.array_equal(found, order), f"{k} of {rows}: the nearest rows are {found}")
        own = probe.ops.to_numpy(labels)
        require(np.array_equal(own, KNOWN[order]), f"{k} of {rows}: their classes are {own}")
        probe.values(f"cosines to {k} of {rows}", cosines, wanted)


@check("layers")
def scope_by_definition(probe: Probe) -> None:
    """Scope is the nearest voter, the nearest mean of a class, and the nearest embeddings."""
    x, z = QUERIES
    for rows in (ROWS, 5):
        known, inputs = KNOWN[:rows], unit(X[:rows])
        means = [inputs[known == c].sum(axis=0) for c in np.unique(known[known >= 0])]
        expected = np.stack(
            [
                (x @ inputs[known >= 0].T).max(axis=1),
                (x @ unit(np.stack(means)).T).max(axis=1),
                nearest(z, SCOPE_ROWS, rows)[1].mean(axis=1),
            ],
            axis=1,
        )
        voters = voting(probe.ops, rows)
        near = voters.nearest(probe.ops, probe.array(z), NEAREST)
        found = voters.scope(probe.ops, probe.array(x), near[2])
        probe.values(f"scope of {rows} rows", found, expected)


@check("layers")
def a_bank_without_labels(probe: Probe) -> None:
    """Where no row has a class none can vote."""
    x, z = (probe.array(array[:3]) for array in (X, Z))
    try:
        voters_of(probe.ops, [-1, -1, -1], x, z)
    except ValueError:
        return
    require(False, "rows without a class vote")
