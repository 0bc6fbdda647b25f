"""Losses over all pairs of an anchor and a row that is none, one anchor at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dtgcnn.array.ops import HostArray
from dtgcnn.config.choices import Reduction
from dtgcnn.losses.batch_all import BatchAllTripletLoss
from dtgcnn.losses.contrastive import (
    CircleLoss,
    InfoNCELoss,
    MultiSimilarityLoss,
    SupConLoss,
    WithUniformity,
)

from ..probe import Probe
from ..registry import check
from .anchors import batches, pairs
from .contrastive import given
from .triplets import exact_distances


def _supcon(p: HostArray, n: HostArray) -> list[float]:
    total = np.log(np.exp(np.concatenate([p, n]) / 0.5).sum())
    return [float((total - p / 0.5).mean())]


def _info_nce(p: HostArray, n: HostArray) -> list[float]:
    return [float(np.log1p(np.exp((n - positive) / 0.5).sum())) for positive in p]


def _multi_similarity(p: HostArray, n: HostArray) -> list[float]:
    p, n = p[p - 0.1 < n.max()], n[n + 0.1 > p.min()]
    pull = np.log1p(np.exp(-2.0 * (p - 0.5)).sum()) / 2.0
    return [float(pull + np.log1p(np.exp(50.0 * (n - 0.5)).sum()) / 50.0)]


def _circle(p: HostArray, n: HostArray) -> list[float]:
    push = np.exp(8.0 * np.maximum(n + 0.25, 0.0) * (n - 0.25)).sum()
    pull = np.exp(-8.0 * np.maximum(1.25 - p, 0.0) * (p - 0.75)).sum()
    return [float(np.logaddexp(0.0, np.log(push) + np.log(pull)))]


LOSSES: dict[str, tuple[Any, Callable[[HostArray, HostArray], list[float]]]] = {
    "SupConLoss": (SupConLoss(0.5), _supcon),
    "InfoNCELoss": (InfoNCELoss(0.5), _info_nce),
    "MultiSimilarityLoss": (MultiSimilarityLoss(), _multi_similarity),
    "CircleLoss": (CircleLoss(0.25, 8.0), _circle),
}
"""Losses, and their terms of an anchor from the cosines of its positives and negatives."""

OVER_ALL_ANCHORS = ("MultiSimilarityLoss",)
"""Losses whose mean is over all anchors, those without a term too."""


@check("losses")
def pair_losses_of_anchors(probe: Probe) -> None:
    """Each loss of cosines is the mean of its anchors' terms, found one by one."""
    for what, x, labels, items, anchors in batches():
        unit = x / np.linalg.norm(x, axis=1, keepdims=True)
        positive, negative = pairs(labels, items, anchors)
        rows = np.flatnonzero(positive.any(axis=1) & negative.any(axis=1))
        arrays, chosen = given(probe.ops, (labels, items), x), probe.array(anchors)
        for name, (loss, terms_of) in LOSSES.items():
            cosines = (unit @ unit[a] for a in rows)
            terms = [
                t for a, s in zip(rows, cosines) for t in terms_of(s[positive[a]], s[negative[a]])
            ]
            count = max(anchors.sum() if name in OVER_ALL_ANCHORS else len(terms), 1)
            value, metrics = loss(probe.ops, *arrays, chosen)
            probe.values(f"{name}, {what}", value, np.array(sum(terms) / count))
            held_apart, _ = WithUniformity(loss, 0.5)(probe.ops, *arrays, chosen)
            addend, _ = WithUniformity(loss, 0.5)(probe.ops, *arrays)
            plain, _ = loss(probe.ops, *arrays)
            wanted = probe.ops.to_numpy(value + (addend - plain)).astype(np.float64)
            probe.values(f"{name} with uniformity, {what}", held_apart, wanted)
            count = (positive.sum(axis=1) * negative.sum(axis=1)).sum()
            probe.values(f"{name}, {what}", metrics["valid_triplets"], np.array(float(count)))


MARGIN = 0.3


@check("losses")
def triplets_begin_at_anchors(probe: Probe) -> None:
    """The loss over all triplets is the mean over those that begin at an anchor, one by one."""
    for what, x, labels, items, anchors in batches():
        (positive, negative), d = pairs(labels, items, anchors), exact_distances(x)
        terms = [
            d[a, p] - d[a, n] + MARGIN
            for a, p in zip(*np.nonzero(positive))
            for n in np.flatnonzero(negative[a])
        ]
        above = [term for term in terms if term > 0.0]
        arrays, chosen = given(probe.ops, (labels, items), x), probe.array(anchors)
        counts: dict[Reduction, int] = {"mean": len(terms), "mean_active": len(above), "sum": 1}
        for reduction, count in counts.items():
            loss = BatchAllTripletLoss(MARGIN, reduction=reduction)
            value, metrics = loss(probe.ops, *arrays, chosen)
            wanted = np.array(sum(above) / max(count, 1))
            probe.values(f"BatchAllTripletLoss, {reduction}, {what}", value, wanted)
            found = np.array(float(len(terms)))
            probe.values(f"triplets of {what}", metrics["valid_triplets"], found)
