"""What marks an entry that does not count is farther than anything that does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dtgcnn.array.ops import Array
from dtgcnn.losses import mining
from dtgcnn.losses.contrastive import CircleLoss, InfoNCELoss, MultiSimilarityLoss
from dtgcnn.losses.mining import Triplets

from ..probe import Probe, integers
from ..registry import check
from .contrastive import P, given
from .triplets import CASES, EMBEDDINGS

SCALES = (2.0**20, 2.0**40, 2.0**-40)
"""Powers of two: every distance is the same one scaled, to the last bit."""


def _miners(probe: Probe) -> dict[str, Callable[[Array, Array, Array], Triplets]]:
    ops = probe.ops

    def semi_hard(x: Array, labels: Array, items: Array) -> Triplets:
        return mining.semi_hard(ops, x, labels, mining.batch_hard(ops, x, labels, items))

    return {
        "batch_hard": lambda x, y, i: mining.batch_hard(ops, x, y, i),
        "semi_hard": semi_hard,
        "easy_positive": lambda x, y, i: mining.easy_positive(ops, x, y, i),
        "easy_positive with the hardest negatives": lambda x, y, i: mining.easy_positive(
            ops, x, y, i, "hard"
        ),
        "semi_hard_all": lambda x, y, i: mining.semi_hard_all(ops, x, y, i, P),
    }


@check("losses")
def miners_of_far_rows(probe: Probe) -> None:
    """Miners choose the same triplets of rows at any scale."""
    near = EMBEDDINGS[:1] + 0.2 * (EMBEDDINGS - EMBEDDINGS[:1])
    for what, groups in CASES.items():
        for name, mine in _miners(probe).items():
            for x in (EMBEDDINGS, near):
                x = x.astype(np.float32).astype(np.float64)
                chosen = mine(*given(probe.ops, groups, x))
                for scale in SCALES:
                    scaled = mine(*given(probe.ops, groups, scale * x))
                    for field, here, there in zip(Triplets._fields, chosen, scaled):
                        of = f"{field} of {name}, {what}, rows times {scale}"
                        probe.values(of, there, probe.ops.to_numpy(here))


@check("losses")
def pair_losses_of_obtuse_negatives(probe: Probe) -> None:
    """A pair loss of negatives at obtuse angles is finite at any temperature, as is its slope."""
    x = np.array([[1.0, 0.0], [1.0, 0.1], [-1.0, 0.2], [-1.0, 0.3]])
    groups = integers([0, 0, 1, 1]), integers(range(4))
    losses: tuple[Any, ...] = (
        InfoNCELoss(1e-10),
        CircleLoss(0.25, 1e12),
        MultiSimilarityLoss(1e10, 1e10),
    )
    for loss in losses:
        probe.derivative(
            f"{loss}",
            lambda ops, p, loss=loss: loss(ops, p["x"], *given(ops, groups)[1:])[0],
            {"x": x},
            False,
        )
