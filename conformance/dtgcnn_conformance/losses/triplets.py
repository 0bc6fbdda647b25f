"""Mining and the triplet loss: which triplets, what they cost, and the gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from dtgcnn import TripletLoss
from dtgcnn.array.ops import Array, ArrayOps, HostArray, Tree
from dtgcnn.losses import mining
from dtgcnn.losses.mining import Triplets
from dtgcnn.losses.triplet import FocalTripletLoss, softplus

from ..comparison import require
from ..probe import Probe, integers, normal, to_device, to_host
from ..registry import check

EMBEDDINGS = normal(14, 5, seed=1)
LABELS = integers([0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 3, 4, 4, 4])
ITEMS = integers([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 11, 11])
"""Class 3 has one row, and class 4 three copies of one item: neither has a positive."""

CHOSEN = integers([[0, 1, 3], [4, 3, 7], [8, 9, 0], [0, 2, 13], [5, 5, 6], [2, 0, 2]])
"""Explicit triplets, two of which have a distance of 0."""

CASES = {
    "several classes": (LABELS, ITEMS),
    "one class": (integers([0] * 14), integers(range(14))),
    "every row a class": (integers(range(14)), integers(range(14))),
}


def exact_distances(x: HostArray) -> HostArray:
    """(B, B) Euclidean distances, by direct differences."""
    difference = x[:, None] - x[None, :]
    distances: HostArray = np.sqrt((difference * difference).sum(axis=-1))
    return distances


def hold_mined(probe: Probe, x: HostArray, labels: HostArray, items: HostArray) -> None:
    """Hold batch-hard triplets to the definition, by their distances: near-ties may fall either
    way."""
    mined = mining.batch_hard(probe.ops, *map(probe.array, (x, labels, items)))
    host: Any = Triplets(*map(probe.ops.to_numpy, mined))
    distances = exact_distances(x)
    same = labels[:, None] == labels[None, :]
    positives = same & (items[:, None] != items[None, :])
    valid = positives.any(axis=1) & (~same).any(axis=1)
    probe.values("valid triplets", mined.valid, valid)
    probe.values("anchors", mined.anchor, np.arange(len(x), dtype=np.int32))
    for name, places in (("positive", host.positive), ("negative", host.negative)):
        require(places.dtype == np.int32, f"{name} indices are {places.dtype}, expected int32")
        inside = bool((places >= 0).all() and (places < len(x)).all())
        require(inside, f"{name} indices are {places.tolist()} in a batch of {len(x)}")
    rows = np.flatnonzero(valid)
    farthest = np.where(positives, distances, -np.inf).max(axis=1)
    nearest = np.where(same, np.inf, distances).min(axis=1)
    for i in rows:
        require(positives[i, host.positive[i]], f"row {i}: {host.positive[i]} is no positive")
        require(not same[i, host.negative[i]], f"row {i}: {host.negative[i]} is no negative")
    hardest = distances[rows, host.positive[rows]], distances[rows, host.negative[rows]]
    probe.values("distances of the positives", probe.array(hardest[0]), farthest[rows])
    probe.values("distances of the negatives", probe.array(hardest[1]), nearest[rows])


def hold_loss(probe: Probe, what: str, x: HostArray, triplets: Tree, loss: Any) -> None:
    """Hold a loss, or a ``TripletLoss`` of this margin, its metrics and its gradient to the
    reference, for given triplets."""
    loss = TripletLoss(loss) if isinstance(loss, float) else loss

    def run(ops: ArrayOps) -> tuple[Tree, Tree]:
        chosen = Triplets(**to_device(ops, triplets))

        def of_rows(p: Tree) -> tuple[Array, Tree]:
            value, metrics = loss(ops, p["x"], chosen)
            return ops.sum(value), metrics

        value, metrics, gradients = ops.value_and_grad(of_rows)({"x": ops.asarray(x)})
        return {"loss": value, **metrics}, gradients

    values, gradients = run(probe.reference)
    own_values, own_gradients = run(probe.ops)
    probe.values(what, own_values, to_host(probe.reference, values))
    probe.gradients(f"gradient of {what}", own_gradients, to_host(probe.reference, gradients))


def on_host(probe: Probe, triplets: Triplets) -> dict[str, HostArray]:
    """The reference's triplets, so that both sides have the same."""
    return {k: probe.reference.to_numpy(v) for k, v in triplets._asdict().items()}


