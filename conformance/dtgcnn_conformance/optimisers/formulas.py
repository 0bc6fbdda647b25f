"""Optimisers and clipping, against the reference and against their formulas in plain Python."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

import numpy as np

from dtgcnn.array.ops import Array, ArrayOps, HostArray, Tree
from dtgcnn.optim.optimizers import Optimizer, adam, adamw, apply_updates, clip_by_global_norm, sgd

from ..probe import Probe, normal, to_device, to_host
from ..registry import check

PARAMS = {"a": {"w": normal(3, 4, seed=1)}, "b": normal(5, seed=2), "c": np.array(0.5)}
RATES = (1e-3, 3e-3, 1e-2, 5e-3) * 5

Formula: TypeAlias = Callable[[float, Sequence[float]], float]
"""Where a number ends after the steps of ``RATES``, given its start and its gradients."""

Step: TypeAlias = Callable[[Tree, Tree, Tree, Array], tuple[Tree, Tree]]
"""``(gradients, state, params, rate)`` to parameters and optimiser state."""


def gradients_at(step: int) -> Tree:
    """Gradients of many magnitudes, some of them zero."""
    scale = 10.0 ** (step % 5 - 3)
    w = normal(3, 4, seed=100 + step) * scale
    w[0] = 0.0
    tree = {"a": {"w": w}, "b": normal(5, seed=200 + step), "c": np.array(-scale)}
    tree["b"][0] *= 1e-6
    return to_float32(tree)


def to_float32(tree: Tree) -> Tree:
    """What float32 holds of it, so that every backend starts from the same numbers."""
    if isinstance(tree, dict):
        return {name: to_float32(leaf) for name, leaf in tree.items()}
    return np.asarray(tree, np.float32).astype(np.float64)


def step_of(ops: ArrayOps, optimizer: Optimizer) -> Step:
    """One step of the optimiser."""

    def step(gradients: Tree, state: Tree, params: Tree, rate: Array) -> tuple[Tree, Tree]:
        updates, state = optimizer.update(ops, gradients, state, params, rate)
        return apply_updates(params, updates), state

    return step


def train(
    ops: ArrayOps, optimizer: Optimizer, rates: Sequence[float] = RATES, step: Step | None = None
) -> tuple[Tree, Tree]:
    """Parameters and optimiser state after a step of each rate."""
    step = step or step_of(ops, optimizer)
    params = to_device(ops, PARAMS)
    state = optimizer.init(ops, params)
    for number, rate in enumerate(rates):
        given = to_device(ops, gradients_at(number))
        params, state = step(given, state, params, ops.asarray(rate))
        ops.evaluate(params, state)
    return params, state


def hold_to_reference(probe: Probe, what: str, optimizer: Optimizer) -> None:
    """Hold parameters and state after the steps of ``RATES`` to the reference's."""
    params, state = train(probe.reference, optimizer)
    own_params, own_state = train(probe.ops, optimizer)
    probe.values(f"parameters of {what}", own_params, to_host(probe.reference, params))
    probe.values(f"state of {what}", own_state, to_host(probe.reference, state))


def hold_to_formula(probe: Probe, what: str, optimizer: Optimizer, formula: Formula) -> None:
    """Hold parameters after the steps of ``RATES`` to a formula of one number at a time."""
    given = [gradients_at(step) for step in range(len(RATES))]

    def end(start: HostArray, gradients: Sequence[HostArray]) -> HostArray:
        ends = [
            formula(start[i], [float(g[i]) for g in gradients]) for i in np.ndindex(start.shape)
        ]
        return np.array(ends).reshape(start.shape)

    expected = {
        "a": {"w": end(PARAMS["a"]["w"], [g["a"]["w"] for g in given])},
        "b": end(PARAMS["b"], [g["b"] for g in given]),
        "c": end(PARAMS["c"], [g["c"] for g in given]),
    }
    probe.values(what, train(probe.ops, optimizer)[0], expected)


def adam_of_one_number(
    p: float, gradients: Sequence[float], decay: float, decoupled: bool
) -> float:
    """Loshchilov & Hutter's algorithm 2: Adam with either kind of weight decay."""
    m = v = 0.0
    for t, (g, rate) in enumerate(zip(gradients, RATES), start=1):
        if not decoupled:
            g += decay * p
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * g * g
        m_hat, v_hat = m / (1.0 - 0.9**t), v / (1.0 - 0.999**t)
        p -= rate * (m_hat / (math.sqrt(v_hat) + 1e-8) + (decay * p if decoupled else 0.0))
    return p


