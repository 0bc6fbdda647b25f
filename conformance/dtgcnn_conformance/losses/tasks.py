"""The losses of the tasks beside the triplets: classification and regression."""

from __future__ import annotations

from typing import Any

import numpy as np

from dtgcnn.array.ops import ArrayOps, HostArray, Tree
from dtgcnn.model.multitask import cross_entropy, masked_squared_error

from ..probe import Probe, integers, normal, to_device
from ..registry import check

CLASSES = integers([0, 2, 1, 1, 0, 2])
LOGITS = 2.0 * normal(6, 3, seed=1)
VALUES = normal(6, seed=2)
SOME = np.array([0.5, np.nan, -1.0, np.nan, 2.0, 0.0])


def value_and_gradient(ops: ArrayOps, fn: Any, x: HostArray) -> Tree:
    """``fn(x)`` and its gradient."""
    value, _, gradients = ops.value_and_grad(lambda p: (fn(p["x"]), {}))({"x": ops.asarray(x)})
    return {"value": value, "gradient": gradients["x"]}


def hold(probe: Probe, what: str, actual: Tree, value: HostArray, gradient: HostArray) -> None:
    """Hold value and gradient to a closed form."""
    probe.values(f"value of {what}", actual["value"], np.asarray(value, np.float64))
    probe.gradients(f"gradient of {what}", actual["gradient"], gradient)


@check("losses")
def cross_entropy_of_classes(probe: Probe) -> None:
    """``cross_entropy`` is ``mean(log Σ exp(z) − z_label)``, its gradient ``(p − onehot) / N``."""
    ops = probe.ops
    probe.derivative(
        "cross_entropy",
        lambda o, p: cross_entropy(o, p["x"], to_device(o, CLASSES)),
        {"x": LOGITS},
    )
    rows = np.arange(len(CLASSES))
    far = 1e4 * np.sign(LOGITS)  # exp of it is infinite
    for what, z in (("logits", LOGITS), ("equal logits", 0.0 * LOGITS), ("large logits", far)):
        shifted = z - z.max(axis=1, keepdims=True)
        total = np.exp(shifted).sum(axis=1, keepdims=True)
        value = (np.log(total)[:, 0] - shifted[rows, CLASSES]).mean()
        gradient = (np.exp(shifted) / total - np.eye(3)[CLASSES]) / len(CLASSES)
        actual = value_and_gradient(ops, lambda x: cross_entropy(ops, x, probe.array(CLASSES)), z)
        hold(probe, f"cross_entropy of {what}", actual, value, gradient)


@check("losses")
def squared_error_of_targets(probe: Probe) -> None:
    """``masked_squared_error`` leaves out targets that are NaN, 0 and a zero gradient of none."""
    ops = probe.ops
    for what, targets in (("some", SOME), ("all", 0.0 * VALUES), ("no", np.nan * VALUES)):
        known = np.isfinite(targets)
        off = np.where(known, VALUES - np.where(known, targets, 0.0), 0.0)
        count = max(int(known.sum()), 1)
        given = probe.array(targets)
        actual = value_and_gradient(ops, lambda v, t=given: masked_squared_error(ops, v, t), VALUES)
        name = f"masked_squared_error of {what} targets"
        hold(probe, name, actual, (off * off).sum() / count, 2.0 * off / count)