@check("losses")
def batch_hard_triplets(probe: Probe) -> None:
    """``batch_hard`` takes the farthest positive and the nearest negative, where there are both."""
    for labels, items in CASES.values():
        hold_mined(probe, EMBEDDINGS, labels, items)
    hold_mined(probe, EMBEDDINGS[:1], LABELS[:1], ITEMS[:1])


@check("losses")
def semi_hard_triplets(probe: Probe) -> None:
    """``semi_hard`` takes each pair's nearest negative beyond the positive, where there is one."""
    anchor, positive = CHOSEN[:, 0], integers([1, 5, 9, 2, 5, 0])
    given = anchor != anchor[0]
    pairs = mining.Triplets(*map(probe.array, (anchor, positive, positive, given)))
    mined = mining.semi_hard(probe.ops, probe.array(EMBEDDINGS), probe.array(LABELS), pairs)
    distances = exact_distances(EMBEDDINGS)[anchor]
    to_positive = distances[np.arange(len(anchor)), positive][:, None]
    candidates = (LABELS[anchor][:, None] != LABELS[None, :]) & (distances > to_positive)
    valid = candidates.any(axis=1) & given
    probe.values("valid triplets", mined.valid, valid)
    probe.values("anchors", mined.anchor, anchor)
    probe.values("positives", mined.positive, positive)
    rows, negative = np.flatnonzero(valid), probe.ops.to_numpy(mined.negative)
    require(negative.dtype == np.int32, f"negative indices are {negative.dtype}, expected int32")
    inside = bool((negative >= 0).all() and (negative < len(LABELS)).all())
    require(inside, f"negative indices are {negative.tolist()} in a batch of {len(LABELS)}")
    chosen = probe.array(distances[rows, negative[rows]])
    nearest = np.where(candidates, distances, np.inf).min(axis=1)[rows]
    probe.values("distances of the negatives", chosen, nearest)


@check("losses")
def mining_is_not_differentiated(probe: Probe) -> None:
    """No gradient flows through the choice of triplets."""
    ops, labels, items = probe.ops, probe.array(LABELS), probe.array(ITEMS)

    def loss(p: Tree) -> tuple[Array, Tree]:
        mined = mining.batch_hard(ops, p["x"], labels, items)
        return TripletLoss(0.2)(ops, p["x"], mined)

    triplets = mining.batch_hard(ops, probe.array(EMBEDDINGS), labels, items)
    fixed = ops.value_and_grad(lambda p: TripletLoss(0.2)(ops, p["x"], triplets))
    params = {"x": probe.array(EMBEDDINGS)}
    value, _, gradients = fixed(params)
    own_value, _, own_gradients = ops.value_and_grad(loss)(params)
    probe.values("the loss with mining inside", own_value, ops.to_numpy(value))
    probe.gradients("the gradient with mining inside", own_gradients, to_host(ops, gradients))


@check("losses")
def loss_of_mined_triplets(probe: Probe) -> None:
    """The loss of batch-hard triplets is a mean over the valid ones, 0 where there are none."""
    reference = probe.reference
    for what, (labels, items) in CASES.items():
        given: Any = (reference.asarray(EMBEDDINGS), labels, items)
        triplets = on_host(probe, mining.batch_hard(reference, *given))
        hold_loss(probe, f"TripletLoss, {what}", EMBEDDINGS, triplets, 0.2)
        hold_loss(probe, f"TripletLoss, {what}, wide", EMBEDDINGS, triplets, 2.0)


