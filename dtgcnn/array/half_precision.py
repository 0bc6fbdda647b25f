"""Half precision: matrix products rounded to it, and a loss scale for float16.

The loss scale adapts, so that float16's gradients neither vanish nor overflow. Micikevicius et al.
2018 (arXiv:1710.03740). The loss is multiplied by the scale, and the gradients are divided by it in
float32. A step whose gradients are not finite is skipped and halves the scale; ``GROWTH_INTERVAL``
steps in a row without one double it. ``dtgcnn.model`` multiplies in half precision, and
``dtgcnn.training`` scales and skips.
"""

from __future__ import annotations

from .numerics import native
from .ops import Array, ArrayOps, Tree

__all__ = ["half_matmul", "init_loss_scale", "update_loss_scale"]

INITIAL, GROWTH, BACKOFF, GROWTH_INTERVAL = 65536.0, 2.0, 0.5, 2000


@native
def half_matmul(ops: ArrayOps, x: Array, weight: Array, precision: str) -> Array:
    """``x @ weight`` with both rounded to ``"float16"`` or ``"bfloat16"``, as is the product.

    What goes in and comes out has the dtype ``ops.dtype``. The gradient is rounded in the same way,
    so in float16 it becomes infinite above 65,504 and 0 below 6e-8.
    """
    product = ops.astype(x, precision) @ ops.astype(weight, precision)
    return ops.astype(product, ops.dtype)


def init_loss_scale(ops: ArrayOps) -> Tree:
    """The first scale, and how many steps in a row were finite."""
    return {"loss_scale": ops.zeros(()) + INITIAL, "finite_steps": ops.zeros(())}


def update_loss_scale(ops: ArrayOps, state: Tree, finite: Array) -> Tree:
    """The state after a step whose gradients were all finite, or were not."""
    scale, steps = state["loss_scale"], state["finite_steps"] + 1.0
    grown = steps >= GROWTH_INTERVAL
    after = ops.where(grown & ops.isfinite(scale * GROWTH), scale * GROWTH, scale)
    return {
        "loss_scale": ops.where(finite, after, scale * BACKOFF),
        "finite_steps": ops.where(finite, ops.where(grown, 0.0, steps), 0.0),
    }
