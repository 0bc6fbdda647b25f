"""What is mined for blocks of anchors, one after the other, is what is mined for all of them."""

from __future__ import annotations

import itertools
from itertools import pairwise
from typing import get_args

from dtgcnn.array.ops import ArrayOps, HostArray, Tree
from dtgcnn.config.choices import Distance, LossName, MiningStrategy
from dtgcnn.config.config import DTGCNNConfig
from dtgcnn.losses.objective import config_objective

from ..comparison import require
from ..probe import Probe, to_device
from ..registry import check
from .combinations import BATCHES, accepted, expected, rows_of
from .objectives import differentiated

CUTS = (0, 0.4, 0.5, 1)
"""Where the anchors of a batch are cut, in shares of them."""


def mined_in_blocks(ops: ArrayOps, config: DTGCNNConfig, batch: Tree, x: HostArray) -> Tree:
    """The batch on the host, with what is mined of it in blocks of unequal length."""
    objective, given = config_objective(config), to_device(ops, batch)
    count, width = objective.mined_shape(given)
    bounds = [int(cut * count) for cut in CUTS]
    require(all(a < b for a, b in pairwise(bounds)), f"{count} anchors are too few to be cut")
    blocks = [
        objective.mine(ops, ops.asarray(x), given, ops.arange(stop - start) + start)
        for start, stop in pairwise(bounds)
    ]
    mined = ops.to_numpy(ops.concat(blocks))
    require(mined.shape == (count, width), f"mined {mined.shape}, expected {(count, width)}")
    return {**batch, "mined": mined}


@check("losses")
def mining_in_blocks(probe: Probe) -> None:
    """Triplets mined in blocks of anchors give the loss and gradient of those mined at once.

    Losses of pairs say that they do not mine.
    """
    for kind, (unit, batch) in BATCHES.items():
        for strategy, distance in itertools.product(get_args(MiningStrategy), get_args(Distance)):
            config = accepted(
                mining_strategy=strategy, triplet_distance=distance, normalize_output=unit
            )
            if config is None or strategy == "explicit":
                continue
            x = rows_of(config)
            again = mined_in_blocks(probe.ops, config, batch, x)
            actual = differentiated(probe.ops, config, again, x)
            wanted, what = expected(kind, config), f"{strategy}, {distance}, {kind}"
            for name in ("loss", "metrics"):
                probe.values(f"{name}, {what}", actual[name], wanted[name])
            probe.gradients(f"gradient, {what}", actual["gradient"], wanted["gradient"])
    for loss in get_args(LossName):
        other = accepted(loss=loss)
        if other is not None and loss not in ("triplet", "focal"):
            shape = config_objective(other).mined_shape(BATCHES["labelled unit rows"][1])
            require(shape == (0, 0), f"{loss} mines {shape}")