def sgd_of_one_number(
    p: float, gradients: Sequence[float], momentum: float, nesterov: bool, decay: float
) -> float:
    """Gradient descent with momentum, as a sum over all gradients so far."""
    penalised: list[float] = []
    for g, rate in zip(gradients, RATES):
        penalised.append(g + decay * p)
        m = sum(momentum**age * old for age, old in enumerate(reversed(penalised)))
        p -= rate * (penalised[-1] + momentum * m if nesterov else m)
    return p


@check("optimisers")
def adamw_steps(probe: Probe) -> None:
    """Twenty steps of AdamW from given gradients end where the reference ends."""
    for decay in (0.0, 0.1):
        hold_to_reference(probe, f"AdamW, weight decay {decay}", adamw(weight_decay=decay))


@check("optimisers")
def adamw_formula(probe: Probe) -> None:
    """AdamW has bias correction and decoupled weight decay, as its formula in plain Python."""
    formula = partial(adam_of_one_number, decay=0.1, decoupled=True)
    hold_to_formula(probe, "AdamW", adamw(weight_decay=0.1), formula)


@check("optimisers")
def adam_steps(probe: Probe) -> None:
    """Twenty steps of Adam from given gradients end where the reference ends."""
    for decay in (0.0, 0.1):
        hold_to_reference(probe, f"Adam, weight decay {decay}", adam(weight_decay=decay))


@check("optimisers")
def adam_formula(probe: Probe) -> None:
    """Adam has bias correction and weight decay in the gradient, as its formula in plain Python."""
    formula = partial(adam_of_one_number, decay=0.1, decoupled=False)
    hold_to_formula(probe, "Adam", adam(weight_decay=0.1), formula)


SGD = ((0.0, False, 0.0), (0.0, False, 0.1), (0.9, False, 0.1), (0.9, True, 0.1))
"""Momentum, Nesterov's or not, weight decay."""


@check("optimisers")
def sgd_steps(probe: Probe) -> None:
    """Twenty steps of SGD from given gradients end where the reference ends."""
    for case in SGD:
        hold_to_reference(
            probe, "SGD, momentum {}, nesterov {}, decay {}".format(*case), sgd(*case)
        )


@check("optimisers")
def sgd_formula(probe: Probe) -> None:
    """SGD has plain and Nesterov's momentum and weight decay, as its formula in plain Python."""
    for momentum, nesterov, decay in SGD:
        formula = partial(sgd_of_one_number, momentum=momentum, nesterov=nesterov, decay=decay)
        what = f"SGD, momentum {momentum}, nesterov {nesterov}, decay {decay}"
        hold_to_formula(probe, what, sgd(momentum, nesterov, decay), formula)


@check("optimisers")
def clipping(probe: Probe) -> None:
    """``clip_by_global_norm`` scales what is longer than allowed, and tells the norm."""
    gradients = gradients_at(3)
    leaves = [gradients["a"]["w"], gradients["b"], gradients["c"]]
    norm = math.sqrt(sum(float((leaf * leaf).sum()) for leaf in leaves))
    for limit in (0.5, 2.0 * norm):
        scale = limit / (norm + 1e-6) if norm > limit else 1.0
        clipped, told = clip_by_global_norm(probe.ops, to_device(probe.ops, gradients), limit)
        expected = {"a": {"w": leaves[0] * scale}, "b": leaves[1] * scale, "c": leaves[2] * scale}
        probe.values(f"gradients clipped to {limit:.3g}", clipped, expected)
        probe.values("the norm before clipping", told, np.array(norm))


@check("optimisers")
def clipping_of_zeros(probe: Probe) -> None:
    """Gradients of zero stay zero, with a norm of zero."""
    zeros = {"a": np.zeros((2, 2)), "b": np.zeros(())}
    clipped, norm = clip_by_global_norm(probe.ops, to_device(probe.ops, zeros), 1.0)
    probe.values("clipped zeros", clipped, zeros)
    probe.values("the norm of zeros", norm, np.zeros(()))
