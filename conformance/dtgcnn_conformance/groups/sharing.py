"""Work that processes share gives the bits that one process gives."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from dtgcnn.array.distributed import ALONE, World, shared_blocks, shared_rows
from dtgcnn.array.ops import Array, ArrayOps, Tree
from dtgcnn.array.tree import flatten
from dtgcnn.model import bank
from dtgcnn.training.accumulation import AccumulatedStep

from ..comparison import require
from ..probe import Probe, normal, to_device, to_host
from ..processes import together
from ..registry import check
from ..task import ROWS_OF_X, Task, model_of, rounded, task_of
from .gathering import same_bits

BOUNDS = ((0, 8, 16), (0, 5, 10, 16), (0, 2, 5, 8, 10, 13, 16))
"""Where a step of 16 rows is cut: in 2, 3 and 6 parts."""


@check("groups")
def blocks(probe: Probe) -> None:
    """Rows are made block by block, each on one process, and every process has them in order."""
    host = np.asarray(normal(17, 3), np.float32)

    def process(world: World) -> None:
        ops, x = probe.ops, probe.array(host)
        for count, height in ((1, 4), (2, 1), (4, 4), (5, 4), (17, 4), (17, 6), (17, 100)):
            heights: list[int] = []

            def make(rows: slice, x: Array = x, heights: list[int] = heights) -> Array:
                heights.append(rows.stop - rows.start)
                return x[rows] * 2.0

            shared = shared_blocks(world, ops, "blocks", count, height, make)
            what = f"{count} rows in blocks of {height}"
            same_bits(what, ops.to_numpy(shared), ops.to_numpy(x[:count] * 2.0))
            total = sum(world.gather_values("made", sum(heights)))
            require(total == count and max(heights, default=0) <= height, f"{what}: made {total}")
        rows = shared_rows(world, ops, "rows", host, lambda own: own + np.float32(1.0))
        same_bits("host rows", rows, host + np.float32(1.0))

    together(probe.ops, process)


@check("groups")
def steps(probe: Probe) -> None:
    """A step in parts is the same bits on one process and on several."""
    kinds: list[dict[str, Any]] = [
        {},
        {"use_batch_norm": True},
        {"loss": "batch_all", "use_batch_norm": True, "frozen": lambda n: n.startswith("gcn.0.")},
        {"start": "closed_form", "input_dim": 10},
        {"mixed_precision": "float16"},
    ]
    for kind in kinds:
        task = task_of(probe.reference, graph_scope="bank", **kind)
        for bounds in BOUNDS[1:2] if kind else BOUNDS:
            alone = step_of(probe.ops, task, bounds)

            what = f"{kind} in {len(bounds) - 1} parts"

            def process(
                world: World,
                task: Task = task,
                bounds: Any = bounds,
                alone: Tree = alone,
                what: str = what,
            ) -> None:
                found = step_of(probe.ops, task, bounds, world)
                for name, leaf in flatten(alone).items():
                    same_bits(f"{what}, {name}", flatten(found)[name], leaf)

            together(probe.ops, process)


@check("groups")
def losses_with_parameters(probe: Probe) -> None:
    """The gradient of a loss that uses parameters itself is the first process's, once."""
    task = task_of(probe.reference, graph_scope="bank")
    alone = step_of(probe.ops, task, BOUNDS[1], own=True)

    def process(world: World) -> None:
        found = step_of(probe.ops, task, BOUNDS[1], world, own=True)
        for name, leaf in flatten(alone).items():
            same_bits(name, flatten(found)[name], leaf)

    together(probe.ops, process)


def step_of(
    ops: ArrayOps,
    task: Task,
    bounds: tuple[int, ...],
    world: World = ALONE,
    own: bool = False,
) -> Tree:
    """Gradients, running state and metrics of a step in parts, on the host; with ``own`` of a loss
    that pulls at a parameter of its own."""
    p = to_device(ops, rounded(task.start, ops.dtype))
    given = to_device(ops, task.arguments(0))
    copies = task.copies
    batch, stepper = given["batch"], task.stepper(ops)
    parts = [
        {n: batch[n][copies * a : copies * b] for n in ROWS_OF_X if n in batch}
        for a, b in pairwise(bounds)
    ]
    joint = {name: leaf for name, leaf in batch.items() if name not in ROWS_OF_X[1:]}
    scale = ops.asarray(1024.0) if task.config.mixed_precision == "float16" else None
    if own:
        stepper = _pulled(stepper)
    step = AccumulatedStep(stepper, world=world, loss_has_parameters=own)
    results = step.cached(
        p["params"], p["state"], parts, joint, given["sources"], given["key"], scale
    )
    return to_host(ops, dict(zip(("gradients", "state", "metrics"), results)))


def _pulled(stepper: Any) -> Any:
    """The same step with a loss that uses a parameter itself."""
    before = stepper.objective

    def objective(ops: ArrayOps, params: Tree, z: Array, batch: Tree) -> tuple[Array, Tree]:
        value, metrics = before(ops, params, z, batch)
        moved = params["head"]["bias"] + 0.3
        return value + ops.sum(moved * moved), metrics

    return replace(stepper, objective=objective)


@check("groups")
def bank_states(probe: Probe) -> None:
    """The bank's states are the same bits on one process and on several."""
    model = model_of(probe.ops)
    before, bank.BLOCK_ROWS = bank.BLOCK_ROWS, 10
    try:
        model.refresh_bank()
        alone = [probe.ops.to_numpy(states) for states in model.trained_bank().states]

        def process(world: World) -> None:
            own = copy(model.trained_bank())
            own.refresh(probe.ops, model.network, model.params, model.state, 0, world)
            for i, states in enumerate(own.states):
                same_bits(f"layer {i}", probe.ops.to_numpy(states), alone[i])

        together(probe.ops, process)
    finally:
        bank.BLOCK_ROWS = before
