"""Miners, for any labels, items and embeddings, equal and zero rows among them.

Embeddings are whole multiples of 1/8: their squared distances are computed without rounding, in
whatever order, so that ties are ties everywhere and each choice is the one defined.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from dtgcnn.array.ops import Array, HostArray
from dtgcnn.losses import mining
from dtgcnn.losses.mining import Triplets

from ..comparison import require
from ..probe import Probe, integers
from ..properties_strategies import SEEDS, arrays, hold_for_all
from ..registry import check
from .contrastive import pairs_of
from .triplets import exact_distances

SIZES = ((8, 1), (8, 3), (2, 1), (1, 1))


@st.composite
def batches(draw: st.DrawFn) -> tuple[HostArray, HostArray, HostArray]:
    """Embeddings on a grid, labels and items."""
    n, width = draw(st.sampled_from(SIZES))
    eighths = st.integers(-1, 1) if draw(st.booleans()) else st.integers(-16, 16)
    x = draw(arrays((n, width), eighths, "int32")) / 8.0
    labels = draw(arrays((n,), st.integers(0, draw(st.sampled_from([0, 1, 2, 7]))), "int32"))
    items = draw(arrays((n,), st.integers(0, draw(st.sampled_from([0, 2, 100]))), "int32"))
    return x, labels, items


LINE = np.array([[0.0], [1.0], [1.0], [-1.0], [2.0], [0.0], [2.0], [4.0]])
EVERY = integers(range(8))
BATCHES = [(LINE, labels, EVERY) for labels in (0 * EVERY, EVERY, EVERY % 2, EVERY // 4)]
BATCHES += [
    (LINE, EVERY % 3, EVERY % 2),
    (LINE, 0 * EVERY, 0 * EVERY),
    (0 * LINE, EVERY % 3, EVERY),
]
BATCHES += [(LINE[:1], EVERY[:1], EVERY[:1]), (LINE[:2], EVERY[:2], EVERY[:2])]


def _on_device(probe: Probe, case: Any) -> tuple[Array, Array, Array]:
    x, labels, items = map(probe.array, case)
    return x, labels, items


def _chosen(probe: Probe, what: str, mined: Triplets, n: int) -> Any:
    """Triplets as host arrays, held to be int32 positions in a batch of ``n``."""
    host: Any = Triplets(*map(probe.ops.to_numpy, mined))
    for name, places in zip(host._fields[:3], host[:3]):
        require(places.dtype == np.int32, f"{what}: {name} is {places.dtype}, expected int32")
        inside = bool(((places >= 0) & (places < n)).all())
        require(inside, f"{what}: {name} is {places.tolist()} in a batch of {n}")
    return host


def _hold_valid(what: str, host: Any, valid: list[bool]) -> None:
    require(host.valid.tolist() == valid, f"{what}: valid is {host.valid.tolist()}, not {valid}")


def _hold_choice(what: str, found: int, candidates: HostArray, distances: HostArray) -> None:
    """The one chosen is among the candidates, and none of them is nearer."""
    require(bool(candidates[found]), f"{what}: {found} is none of {np.flatnonzero(candidates)}")
    best = distances[candidates].min()
    require(distances[found] == best, f"{what}: {found} at {distances[found]}, the best is {best}")


HARDNESS: tuple[mining.Hardness, ...] = ("hard", "semi_hard")


@check("losses")
def triplets_of_any_batch(probe: Probe) -> None:
    """``batch_hard`` and ``easy_positive`` take what they say, exactly, ties and none included."""

    def body(case: Any) -> None:
        x, labels, items = case
        distances, (positive, negative) = exact_distances(x) ** 2, pairs_of(labels, items)
        given = _on_device(probe, case)
        mined = {"batch_hard": mining.batch_hard(probe.ops, *given)}
        for kind in HARDNESS:
            mined[kind] = mining.easy_positive(probe.ops, *given, kind)
        for what, triplets in mined.items():
            host = _chosen(probe, what, triplets, len(x))
            sign = -1.0 if what == "batch_hard" else 1.0  # the farthest positive, or the nearest
            require(host.anchor.tolist() == list(range(len(x))), f"{what}: {host.anchor}")
            valid = []
            for a in range(len(x)):
                beyond = negative[a]
                if what == "semi_hard" and positive[a].any():
                    beyond = beyond & (distances[a] > distances[a][positive[a]].min())
                valid.append(bool(positive[a].any() and beyond.any()))
                if valid[a]:
                    row = f"{what} of {case}, row {a}"
                    _hold_choice(row, host.positive[a], positive[a], sign * distances[a])
                    _hold_choice(row, host.negative[a], beyond, distances[a])
            _hold_valid(f"{what} of {case}", host, valid)

    hold_for_all(probe, body, [(batch,) for batch in BATCHES], case=batches())


@check("losses")
def semi_hard_triplets_of_any_batch(probe: Probe) -> None:
    """``semi_hard`` and ``semi_hard_all`` take the nearest negative that is farther, exactly."""

    def body(case: Any, most: int, seed: int) -> None:
        x, labels, items = case
        n, (positive, negative) = len(x), pairs_of(labels, items)
        distances, given = exact_distances(x) ** 2, _on_device(probe, case)
        places = np.random.default_rng(seed).integers(0, n, (2, 6)).astype(np.int32)
        known = probe.array(places[0] != places[1])
        anchor, positives = map(probe.array, places)
        pairs = Triplets(anchor, positives, positives, known)
        few = mining.semi_hard(probe.ops, *given[:2], pairs)
        every = mining.semi_hard_all(probe.ops, *given, positives=most)
        for what, triplets in (("semi_hard", few), ("semi_hard_all", every)):
            host = _chosen(probe, what, triplets, n)
            for a, p, found, valid in zip(*host):
                beyond = negative[a] & (distances[a] > distances[a, p])
                pair = a != p if what == "semi_hard" else positive[a, p]
                row = f"{what} of {case}, pair {a, p}"
                require(valid == (pair and beyond.any()), f"{row}: valid is {valid}")
                if valid:
                    _hold_choice(row, found, beyond, distances[a])
            if what == "semi_hard_all":
                listed = [(a, p) for a, p in zip(host.anchor, host.positive) if positive[a, p]]
                wanted = [(a, p) for a in range(n) for p in np.flatnonzero(positive[a])[:most]]
                require(sorted(listed) == wanted, f"{what} of {case}: the pairs are {listed}")

    edges = [(batch, most, 3) for batch in BATCHES for most in (1, 2, 9)]
    hold_for_all(probe, body, edges, case=batches(), most=st.sampled_from([1, 2, 9]), seed=SEEDS)


@check("losses")
def drawn_triplets_of_any_batch(probe: Probe) -> None:
    """``distance_weighted`` draws a real negative within reach for each pair that has one."""

    def body(case: Any, most: int, seed: int) -> None:
        x, labels, items = case
        length = np.linalg.norm(x, axis=1, keepdims=True)
        distances: HostArray = exact_distances(x / np.where(length > 0.0, length, 1.0))
        # Two zero rows are √2 apart by their cosine, as all that a zero row is compared with.
        empty = (length == 0.0) | (length.T == 0.0)
        distances = np.where(empty, np.sqrt(2.0), distances)
        positive, negative = pairs_of(labels, items)
        reach = negative & (distances < 1.4)
        key: Any = np.array([seed, 1], np.uint32)
        mined = mining.distance_weighted(
            probe.ops, *_on_device(probe, case), positives=most, key=probe.array(key)
        )
        what = f"distance_weighted of {case}"
        host = _chosen(probe, what, mined, len(x))
        pairs = [(a, p) for a, p in zip(host.anchor[host.valid], host.positive[host.valid])]
        wanted = [
            (a, p)
            for a in range(len(x))
            for p in np.flatnonzero(positive[a])[:most]
            if reach[a].any()
        ]
        require(sorted(pairs) == wanted, f"{what}: the pairs are {pairs}, expected {wanted}")
        drawn = reach[host.anchor[host.valid], host.negative[host.valid]]
        require(bool(drawn.all()), f"{what}: the negatives are {host.negative.tolist()}")

    def apart(case: Any, most: int, seed: int) -> None:
        unit = case[0] / np.maximum(np.linalg.norm(case[0], axis=1, keepdims=True), 1e-9)
        assume(bool((np.abs(exact_distances(unit) - 1.4) > 1e-3).all()))
        body(case, most, seed)

    for batch in BATCHES:
        for most in (1, 2, 9):
            body(batch, most, 3)
    probe.for_all(apart, case=batches(), most=st.sampled_from([1, 2, 9]), seed=SEEDS)
