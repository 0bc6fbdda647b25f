"""Training steps in lock-step with the reference.

At every step both sides start from the reference's numbers, rounded to the backend's dtype: left
to themselves, AdamW would turn a gradient error of 10⁻⁶ near 0 into a full step.
"""

from __future__ import annotations

import math

import numpy as np

from dtgcnn.array.ops import Array, ArrayOps, HostArray, Tree
from dtgcnn.array.tree import flatten, partition, tree_map, unravel

from .comparison import require
from .probe import Probe, to_host
from .task import RATE, Task, rounded

__all__ = ["STEPS", "by_parameter", "lock_step", "sensitivity"]

STEPS = 10


def sensitivity(optimizer: Tree, gradient_error: float) -> Tree:
    """How far a parameter may move for a gradient error: ``rate · error / (√v̂ + ε)``, at most two
    full steps; 0 where no step has moved anything yet."""
    weight = float(optimizer["v_weight"])

    def bound(v: HostArray) -> HostArray:
        if weight == 0.0:
            return np.zeros_like(v)
        slack: HostArray = np.minimum(gradient_error / (np.sqrt(v / weight) + 1e-8), 2.0)
        return RATE * slack

    return tree_map(bound, optimizer["v"])


def by_parameter(ops: ArrayOps, task: Task, results: Tree) -> Tree:
    """The optimiser's state of a step's results, its moments as trees of the parameters that are
    not frozen; of the others there are none."""
    trained = partition(results["params"], task.frozen)[0]
    size = sum(math.prod(leaf.shape) for leaf in flatten(trained).values())

    def tree(moments: Array) -> Tree:
        found = tuple(moments.shape)
        require(found == (size,), f"moments of {found} numbers, expected {(size,)}: none of frozen")
        return unravel(ops, moments, trained)

    state = results["optimizer"]
    return {name: tree(leaf) if name in ("m", "v") else leaf for name, leaf in state.items()}


def lock_step(probe: Probe, task: Task, steps: int = STEPS) -> Tree:
    """Hold steps, each from the reference's rounded numbers, to the reference.

    Returns what the reference ends with: parameters, running state and optimiser state.
    """
    ops, reference = probe.ops, probe.reference
    own_step, step = task.stepper(ops), task.stepper(reference)
    held = task.start
    for number in range(steps):
        held = rounded(held, ops.dtype)
        expected = to_host(reference, task.take(reference, step, held, number))
        actual = task.take(ops, own_step, held, number)
        moments, own_moments = (
            by_parameter(o, task, r) for o, r in ((reference, expected), (ops, actual))
        )
        what = f"step {number + 1}"
        probe.values(f"{what}, metrics", actual["metrics"], expected["metrics"])
        valid = float(expected["metrics"].get("valid_triplets", 1.0))
        require(valid > 0 and float(expected["metrics"]["loss"]) > 0, f"{what} teaches nothing")
        probe.gradients(f"{what}, moments", own_moments, moments)
        probe.values(f"{what}, running state", actual["state"], expected["state"])
        slack = sensitivity(moments, probe.tolerance.gradient.atol)
        probe.values(f"{what}, parameters", actual["params"], expected["params"], slack)
        _hold_frozen(probe, what, task, actual, held)
        held = {name: expected[name] for name in ("params", "state", "optimizer")}
    return held


def _hold_frozen(probe: Probe, what: str, task: Task, actual: Tree, held: Tree) -> None:
    """Not one bit of what is frozen may move, nor of the running state of a layer that is frozen as
    a whole."""
    stays = partition(held["params"], task.frozen)[1]
    kept = partition(actual["params"], task.frozen)[1]
    probe.same_bits(f"{what}, frozen parameters", kept, stays)
    for name, leaves in held["params"]["gcn"].items():
        if flatten(leaves, f"gcn.{name}").keys() <= task.frozen:
            before, after = (t["state"]["gcn"][name] for t in (held, actual))
            probe.same_bits(f"{what}, running state of frozen layer {name}", after, before)
