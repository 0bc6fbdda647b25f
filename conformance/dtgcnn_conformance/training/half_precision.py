"""Steps in half precision, and the scale of the loss."""

from __future__ import annotations

from typing import Any

import numpy as np

from dtgcnn import DTGCNN
from dtgcnn.array import half_precision
from dtgcnn.array.ops import Tree
from dtgcnn.array.tree import tree_map

from ..comparison import require
from ..counting import Counting
from ..lock_step import lock_step
from ..probe import Probe, to_host
from ..registry import check
from ..task import VECTORS, Task, config_of, rounded, task_of
from ..tolerances import HALF_STEPS


@check("training")
def steps_in_half_precision(probe: Probe) -> None:
    """Steps in float16, its loss scaled, and in bfloat16 are the reference's, in both scopes."""
    for precision, tolerance in HALF_STEPS.items():
        for scope in ("batch", "bank"):
            for kind in ({"loss": "supcon"}, {"triplets": True, "mining_strategy": "explicit"}):
                settings: dict[str, Any] = {"graph_scope": scope, "mixed_precision": precision}
                task = task_of(probe.reference, **settings, **kind)
                end = lock_step(probe.within(tolerance), task, 5)
                require(float(end["optimizer"]["m_weight"]) > 0.0, "every step was skipped")


@check("training")
def what_half_precision_is_for(probe: Probe) -> None:
    """Each layer and the head multiply in half precision in training, and none in ``encode``."""
    for scope in ("batch", "bank"):
        task = task_of(probe.reference, graph_scope=scope, mixed_precision="bfloat16")
        counting = Counting(probe.ops)
        task.take(counting.ops, task.stepper(counting.ops), rounded(task.start, probe.ops.dtype), 0)
        wanted, calls = len(task.network.layers) + 1, counting.calls["half_matmul"]
        require(calls == wanted, f"{calls} products are in half precision, expected {wanted}")
    counting = Counting(probe.ops)
    model = DTGCNN(config_of(mixed_precision="float16"), ops=counting.ops)
    model.build_bank(VECTORS[:20], [0] * 20)
    model.encode(VECTORS[:4])
    calls = counting.calls["half_matmul"]
    require(calls == 0, f"encode computes {calls} products in half precision")


def _step(probe: Probe, task: Task, **optimizer: float) -> tuple[Tree, Tree]:
    """What a step began with and what came of it, numbers of the optimiser's state given."""
    start = rounded(task.start, probe.ops.dtype)
    given = {k: np.asarray(v, probe.ops.dtype) for k, v in optimizer.items()}
    held = {**start, "optimizer": {**start["optimizer"], **given}}
    return held, to_host(probe.ops, task.take(probe.ops, task.stepper(probe.ops), held, 0))


def _numbers(after: Tree) -> tuple[float, float, float]:
    """The scale, the finite steps in a row, and whether the step was skipped."""
    state = after["optimizer"]
    skipped = after["metrics"]["skipped_steps"]
    return float(state["loss_scale"]), float(state["finite_steps"]), float(skipped)


@check("training")
def steps_that_overflow(probe: Probe) -> None:
    """A step whose gradient is not finite moves nothing but the scale, which it halves."""
    settings: dict[str, Any] = {"mixed_precision": "float16", "use_batch_norm": True}
    task = task_of(probe.reference, graph_scope="bank", **settings)
    held, after = _step(probe, task, loss_scale=2.0**100, finite_steps=7.0, m_weight=0.5)
    numbers, loss = _numbers(after), float(after["metrics"]["loss"])
    wanted = (2.0**99, 0.0, 1.0)
    require(numbers == wanted, f"scale, finite steps, skipped: {numbers}, expected {wanted}")
    require(bool(np.isfinite(loss)) and loss > 0.0, f"the loss of a skipped step is {loss}")
    numbers_too = ("loss_scale", "finite_steps")
    before, now = (
        {
            "params": t["params"],
            "state": t["state"],
            **{k: v for k, v in t["optimizer"].items() if k not in numbers_too},
        }
        for t in (held, after)
    )
    probe.same_bits("after a skipped step", tree_map(probe.array, now), before)


@check("training")
def scale_that_grows(probe: Probe) -> None:
    """Gradients lose the scale again; it doubles after a row of finite steps, not to infinity."""
    task = task_of(probe.reference, graph_scope="bank", mixed_precision="float16")
    last = half_precision.GROWTH_INTERVAL - 1.0
    start = _numbers({**task.start, "metrics": {"skipped_steps": 0.0}})
    require(start == (half_precision.INITIAL, 0.0, 0.0), f"the first scale, finite steps: {start}")
    for scale, steps, wanted in (
        (1024.0, 7.0, (1024.0, 8.0, 0.0)),
        (1024.0, last, (2048.0, 0.0, 0.0)),
    ):
        held, after = _step(probe, task, loss_scale=scale, finite_steps=steps)
        numbers = _numbers(after)
        require(numbers == wanted, f"scale, finite steps, skipped: {numbers}, expected {wanted}")
        still = held["params"]["head"]["weight"] == after["params"]["head"]["weight"]
        require(not bool(np.all(still)), "a finite step moves nothing")
    metrics = [_step(probe, task, loss_scale=scale)[1]["metrics"] for scale in (256.0, 1024.0)]
    norms = [float(of_step["gradient_norm"]) for of_step in metrics]
    require(abs(norms[0] / norms[1] - 1.0) < 1e-2, f"the scale is in the gradient's norm: {norms}")
    ops, largest = probe.ops, 1.5 * 2.0 ** (127 if probe.ops.dtype == "float32" else 1023)
    state = {"loss_scale": ops.asarray(largest), "finite_steps": ops.asarray(last)}
    grown = half_precision.update_loss_scale(ops, state, ops.asarray(True))
    kept = float(ops.to_numpy(grown["loss_scale"]))
    require(kept == largest, f"the scale {largest:g} grows to {kept}")
