"""Optimisers and clipping, from any gradients and with any constants."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from hypothesis import strategies as st

from dtgcnn.array.ops import HostArray, Tree
from dtgcnn.optim.optimizers import Optimizer, adam, adamw, apply_updates, clip_by_global_norm, sgd

from ..probe import Probe, normal, to_device
from ..properties_strategies import arrays, hold_for_all
from ..registry import check
from .formulas import RATES, Formula, adam_of_one_number, sgd_of_one_number

SIGNED = st.sampled_from([-1.0, 0.0, 1.0])
SIZES = st.floats(2.0**-60, 2.0**50, width=32, allow_subnormal=False)
"""From far below to far above what training meets."""
STEPS = 5


@st.composite
def gradients(draw: st.DrawFn) -> HostArray:
    """(STEPS, 4): gradients of one size or of many, zeros among them."""
    signs = draw(arrays((STEPS, 4), SIGNED))
    if draw(st.booleans()):
        return np.asarray(signs * draw(SIZES))
    return np.asarray(signs * draw(arrays((STEPS, 4), SIZES)))


EDGES = [np.zeros((STEPS, 4)), np.full((STEPS, 4), 2.0**50), np.full((STEPS, 4), -(2.0**-60))]
EDGES.append(np.array([[1.0, 0.0, 2.0**50, 2.0**-60]] + [[-1.0, 0.0, 0.0, 0.0]] * (STEPS - 1)))


def hold_steps(
    probe: Probe, what: str, optimizer: Optimizer, formula: Formula, given: HostArray, slack: Any
) -> None:
    """Hold four numbers after STEPS to a formula of one number at a time."""
    ops, start = probe.ops, normal(4, seed=2)
    params: Tree = {"deep": {"x": ops.asarray(start)}}
    state = optimizer.init(ops, params)
    for g, rate in zip(given, RATES):
        tree = {"deep": {"x": ops.asarray(g)}}
        updates, state = optimizer.update(ops, tree, state, params, ops.asarray(rate))
        params = apply_updates(params, updates)
    expected = [formula(p, list(map(float, given[:, i]))) for i, p in enumerate(start)]
    probe.values(what, params["deep"]["x"], np.array(expected), slack)


@check("optimisers")
def adam_of_any_gradients(probe: Probe) -> None:
    """Adam and AdamW from any gradients and weight decay are their formulas in plain Python."""

    def body(given: HostArray, decay: float) -> None:
        for name, make, decoupled in (("AdamW", adamw, True), ("Adam", adam, False)):
            formula = partial(adam_of_one_number, decay=decay, decoupled=decoupled)
            what = f"{name}, weight decay {decay}, gradients {given.T.tolist()}"
            hold_steps(probe, what, make(weight_decay=decay), formula, given, 0.0)

    edges = [(given, decay) for given in EDGES for decay in (0.0, 0.1)]
    hold_for_all(probe, body, edges, given=gradients(), decay=st.sampled_from([0.0, 1e-4, 0.1]))


@check("optimisers")
def sgd_of_any_gradients(probe: Probe) -> None:
    """SGD from any gradients, momentum and weight decay is its formula in plain Python."""

    def body(given: HostArray, momentum: float, nesterov: bool, decay: float) -> None:
        nesterov = nesterov and momentum > 0.0
        formula = partial(sgd_of_one_number, momentum=momentum, nesterov=nesterov, decay=decay)
        # Steps to and fro may cancel: each loses a rounding of the way that was gone.
        gone = [sgd_of_one_number(0.0, g, momentum, nesterov, 0.0) for g in -np.abs(given.T)]
        slack = 8.0 * STEPS * float(np.finfo(probe.ops.dtype).eps) * np.array(gone)
        kind = f"momentum {momentum}, nesterov {nesterov}, weight decay {decay}"
        what = f"SGD, {kind}, gradients {given.T.tolist()}"
        hold_steps(probe, what, sgd(momentum, nesterov, decay), formula, given, slack)

    edges = [(g, m, m > 0.5, d) for g in EDGES for m in (0.0, 0.5, 0.9) for d in (0.0, 0.1)]
    kind = {"momentum": st.sampled_from([0.0, 0.5, 0.9, 0.99]), "nesterov": st.booleans()}
    decay = st.sampled_from([0.0, 1e-4, 0.1])
    hold_for_all(probe, body, edges, given=gradients(), **kind, decay=decay)


@check("optimisers")
def clipping_of_any_gradients(probe: Probe) -> None:
    """``clip_by_global_norm`` of any gradients to any norm."""

    def body(given: HostArray, limit: float) -> None:
        tree = {"a": given[0], "b": {"c": given[1:]}, "d": given[0, 0].reshape(())}
        norm = float(np.sqrt((given**2).sum() + given[0, 0] ** 2))
        scale = limit / (norm + 1e-6) if norm > limit else 1.0
        clipped, told = clip_by_global_norm(probe.ops, to_device(probe.ops, tree), limit)
        expected = {"a": tree["a"] * scale, "b": {"c": given[1:] * scale}, "d": tree["d"] * scale}
        expected["d"] = np.asarray(expected["d"])
        probe.values(f"gradients of norm {norm} clipped to {limit}", clipped, expected)
        probe.values("the norm before clipping", told, np.array(norm))

    edges = [(given, limit) for given in EDGES for limit in (1e-3, 1.0, 1e6)]
    hold_for_all(probe, body, edges, given=gradients(), limit=st.sampled_from([1e-3, 0.7, 1e6]))
