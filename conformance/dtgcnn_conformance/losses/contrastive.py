"""Losses over all pairs of a labelled batch, and the miners that look at all of them."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import numpy as np

from dtgcnn.array.ops import Array, ArrayOps, HostArray, Tree
from dtgcnn.losses import mining
from dtgcnn.losses.batch_all import BatchAllTripletLoss
from dtgcnn.losses.contrastive import (
    CircleLoss,
    InfoNCELoss,
    MultiSimilarityLoss,
    SupConLoss,
    WithUniformity,
)
from dtgcnn.losses.mining import Triplets

from ..comparison import require
from ..probe import Probe, integers
from ..registry import check
from .triplets import CASES, EMBEDDINGS, ITEMS, LABELS, exact_distances

Groups: TypeAlias = tuple[HostArray, HostArray]
"""Labels and items."""

P = 3
"""The most positives of a row in ``LABELS``."""

LOSSES: dict[str, Any] = {
    "BatchAllTripletLoss": BatchAllTripletLoss(0.3),
    "BatchAllTripletLoss, a wide margin": BatchAllTripletLoss(3.0, reduction="mean"),
    "BatchAllTripletLoss, squared": BatchAllTripletLoss(0.5, "squared", "mean"),
    "BatchAllTripletLoss, cosine": BatchAllTripletLoss(0.2, "cosine"),
    "SupConLoss": SupConLoss(0.1),
    "SupConLoss, cold": SupConLoss(0.01),
    "InfoNCELoss": InfoNCELoss(0.1),
    "MultiSimilarityLoss": MultiSimilarityLoss(),
    "MultiSimilarityLoss without its miner": MultiSimilarityLoss(2.0, 10.0, 0.3, None),
    "CircleLoss": CircleLoss(0.25, 16.0),
    "WithUniformity": WithUniformity(SupConLoss(0.5), 0.3),
}


def hold(probe: Probe, name: str, what: str, x: HostArray, groups: Groups, smooth: bool) -> None:
    """Hold value, metrics and gradient of a loss to the reference."""
    loss = LOSSES[name]

    def run(ops: ArrayOps, p: Tree) -> tuple[Array, dict[str, Array]]:
        labels, items = given(ops, groups)[1:]
        result: tuple[Array, dict[str, Array]] = loss(ops, p["x"], labels, items)
        return result

    probe.agreement(f"metrics of {name}, {what}", lambda ops, p: run(ops, p)[1], {"x": x})
    smooth = smooth and not isinstance(loss, CircleLoss)  # whose factors are held fixed
    probe.derivative(f"{name}, {what}", lambda ops, p: run(ops, p)[0], {"x": x}, smooth)


@check("losses")
def losses_of_all_pairs(probe: Probe) -> None:
    """Each loss over all pairs of a batch; 0 where there are no pairs to compare."""
    for name in LOSSES:
        for what, groups in CASES.items():
            hold(probe, name, what, EMBEDDINGS, groups, True)


@check("losses")
def losses_of_degenerate_rows(probe: Probe) -> None:
    """Zero rows, equal rows and a single row have finite losses and gradients."""
    zero = EMBEDDINGS.copy()
    zero[[0, 4]] = 0.0
    equal = EMBEDDINGS.copy()
    equal[[1, 3]] = equal[0]
    for name in LOSSES:
        hold(probe, name, "zero rows", zero, (LABELS, ITEMS), False)
        hold(probe, name, "some equal rows", equal, (LABELS, ITEMS), False)
        hold(probe, name, "one row", EMBEDDINGS[:1], (LABELS[:1], ITEMS[:1]), False)


@check("losses")
def losses_hide_no_nan(probe: Probe) -> None:
    """A loss over all pairs is NaN where an embedding is, be there pairs to compare or not."""
    ops = probe.ops
    for row in (0, 10):
        x = EMBEDDINGS.copy()
        x[row, 2] = np.nan
        for what, groups in CASES.items():
            for name, loss in LOSSES.items():
                value, _ = loss(ops, *given(ops, groups, x))
                require(bool(np.isnan(ops.to_numpy(value))), f"{name} of a NaN, {what}: {value}")


@check("losses")
def batch_all_of_near_rows(probe: Probe) -> None:
    """Rows 10⁻³ apart keep the gradient of their distances in the loss over all triplets."""
    near = (EMBEDDINGS[:1] + 1e-3 * EMBEDDINGS).astype(np.float32).astype(np.float64)
    hold(probe, "BatchAllTripletLoss", "near rows", near, (LABELS, ITEMS), False)


def on_host(probe: Probe, mined: Triplets, what: str) -> Triplets:
    """Triplets as host arrays, held to be positions in the batch."""
    host = Triplets(*map(probe.ops.to_numpy, mined))
    for name, places in zip(host._fields[:3], host[:3]):
        dtype = np.asarray(places).dtype
        require(dtype == np.int32, f"{what}: {name} indices are {dtype}, expected int32")
        inside = bool(np.all((np.asarray(places) >= 0) & (np.asarray(places) < len(LABELS))))
        require(inside, f"{what}: {name} indices leave the batch of {len(LABELS)}")
    return host


def given(ops: ArrayOps, groups: Groups, x: HostArray = EMBEDDINGS) -> tuple[Array, Array, Array]:
    """Embeddings, labels and items on the device."""
    labels, items = groups
    return ops.asarray(x), ops.asarray(labels, "int32"), ops.asarray(items, "int32")


def pairs_of(labels: HostArray, items: HostArray) -> tuple[HostArray, HostArray]:
    """(B, B): which pairs are positive and which negative."""
    same = labels[:, None] == labels[None, :]
    return same & (items[:, None] != items[None, :]), ~same


@check("losses")
def easy_positive_triplets(probe: Probe) -> None:
    """``easy_positive`` takes the nearest positive, and the nearest negative, of all or beyond."""
    distances = exact_distances(EMBEDDINGS)
    for what, groups in CASES.items():
        positive, negative = pairs_of(*groups)
        nearest = np.where(positive, distances, np.inf).min(axis=1)
        kinds: tuple[Literal["hard", "semi_hard"], ...] = ("hard", "semi_hard")
        for kind in kinds:
            mined = mining.easy_positive(probe.ops, *given(probe.ops, groups), kind)
            host: Any = on_host(probe, mined, what)
            beyond = negative if kind == "hard" else negative & (distances > nearest[:, None])
            valid = positive.any(axis=1) & beyond.any(axis=1)
            probe.values(f"valid {kind} triplets, {what}", mined.valid, valid)
            rows = np.flatnonzero(valid)
            far = np.where(beyond, distances, np.inf).min(axis=1)[rows]
            chosen = distances[rows, host.positive[rows]], distances[rows, host.negative[rows]]
            probe.values(f"positives, {what}", probe.array(chosen[0]), nearest[rows])
            probe.values(f"{kind} negatives, {what}", probe.array(chosen[1]), far)


@check("losses")
def semi_hard_triplets_of_all_pairs(probe: Probe) -> None:
    """``semi_hard_all`` takes, for all pairs, the nearest negative beyond the positive."""
    distances = exact_distances(EMBEDDINGS)
    for what, groups in CASES.items():
        most = P if what == "several classes" else 2
        mined = mining.semi_hard_all(probe.ops, *given(probe.ops, groups), positives=most)
        host: Any = on_host(probe, mined, what)
        positive, negative = pairs_of(*groups)
        expected = {
            (a, p): np.where(beyond, distances[a], np.inf).min()
            for a in range(len(LABELS))
            for p in np.flatnonzero(positive[a])[:most]
            if (beyond := negative[a] & (distances[a] > distances[a, p])).any()
        }
        found = [tuple(map(int, t)) for t in np.stack(host[:3], axis=1)[host.valid]]
        require(sorted(t[:2] for t in found) == sorted(expected), f"{what}: pairs {found}")
        chosen = np.array([distances[a, n] for a, _, n in found])
        wanted = np.array([expected[a, p] for a, p, _ in found])
        probe.values(f"negatives, {what}", probe.array(chosen), wanted)


@check("losses")
def semi_hard_triplets_of_equal_rows(probe: Probe) -> None:
    """A negative as far as the positive is not beyond it."""
    x = np.array([[0.0], [1.0], [1.0], [-1.0], [2.0]])
    labels = integers([0, 0, 1, 1, 1])
    arrays = given(probe.ops, (labels, integers(range(5))), x)
    mined = mining.semi_hard_all(probe.ops, *arrays, positives=1)
    probe.values("negative of the first pair", mined.negative[:1], integers([4]))
    mined = mining.easy_positive(probe.ops, *arrays)
    probe.values("negative of the first row", mined.negative[:1], integers([4]))
    one = (integers([0]), integers([1]), integers([1]), np.array([True]))
    pairs = mining.Triplets(*map(probe.array, one))
    mined = mining.semi_hard(probe.ops, arrays[0], arrays[1], pairs)
    probe.values("negative of the one pair", mined.negative, integers([4]))


@check("losses")
def distance_weighted_triplets(probe: Probe) -> None:
    """``distance_weighted`` draws real negatives within reach, the same from the same key."""
    for spread in (1.0, 0.2):
        _hold_drawn(probe, EMBEDDINGS[:1] + spread * (EMBEDDINGS - EMBEDDINGS[:1]))


def _hold_drawn(probe: Probe, x: HostArray) -> None:
    """Hold the triplets drawn of ``x``, whose near rows are closer than the cutoff."""
    x = x.astype(np.float32).astype(np.float64)
    distances = exact_distances(x / np.linalg.norm(x, axis=1, keepdims=True))
    for what, groups in CASES.items():
        positive, negative = pairs_of(*groups)
        reach = negative & (distances < 1.4)
        for seed in range(4):
            key: Any = np.array([3, seed], np.uint32)
            mined = mining.distance_weighted(
                probe.ops, *given(probe.ops, groups, x), positives=P, key=probe.array(key)
            )
            host: Any = on_host(probe, mined, what)
            rows = np.minimum(positive.sum(axis=1), P) * reach.any(axis=1)
            require(int(host.valid.sum()) == int(rows.sum()), f"{what}: {host.valid.sum()} valid")
            a, p, n = (places[host.valid] for places in host[:3])
            require(bool(positive[a, p].all()), f"{what}: a positive is none")
            require(bool(reach[a, n].all()), f"{what}: a negative is none, or out of reach")
            again = given(probe.reference, groups, x)
            expected: Any = mining.distance_weighted(probe.reference, *again, positives=P, key=key)
            probe.values(f"negatives, {what}", mined.negative, expected.negative)
