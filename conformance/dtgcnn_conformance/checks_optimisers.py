"""AdamW and clipping, against the reference and against their formulas in plain Python."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from dtgcnn.ops import ArrayOps, Tree
from dtgcnn.optim import adamw, apply_updates, clip_by_global_norm

from .probe import Probe, normal, to_device, to_host
from .registry import check

PARAMS = {"a": {"w": normal(3, 4, seed=1)}, "b": normal(5, seed=2), "c": np.array(0.5)}
RATES = (1e-3, 3e-3, 1e-2, 5e-3) * 5


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


def train(ops: ArrayOps, weight_decay: float) -> tuple[Tree, Tree]:
    """Parameters and optimiser state after the steps of ``RATES``."""
    optimizer = adamw(weight_decay=weight_decay)
    params = to_device(ops, PARAMS)
    state = optimizer.init(ops, params)
    for step, rate in enumerate(RATES):
        given = to_device(ops, gradients_at(step))
        updates, state = optimizer.update(ops, given, state, params, ops.asarray(rate))
        params = apply_updates(params, updates)
        ops.evaluate(params, state)
    return params, state


def adamw_of_one_number(p: float, gradients: Sequence[float], decay: float) -> float:
    """Loshchilov & Hutter's algorithm 2, one number at a time."""
    m = v = 0.0
    for t, (g, rate) in enumerate(zip(gradients, RATES), start=1):
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * g * g
        m_hat, v_hat = m / (1.0 - 0.9**t), v / (1.0 - 0.999**t)
        p -= rate * (m_hat / (math.sqrt(v_hat) + 1e-8) + decay * p)
    return p


@check("optimisers")
def adamw_steps(probe: Probe) -> None:
    """Twenty steps of AdamW from given gradients end where the reference ends."""
    for decay in (0.0, 0.1):
        params, state = train(probe.reference, decay)
        own_params, own_state = train(probe.ops, decay)
        what = f"AdamW with weight decay {decay}"
        probe.values(f"parameters of {what}", own_params, to_host(probe.reference, params))
        probe.values(f"state of {what}", own_state, to_host(probe.reference, state))


@check("optimisers")
def adamw_formula(probe: Probe) -> None:
    """AdamW has bias correction and decoupled weight decay, as its formula in plain Python."""
    params, _ = train(probe.ops, 0.1)
    given = [gradients_at(step) for step in range(len(RATES))]
    w, b = PARAMS["a"]["w"], PARAMS["b"]
    expected_w = np.array(
        [
            adamw_of_one_number(w[i], [g["a"]["w"][i] for g in given], 0.1)
            for i in np.ndindex(w.shape)
        ]
    ).reshape(w.shape)
    expected_b = [adamw_of_one_number(b[i], [g["b"][i] for g in given], 0.1) for i in range(len(b))]
    c = adamw_of_one_number(0.5, [float(g["c"]) for g in given], 0.1)
    expected = {"a": {"w": expected_w}, "b": np.array(expected_b), "c": np.array(c)}
    probe.values("AdamW", params, expected)


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
