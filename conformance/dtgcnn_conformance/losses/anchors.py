"""Batches in which some rows are anchors: these alone are compared, with the rows that are none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dtgcnn.array.ops import HostArray
from dtgcnn.losses import mining
from dtgcnn.losses.mining import Triplets

from ..comparison import require
from ..probe import Probe, integers, normal
from ..registry import check
from .contrastive import given, on_host, pairs_of
from .triplets import CASES, EMBEDDINGS, LABELS, exact_distances

TURNS = np.arange(len(LABELS)) % 2 == 0
"""Every other row an anchor."""
ANCHORS = {
    "every other row": TURNS,
    "some rows": integers([1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 1, 1, 0, 0]) > 0,
    "every row": np.ones(len(LABELS), bool),
    "no row": np.zeros(len(LABELS), bool),
}
TWICE = normal(7, 5, seed=6).repeat(2, axis=0) + 0.25 * normal(14, 5, seed=7)
"""Seven rows that stand there twice, one after the other, the first as an anchor."""
COPIES = {
    "labels": integers([0, 0, 1, 1, 2, 2, 0]).repeat(2),
    "items": integers(range(7)).repeat(2),
}


def pairs(labels: HostArray, items: HostArray, anchors: HostArray) -> tuple[HostArray, HostArray]:
    """(B, B): which pairs are positive and which negative, one pair at a time."""
    n = len(labels)
    positive, negative = np.zeros((n, n), bool), np.zeros((n, n), bool)
    for a in np.flatnonzero(anchors):
        for other in np.flatnonzero(~anchors):
            positive[a, other] = labels[a] == labels[other] and items[a] != items[other]
            negative[a, other] = labels[a] != labels[other]
    return positive, negative


def batches() -> list[tuple[str, HostArray, HostArray, HostArray, HostArray]]:
    """What each is, rows, labels, items and anchors."""
    found = [
        (f"{kind}, {what}", EMBEDDINGS, *groups, anchors)
        for kind, groups in CASES.items()
        for what, anchors in ANCHORS.items()
    ]
    return [*found, ("rows twice", TWICE, COPIES["labels"], COPIES["items"], TURNS)]


@check("losses")
def pairs_of_anchors(probe: Probe) -> None:
    """A pair is of an anchor and a row that is none; without anchors it is of any two rows."""
    for what, _, labels, items, anchors in batches():
        arrays = probe.array(labels), probe.array(items)
        found = mining.masks(probe.ops, *arrays, probe.array(anchors))
        of_any = mining.masks(probe.ops, *arrays)
        expected, every = pairs(labels, items, anchors), pairs_of(labels, items)
        for i, name in enumerate(found._fields):
            probe.values(f"{name} pairs of anchors, {what}", found[i], expected[i])
            probe.values(f"{name} pairs without anchors, {what}", of_any[i], every[i])


def _hold(probe: Probe, what: str, mined: Triplets, case: Any, choose: Callable[..., Any]) -> None:
    """Hold triplets to those that ``choose`` finds of an anchor, by their distances.

    ``choose`` takes distances, positives and negatives of a row, and gives for each triplet of it
    the positive's distance and that of the negative, and None where there is no negative.
    """
    _, x, labels, items, anchors = case
    host: Any = on_host(probe, mined, what)
    positive, negative = pairs(labels, items, anchors)
    distances, found, expected = exact_distances(x), [], []
    for a, p, n in zip(*(places[host.valid] for places in host[:3])):
        require(bool(positive[a, p]), f"{what}: {a} and {p} are no pair of an anchor")
        require(bool(negative[a, n]), f"{what}: {n} is no negative of {a}")
        found.append((float(a), distances[a, p], distances[a, n]))
    for a in range(len(x)):
        rows = choose(distances[a], positive[a], negative[a])
        expected += [(float(a), *pair) for pair in rows if pair is not None]
    require(len(found) == len(expected), f"{what}: {len(found)} are valid, not {len(expected)}")
    host_rows = np.array(sorted(found)).reshape(-1, 3)
    probe.values(what, probe.array(host_rows), np.array(sorted(expected)).reshape(-1, 3))


def _extreme(farthest: bool, beyond: bool) -> Callable[..., Any]:
    def choose(d: HostArray, positive: HostArray, negative: HostArray) -> list[Any]:
        if not positive.any():
            return []
        to_positive = d[positive].max() if farthest else d[positive].min()
        others = d[negative & (d > to_positive)] if beyond else d[negative]
        return [(to_positive, others.min())] if len(others) else []

    return choose


def _of_every_pair(most: int) -> Callable[..., Any]:
    def choose(d: HostArray, positive: HostArray, negative: HostArray) -> list[Any]:
        chosen = []
        for to_positive in d[np.flatnonzero(positive)[:most]]:
            others = d[negative & (d > to_positive)]
            chosen += [(to_positive, others.min())] if len(others) else []
        return chosen

    return choose


@check("losses")
def miners_of_anchors(probe: Probe) -> None:
    """Every miner takes of anchors alone what it takes of all rows, from rows that are none."""
    ops = probe.ops
    for case in batches():
        what, x, labels, items, anchors = case
        arrays, chosen = given(ops, (labels, items), x), probe.array(anchors)
        hard = mining.batch_hard(ops, *arrays, chosen)
        softer = mining.semi_hard(ops, *arrays[:2], hard, chosen)
        easy = mining.easy_positive(ops, *arrays, anchors=chosen)
        nearest = mining.easy_positive(ops, *arrays, "hard", chosen)
        every = mining.semi_hard_all(ops, *arrays, 2, chosen)
        for name, mined, choose in (
            ("batch_hard", hard, _extreme(True, False)),
            ("semi_hard", softer, _extreme(True, True)),
            ("easy_positive", easy, _extreme(False, True)),
            ("easy_positive of the hardest", nearest, _extreme(False, False)),
            ("semi_hard_all", every, _of_every_pair(2)),
        ):
            _hold(probe, f"{name} of {what}", mined, case, choose)


@check("losses")
def drawn_negatives_of_anchors(probe: Probe) -> None:
    """``distance_weighted`` draws for every pair of an anchor a row that is none, within reach."""
    for what, x, labels, items, anchors in batches():
        positive, negative = pairs(labels, items, anchors)
        length = np.linalg.norm(x, axis=1, keepdims=True)
        reach = negative & (exact_distances(x / length) < 1.4)
        key: Any = probe.array(np.array([3, 1], np.uint32))
        mined = mining.distance_weighted(
            probe.ops, *given(probe.ops, (labels, items), x), 2, key, anchors=probe.array(anchors)
        )
        host: Any = on_host(probe, mined, what)
        found = [(int(a), int(p)) for a, p in zip(*(places[host.valid] for places in host[:2]))]
        wanted = [
            (a, int(p))
            for a in range(len(x))
            for p in np.flatnonzero(positive[a])[:2]
            if reach[a].any()
        ]
        require(sorted(found) == wanted, f"{what}: the pairs are {found}, expected {wanted}")
        drawn = reach[host.anchor[host.valid], host.negative[host.valid]]
        require(bool(drawn.all()), f"{what}: a negative is none, or out of reach")
