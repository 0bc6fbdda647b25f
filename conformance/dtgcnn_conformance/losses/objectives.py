"""What a step minimises: margins that change, and a loss of the user's own."""

from __future__ import annotations

from typing import Any

import numpy as np

from dtgcnn.array import numerics
from dtgcnn.array.ops import Array, ArrayOps, HostArray, Tree
from dtgcnn.config.config import DTGCNNConfig
from dtgcnn.losses.batch_all import BatchAllTripletLoss
from dtgcnn.losses.contrastive import CircleLoss, InfoNCELoss, MultiSimilarityLoss, SupConLoss
from dtgcnn.losses.objective import NamedLoss, as_objective, objective
from dtgcnn.losses.triplet import AdaptiveMarginScheduler, FocalTripletLoss, TripletLoss, softplus

from ..comparison import require
from ..probe import Probe, to_device, to_host
from ..registry import check
from .triplets import EMBEDDINGS, ITEMS, LABELS

BATCH = {"labels": LABELS, "items": ITEMS}

KINDS: tuple[dict[str, Any], ...] = (
    {"loss": "triplet", "mining_strategy": "auto"},
    {"loss": "triplet", "mining_strategy": "semi_hard", "triplet_distance": "squared"},
    {"loss": "triplet", "mining_strategy": "batch_hard", "soft_margin": True},
    {"loss": "focal", "mining_strategy": "easy_positive"},
    {"loss": "batch_all", "triplet_distance": "cosine"},
)
"""Losses that have a margin."""


def differentiated(
    ops: ArrayOps, config: DTGCNNConfig, batch: Tree, x: HostArray = EMBEDDINGS
) -> Tree:
    """Loss, metrics and gradient of the embeddings."""
    given = to_device(ops, batch)

    def loss(p: Tree) -> tuple[Array, Tree]:
        return objective(ops, config, p["x"], given)

    value, metrics, gradients = ops.value_and_grad(loss)({"x": ops.asarray(x)})
    return {"loss": value, "metrics": metrics, "gradient": gradients}


@check("losses")
def margin_of_the_batch(probe: Probe) -> None:
    """A margin in the batch gives loss and gradient of a config with that margin, bit for bit."""
    schedule = AdaptiveMarginScheduler(0.25, 0.75)
    margins = [schedule.step(epoch, 2) for epoch in range(3)]
    require(margins == [0.25, 0.5, 0.75], f"the margin goes through {margins}")
    for kind in KINDS:
        losses = []
        for margin in margins:
            config = DTGCNNConfig(triplet_margin=margin, **kind)
            expected = to_host(probe.ops, differentiated(probe.ops, config, BATCH))
            given = {**BATCH, "margin": np.array(margin)}
            other = config.replace(triplet_margin=0.05)
            actual = differentiated(probe.ops, other, given)
            what = f"{kind} with a margin of {margin}"
            if probe.ops.device == "cpu":
                probe.same_bits(what, actual, expected)
            else:
                probe.values(what, actual, expected)
            reference = differentiated(probe.reference, other, given)
            wanted = to_host(probe.reference, reference)
            probe.values(f"{what}, loss", actual["loss"], wanted["loss"])
            probe.gradients(f"{what}, gradient", actual["gradient"], wanted["gradient"])
            losses.append(float(wanted["loss"]))
        require(losses[0] < losses[1] < losses[2], f"{kind}: a wider margin costs {losses}")


def attraction(ops: ArrayOps, embeddings: Array, batch: Tree) -> tuple[Array, dict[str, Array]]:
    """A loss such as a user writes: softplus of what pulls together and pushes apart."""
    unit = numerics.l2_normalize(ops, embeddings)
    similarity = unit @ ops.permute_dims(unit, (1, 0))
    same = batch["labels"][:, None] == batch["labels"][None, :]
    terms = softplus(ops, ops.where(same, -4.0 * similarity, 4.0 * similarity))
    return numerics.mean(ops, terms), {"similarity": numerics.mean(ops, similarity)}


@check("losses")
def own_loss(probe: Probe) -> None:
    """A loss of the user's own, with metrics or without, has the reference's value and gradient."""

    def of_batch(ops: ArrayOps, p: Tree) -> tuple[Array, dict[str, Array]]:
        return as_objective(attraction)(ops, {}, p["x"], to_device(ops, BATCH))

    def without(ops: ArrayOps, embeddings: Array, batch: Tree) -> Array:
        return attraction(ops, embeddings, batch)[0]

    x = {"x": EMBEDDINGS}
    probe.derivative("an own loss", lambda ops, p: of_batch(ops, p)[0], x)
    probe.agreement("its metrics", lambda ops, p: of_batch(ops, p)[1], x)
    alone = as_objective(without)(
        probe.ops, {}, probe.array(EMBEDDINGS), to_device(probe.ops, BATCH)
    )
    require(alone[1] == {}, f"a loss without metrics has {alone[1]}")
    value = of_batch(probe.reference, to_device(probe.reference, x))[0]
    probe.values("an own loss without metrics", alone[0], probe.reference.to_numpy(value))


@check("losses")
def losses_as_objects(probe: Probe) -> None:
    """A loss given as an object is the config's of that name, for some anchors or all."""
    objects: dict[str, NamedLoss] = {
        "triplet": TripletLoss(),
        "focal": FocalTripletLoss(),
        "batch_all": BatchAllTripletLoss(reduction="mean"),
        "supcon": SupConLoss(),
        "info_nce": InfoNCELoss(),
        "multi_similarity": MultiSimilarityLoss(),
        "circle": CircleLoss(),
    }
    ops = probe.ops
    some = {**BATCH, "anchors": np.arange(len(LABELS)) % 3 > 0}
    for name, loss in objects.items():
        config = DTGCNNConfig(loss=name)  # type: ignore[arg-type]
        for batch in (BATCH, some):
            given = to_device(ops, batch)
            expected = differentiated(ops, config, batch)
            given_loss = as_objective(loss, config)(ops, {}, probe.array(EMBEDDINGS), given)
            wanted = (expected["loss"], expected["metrics"])
            probe.values(f"{name} as an object", given_loss[0], ops.to_numpy(wanted[0]))
            require(given_loss[1].keys() == wanted[1].keys(), f"{name} reports {given_loss[1]}")
