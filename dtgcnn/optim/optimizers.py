"""Optimisers as ``(init, update)`` pairs over nested dicts, in optax's form.

``update(ops, gradients, state, params, learning_rate)`` returns ``(updates, state)``; the new
parameters are ``params + updates``. The learning rate is an array, so that a compiled step never
bakes it in; whatever else changes from step to step is in the state.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, get_args

from ..array import Array, ArrayOps, Tree, flatten, numerics, tree_map
from ..config import OptimizerName, refuse_unknown

__all__ = [
    "Optimizer",
    "adam",
    "adamw",
    "apply_updates",
    "clip_by_global_norm",
    "make_optimizer",
    "sgd",
]


class Optimizer(NamedTuple):
    """A pair of pure functions: ``init(ops, params)`` and ``update(ops, g, state, params, lr)``."""

    init: Callable[[ArrayOps, Tree], Tree]
    update: Callable[[ArrayOps, Tree, Tree, Tree, Array], tuple[Tree, Tree]]
    elementwise: bool = False
    """Whether every entry of a parameter moves by itself: a step then hands all of them over as one
    vector, in place of a tree."""


def make_optimizer(name: str, *, weight_decay: float, momentum: float = 0.9) -> Optimizer:
    """The optimiser of this name, its other constants at their defaults.

    Args:
        name: ``"adamw"``, ``"adam"`` or ``"sgd"``.
        weight_decay: decoupled in AdamW, part of the gradient in the others.
        momentum: of SGD; the others have no use for it.

    Raises:
        ValueError: there is no optimiser of this name, or a constant is out of range.
    """
    refuse_unknown("optimizer", name, get_args(OptimizerName))
    if name == "adamw":
        return adamw(weight_decay=weight_decay)
    if name == "adam":
        return adam(weight_decay=weight_decay)
    return sgd(momentum, weight_decay=weight_decay)


def adamw(
    b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, weight_decay: float = 0.01
) -> Optimizer:
    """AdamW with bias correction and decoupled weight decay (Loshchilov & Hutter 2019).

    ``m ← b1 m + (1−b1) g``; ``v ← b2 v + (1−b2) g²``;
    ``p ← p − lr (m̂ / (√v̂ + eps) + weight_decay · p)``, with m̂ and v̂ divided by ``1 − bᵗ``.

    Args:
        b1: decay of the mean of gradients, in [0, 1).
        b2: decay of the mean of their squares, in [0, 1).
        eps: added to the root, so that it may be 0.
        weight_decay: share of a parameter, times the learning rate, that each step takes off.

    Raises:
        ValueError: a constant is out of range.
    """
    moments = _adam(b1, b2, eps)
    _require_not_negative("weight_decay", weight_decay)

    def update(
        ops: ArrayOps, gradients: Tree, state: Tree, params: Tree, learning_rate: Array
    ) -> tuple[Tree, Tree]:
        updates, state = moments.update(ops, gradients, state, params, learning_rate)
        decay = learning_rate * weight_decay
        return tree_map(lambda u, p: u - decay * p, updates, params), state

    return Optimizer(moments.init, update, elementwise=True)


def adam(
    b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8, weight_decay: float = 0.0
) -> Optimizer:
    """Adam with bias correction (Kingma & Ba 2015, arXiv:1412.6980), weight decay in the gradient.

    ``g ← g + weight_decay · p``, then AdamW's ``m`` and ``v`` and
    ``p ← p − lr · m̂ / (√v̂ + eps)``. Weight decay is thus divided by ``√v̂`` too, unlike AdamW's.

    Args:
        b1, b2, eps: as in ``adamw``.
        weight_decay: strength of the L2 penalty ``weight_decay · |p|² / 2``.

    Raises:
        ValueError: a constant is out of range.
    """
    moments = _adam(b1, b2, eps)
    _require_not_negative("weight_decay", weight_decay)

    def update(
        ops: ArrayOps, gradients: Tree, state: Tree, params: Tree, learning_rate: Array
    ) -> tuple[Tree, Tree]:
        penalised = _penalised(gradients, params, weight_decay)
        return moments.update(ops, penalised, state, params, learning_rate)

    return Optimizer(moments.init, update, elementwise=True)


def sgd(momentum: float = 0.0, nesterov: bool = False, weight_decay: float = 0.0) -> Optimizer:
    """Gradient descent with momentum (Sutskever et al. 2013), weight decay in the gradient.

    ``g ← g + weight_decay · p``; ``m ← momentum · m + g``; ``p ← p − lr · m``, or with Nesterov's
    look ahead ``p ← p − lr (g + momentum · m)``.

    Args:
        momentum: decay of the sum of gradients, in [0, 1); 0 keeps no state.
        nesterov: step along where the momentum will be.
        weight_decay: strength of the L2 penalty ``weight_decay · |p|² / 2``.

    Raises:
        ValueError: a constant is out of range, or ``nesterov`` is without momentum.
    """
    _require_share("momentum", momentum)
    _require_not_negative("weight_decay", weight_decay)
    if nesterov and momentum == 0.0:
        raise ValueError("momentum must be above 0 with nesterov, received 0")

    def init(ops: ArrayOps, params: Tree) -> Tree:
        return {"m": _zeros(ops, params)} if momentum else {}

    def update(
        ops: ArrayOps, gradients: Tree, state: Tree, params: Tree, learning_rate: Array
    ) -> tuple[Tree, Tree]:
        direction = gradients = _penalised(gradients, params, weight_decay)
        if momentum:
            m = tree_map(lambda m, g: momentum * m + g, state["m"], gradients)
            direction, state = m, {"m": m}
            if nesterov:
                direction = tree_map(lambda m, g: g + momentum * m, m, gradients)
        return tree_map(lambda d: -learning_rate * d, direction), state

    return Optimizer(init, update, elementwise=True)


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


def _adam(b1: float, b2: float, eps: float) -> Optimizer:
    """``−lr · m̂ / (√v̂ + eps)``, what Adam and AdamW share."""
    _require_share("b1", b1)
    _require_share("b2", b2)
    _require_not_negative("eps", eps)

    def init(ops: ArrayOps, params: Tree) -> Tree:
        # The weights are moving averages of 1, that is 1 − bᵗ, without its cancellation.
        return {
            "m": _zeros(ops, params),
            "m_weight": ops.zeros(()),
            "v": _zeros(ops, params),
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
        updates = tree_map(lambda m, v: -step * m / (ops.sqrt(v) / root + eps), m, v)
        return updates, {"m": m, "m_weight": m_weight, "v": v, "v_weight": v_weight}

    return Optimizer(init, update, elementwise=True)


def _penalised(gradients: Tree, params: Tree, weight_decay: float) -> Tree:
    if weight_decay == 0.0:
        return gradients
    return tree_map(lambda g, p: g + weight_decay * p, gradients, params)


def _zeros(ops: ArrayOps, params: Tree) -> Tree:
    return tree_map(lambda p: ops.zeros(p.shape), params)


def _require_share(name: str, value: float) -> None:
    if not 0.0 <= value < 1.0:
        raise ValueError(f"{name} must be in [0, 1), received {value!r}")


def _require_not_negative(name: str, value: float) -> None:
    if not 0.0 <= value < float("inf"):
        raise ValueError(f"{name} must be finite and at least 0, received {value!r}")