@check("losses")
def loss_of_explicit_triplets(probe: Probe) -> None:
    """The loss of the data's own triplets, those of equal rows included."""
    mined = mining.explicit(probe.ops, probe.array(CHOSEN))
    for column, name in enumerate(("anchor", "positive", "negative")):
        probe.values(f"{name} of explicit", getattr(mined, name), CHOSEN[:, column])
    probe.values("valid of explicit", mined.valid, np.ones(len(CHOSEN), bool))
    triplets = on_host(probe, mining.explicit(probe.reference, probe.reference.asarray(CHOSEN)))
    for margin in (0.05, 1.0):
        hold_loss(probe, f"TripletLoss, margin {margin}", EMBEDDINGS, triplets, margin)
    hold_loss(probe, "TripletLoss of equal rows", 0.0 * EMBEDDINGS + 1.0, triplets, 0.2)


@check("losses")
def near_rows(probe: Probe) -> None:
    """Rows 10⁻³ apart keep the gradient of their distance."""
    near = EMBEDDINGS[:1] + 1e-3 * EMBEDDINGS
    near = near.astype(np.float32).astype(np.float64)
    triplets = on_host(probe, mining.explicit(probe.reference, probe.reference.asarray(CHOSEN[:4])))
    hold_loss(probe, "TripletLoss of near rows", near, triplets, 0.2)


@check("losses")
def kinds_of_triplet_loss(probe: Probe) -> None:
    """Each distance, reduction, swap, soft margin and focal weight of the triplet loss."""
    triplets = on_host(probe, mining.explicit(probe.reference, probe.reference.asarray(CHOSEN)))
    triplets["valid"] = CHOSEN[:, 0] != 8
    far = EMBEDDINGS.copy()
    far[0] = 0.0
    kinds: list[Any] = [
        TripletLoss(0.5, "squared"),
        TripletLoss(0.5, "cosine"),
        TripletLoss(0.5, swap=True),
        TripletLoss(0.0, soft_margin=True),
        TripletLoss(0.5, "cosine", True, True),
        *(TripletLoss(0.5, reduction=r) for r in ("mean", "sum", "mean_active", "none")),
        *(FocalTripletLoss(0.5, gamma) for gamma in (0.0, 0.5, 2.0)),
        FocalTripletLoss(0.5, 2.0, "cosine", True, "mean_active"),
    ]
    for kind in kinds:
        for what, x in (("rows", EMBEDDINGS), ("a zero row", far), ("equal rows", 0.0 * far + 1.0)):
            hold_loss(probe, f"{kind} of {what}", x, triplets, kind)


@check("losses")
def margin_as_an_array(probe: Probe) -> None:
    """A margin may be a 0-d array, and gives what the number gives."""
    ops, x = probe.ops, probe.array(EMBEDDINGS)
    chosen = mining.explicit(ops, probe.array(CHOSEN))
    for kind in (TripletLoss, FocalTripletLoss):
        expected = kind(0.375)(ops, x, chosen)[0]
        value = kind(ops.asarray(0.375))(ops, x, chosen)[0]
        probe.values(f"{kind.__name__} of an array", value, ops.to_numpy(expected))


@check("losses")
def softplus_far_below_zero(probe: Probe) -> None:
    """``softplus`` is above 0 far below 0, so that a soft margin counts every triplet."""
    x = np.array([-80.0, -40.0, -17.0, -1.0, 0.0, 1.0, 40.0])
    expected = np.logaddexp(0.0, x)
    actual = probe.ops.to_numpy(softplus(probe.ops, probe.array(x)))
    off = np.abs(actual / expected - 1.0)
    require(bool((off <= 2e-5).all()), f"softplus({x.tolist()}) is off by shares of {off}")
    slope = {"x": np.array([-40.0, -17.0, -1.0, 1.0, 40.0])}
    probe.derivative("softplus", lambda ops, p: softplus(ops, p["x"]), slope)
