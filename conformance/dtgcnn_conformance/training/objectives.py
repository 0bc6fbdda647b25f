"""Steps that minimise something else: a loss of the user's own, drawn negatives, all pairs."""

from __future__ import annotations

from typing import Any

from ..lock_step import lock_step
from ..losses.objectives import attraction
from ..probe import Probe
from ..registry import check
from ..task import task_of


@check("training")
def steps_of_an_own_loss(probe: Probe) -> None:
    """Steps that minimise a loss of the user's own are the reference's."""
    for scope in ("batch", "bank"):
        lock_step(probe, task_of(probe.reference, own_loss=attraction, graph_scope=scope), 4)


@check("training")
def steps_of_other_losses(probe: Probe) -> None:
    """Steps of drawn negatives, of a margin that changes, and of all pairs are the reference's."""
    kinds: tuple[dict[str, Any], ...] = (
        {"mining_strategy": "distance_weighted"},
        {"mining_strategy": "semi_hard", "target_margin": 0.5},
        {"loss": "focal", "mining_strategy": "easy_positive", "triplet_swap": True},
        {"loss": "batch_all", "target_margin": 0.5},
        {"loss": "supcon", "uniformity_weight": 0.1},
        {"loss": "multi_similarity"},
        {"loss": "circle"},
        {"loss": "info_nce", "initializer": "he_normal"},
    )
    for kind in kinds:
        lock_step(probe, task_of(probe.reference, graph_scope="bank", **kind), 3)
