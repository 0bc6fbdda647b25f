"""Losses, for any triplets, labels and items, and for embeddings with equal and zero rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from dtgcnn import TripletLoss
from dtgcnn.array.ops import HostArray
from dtgcnn.losses.triplet import FocalTripletLoss

from ..comparison import require
from ..probe import Probe, integers, normal
from ..properties_strategies import SEEDS
from ..registry import check
from .contrastive import LOSSES, hold, pairs_of
from .mining_properties import BATCHES, batches
from .triplets import exact_distances, hold_loss

MARGIN = 0.3
KINDS: dict[str, Any] = {
    "euclidean": TripletLoss(MARGIN),
    "squared": TripletLoss(MARGIN, "squared", reduction="mean_active"),
    "swap": TripletLoss(MARGIN, swap=True, reduction="none"),
    "soft": TripletLoss(0.0, soft_margin=True, reduction="sum"),
    "focal": FocalTripletLoss(MARGIN, 2.0),
}


@check("losses")
def triplet_losses_of_any_rows(probe: Probe) -> None:
    """Triplet losses of any triplets of any rows have the reference's value and gradient."""

    def body(case: Any, seed: int) -> bool:
        x, n = case[0], len(case[0])
        drawn = np.random.default_rng(seed)
        places = drawn.integers(0, n, (3, 6)).astype(np.int32)
        distances = exact_distances(x)
        triplets = dict(zip(("anchor", "positive", "negative"), places))
        triplets["valid"] = drawn.integers(0, 4, 6) > 0
        a, p, f = places
        hinges = [d[a, p] - d[a, f] + MARGIN for d in (distances, distances**2)]
        hinges.append(distances[a, p] - np.minimum(distances[a, f], distances[p, f]) + MARGIN)
        if not (np.abs(hinges) > 1e-5).all():
            return False  # a hinge at its kink
        for name, loss in KINDS.items():
            hold_loss(probe, f"{name} of {x.tolist()}", x, triplets, loss)
        return True

    def drawn(case: Any, seed: int) -> None:
        assume(body(case, seed))

    for batch in BATCHES:
        require(body(batch, 3), f"{batch} has a hinge at its kink")
    probe.for_all(drawn, case=batches(), seed=SEEDS)


SMOOTH = ("SupConLoss", "InfoNCELoss", "CircleLoss", "WithUniformity")
"""Without the ties and thresholds of the others."""


def _off_kinks(name: str, x: HostArray, labels: HostArray, items: HostArray) -> bool:
    """Whether rounding leaves every triplet and every pair on its side of a threshold."""
    length = np.linalg.norm(x, axis=1, keepdims=True)
    unit = x / np.where(length > 0.0, length, 1.0)
    positive, negative = pairs_of(labels, items)
    if "MultiSimilarity" in name or "cosine" in name:
        d, margins = 1.0 - unit @ unit.T, [0.0, 0.1, 0.2]
    else:
        d, margins = exact_distances(x), [0.3, 3.0]
    of_triplets = positive[:, :, None] & negative[:, None, :]
    gaps = [np.abs(d[:, :, None] - d[:, None, :] + m)[of_triplets] for m in margins]
    return all(bool((gap > 1e-5).all()) for gap in gaps)


@check("losses")
def losses_of_any_batch(probe: Probe) -> None:
    """Each loss over all pairs of any batch has the reference's value, metrics and gradient."""

    def body(name: str, case: Any) -> None:
        x, labels, items = case
        what = f"{x.tolist()}, labels {labels.tolist()}, items {items.tolist()}"
        hold(probe, name, what, x, (labels, items), False)

    def drawn(name: str, case: Any) -> None:
        assume(name in SMOOTH or _off_kinks(name, *case))
        body(name, case)

    for name in LOSSES:
        for batch in BATCHES:
            if name in SMOOTH or _off_kinks(name, *batch):
                body(name, batch)
        # Rows off the grid, of which two are equal and one is zero.
        x = normal(8, 3, seed=4)
        x[1], x[2] = x[0], 0.0
        body(name, (x, integers([0, 0, 1, 1, 0, 2, 1, 1]), integers([0, 1, 2, 3, 4, 5, 6, 6])))
    probe.for_all(drawn, name=st.sampled_from(sorted(LOSSES)), case=batches())
