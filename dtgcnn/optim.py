"""Optimisers as ``(init, update)`` pairs over nested dicts, in optax's form.

``update(ops, gradients, state, params, learning_rate)`` returns ``(updates, state)``; the new
parameters are ``params + updates``. The learning rate is an array, so that a compiled step never
bakes it in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from . import numerics
from .ops import Array, ArrayOps, Tree
from .tree import flatten, tree_map

__all__ = ["Optimizer", "adamw", "apply_updates", "clip_by_global_norm"]


class Optimizer(NamedTuple):
    """A pair of pure functions: ``init(ops, params)`` and ``update(ops, g, state, params, lr)``."""

    init: Callable[[ArrayOps, Tree], Tree]
    update: Callable[[ArrayOps, Tree, Tree, Tree, Array], tuple[Tree, Tree]]


def adamw(
    b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, weight_decay: float = 0.01
) -> Optimizer:
    """AdamW with bias correction and decoupled weight decay (Loshchilov & Hutter 2019).

    ``m ← b1 m + (1−b1) g``; ``v ← b2 v + (1−b2) g²``;
    ``p ← p − lr (m̂ / (√v̂ + eps) + weight_decay · p)``, with m̂ and v̂ divided by ``1 − bᵗ``.
    """

    def init(ops: ArrayOps, params: Tree) -> Tree:
        def zeros(p: Array) -> Array:
            return ops.zeros(p.shape)

        # The weights are moving averages of 1, that is 1 − bᵗ, without its cancellation.
        return {
            "m": tree_map(zeros, params),
            "m_weight": ops.zeros(()),
            "v": tree_map(zeros, params),
            "v_weight": ops.zeros(()),
        }

    def update(
        ops: ArrayOps, gradients: Tree, state: Tree, params: Tree, learning_rate: Array
    ) -> tuple[Tree, Tree]:
        m = tree_map(lambda m, g: b1 * m + (1.0 - b1) * g, state["m"], gradients)
        v = tree_map(lambda v, g: b2 * v + (1.0 - b2) * (g * g), state["v"], gradients)
        m_weight = b1 * state["m_weight"] + (1.0 - b1)
        v_weight = b2 * state["v_weight"] + (1.0 - b2)
        step, root = learning_rate / m_weight, ops.sqrt(v_weight)

        def change(p: Array, m: Array, v: Array) -> Array:
            new: Array = -step * m / (ops.sqrt(v) / root + eps) - learning_rate * weight_decay * p
            return new

        new_state = {"m": m, "m_weight": m_weight, "v": v, "v_weight": v_weight}
        return tree_map(change, params, m, v), new_state

    return Optimizer(init, update)


def clip_by_global_norm(ops: ArrayOps, gradients: Tree, max_norm: float) -> tuple[Tree, Array]:
    """Scale gradients so that their global norm is at most ``max_norm``.

    Returns the scaled gradients and the norm before scaling (Pascanu et al. 2013).
    """
    norm = numerics.global_norm(ops, list(flatten(gradients).values()))
    scale = ops.where(norm > max_norm, max_norm / (norm + 1e-6), 1.0)
    return tree_map(lambda g: g * scale, gradients), norm


def apply_updates(params: Tree, updates: Tree) -> Tree:
    """``params + updates``, leaf by leaf."""
    added: Any = tree_map(lambda p, u: p + u, params, updates)
    return added
