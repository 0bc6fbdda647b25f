"""A loss scale that adapts, so that float16's gradients neither vanish nor overflow.

Micikevicius et al. 2018 (arXiv:1710.03740). The loss is multiplied by the scale, and the gradients
are divided by it in float32. A step whose gradients are not finite is skipped and halves the scale;
``GROWTH_INTERVAL`` steps in a row without one double it.
"""

from __future__ import annotations

from .ops import Array, ArrayOps, Tree

__all__ = ["init", "update"]

INITIAL, GROWTH, BACKOFF, GROWTH_INTERVAL = 65536.0, 2.0, 0.5, 2000


def init(ops: ArrayOps) -> Tree:
    """The first scale, and how many steps in a row were finite."""
    return {"loss_scale": ops.zeros(()) + INITIAL, "finite_steps": ops.zeros(())}


def update(ops: ArrayOps, state: Tree, finite: Array) -> Tree:
    """The state after a step whose gradients were all finite, or were not."""
    scale, steps = state["loss_scale"], state["finite_steps"] + 1.0
    grown = steps >= GROWTH_INTERVAL
    after = ops.where(grown & ops.isfinite(scale * GROWTH), scale * GROWTH, scale)
    return {
        "loss_scale": ops.where(finite, after, scale * BACKOFF),
        "finite_steps": ops.where(finite, ops.where(grown, 0.0, steps), 0.0),
    }
