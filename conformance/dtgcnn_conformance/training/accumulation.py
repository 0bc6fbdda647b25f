"""Steps in parts: accumulated gradients against those of the whole batch."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from dtgcnn.array.ops import Array, ArrayOps, Tree
from dtgcnn.array.random import split
from dtgcnn.array.tree import flatten, tree_map
from dtgcnn.model.graph import Graph
from dtgcnn.training.accumulation import AccumulatedStep

from ..comparison import require
from ..probe import Probe, to_device, to_host
from ..registry import check
from ..task import ROWS_OF_X, Task, rounded, task_of
from ..tolerances import IN_PARTS

HALVES, QUARTERS, UNEVEN = (0, 8, 16), (0, 4, 8, 12, 16), (0, 10, 16)
"""Where a batch of 16 rows is cut."""

_SCOPES = ("bank", "batch")

SCALE = 1024.0
"""A scale of the loss."""


def cut(batch: Tree, bounds: tuple[int, ...], names: tuple[str, ...]) -> list[Tree]:
    """The batch's parts, of those of its arrays that have these names."""
    return [{n: batch[n][a:b] for n in names if n in batch} for a, b in pairwise(bounds)]


def inputs(ops: ArrayOps, task: Task, dtype: str) -> tuple[Tree, Tree]:
    """The start, rounded to ``dtype``, and the first step's arguments, on the device."""
    return to_device(ops, rounded(task.start, dtype)), to_device(ops, task.arguments(0))


def whole(ops: ArrayOps, task: Task, scale: float | None = None) -> Tree:
    """Gradients, running state and metrics of a batch in one piece."""
    p, given = inputs(ops, task, ops.dtype)
    results = task.stepper(ops).differentiate(
        p["params"],
        p["state"],
        given["batch"],
        given["sources"],
        given["key"],
        None if scale is None else ops.asarray(scale),
    )
    return dict(zip(("gradients", "state", "metrics"), results))


def in_parts(
    ops: ArrayOps, task: Task, bounds: tuple[int, ...], scale: float | None = None
) -> Tree:
    """The same in parts, with cached gradients."""
    p, given = inputs(ops, task, ops.dtype)
    batch = given["batch"]
    joint = {name: leaf for name, leaf in batch.items() if name not in ROWS_OF_X[1:]}
    results = AccumulatedStep(task.stepper(ops)).cached(
        p["params"],
        p["state"],
        cut(batch, bounds, ROWS_OF_X),
        joint,
        given["sources"],
        given["key"],
        None if scale is None else ops.asarray(scale),
    )
    return dict(zip(("gradients", "state", "metrics"), results))


def joined(ops: ArrayOps, task: Task, bounds: tuple[int, ...]) -> Tree:
    """The same of parts that are encoded one by one, each with its own key, and differentiated
    together: what cached gradients should come to."""
    p, given = inputs(ops, task, ops.dtype)
    parts, keys = cut(given["batch"], bounds, ROWS_OF_X), split(ops, given["key"], len(bounds) - 1)
    states = [given["sources"][str(i)] for i in range(len(task.network.layers))]

    def loss(params: Tree) -> tuple[Array, Tree]:
        rows, state = [], p["state"]
        for part, key in zip(parts, keys, strict=True):
            graph = Graph(part["neighbors"], part["weights"], part["own"], None)
            z, state = task.network(ops, params, state, part["x"], graph, states, key=key)
            rows.append(z)
        value, metrics = task.objective(ops, params, ops.concat(rows), given["batch"])
        return value, {"state": state, "metrics": metrics}

    value, aux, gradients = ops.value_and_grad(loss)(p["params"])
    return {"gradients": gradients, **aux, "metrics": {"loss": value, **aux["metrics"]}}


def hold_parts(probe: Probe, what: str, task: Task, bounds: tuple[int, ...]) -> None:
    """Hold a batch in parts to the whole of it, which the backend computes as well."""
    ops, share = probe.ops, IN_PARTS[probe.ops.dtype]
    expected = to_host(ops, whole(ops, task))
    scaled = {**expected, "gradients": tree_map(lambda g: SCALE * g, expected["gradients"])}
    for how, actual, wanted in (
        ("in parts", in_parts(ops, task, bounds), expected),
        ("in parts, scaled", in_parts(ops, task, bounds, SCALE), scaled),
        ("in one piece, scaled", whole(ops, task, SCALE), scaled),
    ):
        for name in ("gradients", "metrics"):
            probe.relative(f"{what}, {how}, {name}", actual[name], wanted[name], share)


@check("training")
def cached_gradients(probe: Probe) -> None:
    """With cached gradients, 2 or 4 parts have gradient, loss and metrics of the whole batch."""
    kinds: list[dict[str, Any]] = [
        {"mining_strategy": "auto"},
        {"mining_strategy": "auto", "triplets": True},
        {"mining_strategy": "batch_hard"},
        {"mining_strategy": "distance_weighted"},
        {"loss": "supcon"},
        {"loss": "batch_all", "frozen": lambda name: name.startswith("gcn.0.")},
    ]
    for kind in kinds:
        task = task_of(probe.reference, graph_scope="bank", dropout_rate=0.0, **kind)
        for bounds in (HALVES, QUARTERS, UNEVEN):
            hold_parts(probe, f"{kind} in {len(bounds) - 1} parts", task, bounds)


@check("training")
def cached_gradients_with_dropout(probe: Probe) -> None:
    """With dropout and batch norm, cached gradients are those of the parts taken together."""
    kinds: list[dict[str, Any]] = [{"use_batch_norm": True}, {"loss": "supcon"}]
    share = IN_PARTS[probe.ops.dtype]
    for kind in kinds:
        task = task_of(probe.reference, graph_scope="bank", **kind)
        for bounds in (UNEVEN, QUARTERS):
            expected = to_host(probe.ops, joined(probe.ops, task, bounds))
            actual, what = in_parts(probe.ops, task, bounds), f"{kind}, {len(bounds) - 1} parts"
            del actual["metrics"]["embedding_spread"]
            for name in ("gradients", "metrics", "state"):
                if flatten(expected[name]):
                    probe.relative(f"{what}, {name}", actual[name], expected[name], share)
            wanted = to_host(probe.reference, joined(probe.reference, task, bounds))
            probe.relative(f"{what}, reference", actual["gradients"], wanted["gradients"], 5e-5)


@check("training")
def plain_gradients(probe: Probe) -> None:
    """Plain accumulation is the mean of the parts' own gradients and metrics, not the whole's."""
    kinds: list[dict[str, Any]] = [{"graph_scope": s, "dropout_rate": 0.0} for s in _SCOPES]
    kinds.append({"graph_scope": "bank", "use_batch_norm": True})
    for kind in kinds:
        task = task_of(probe.reference, **kind)
        halves = _mean_of_halves(probe.reference, task, probe.ops.dtype)
        expected = to_host(probe.reference, halves)
        p, given = inputs(probe.ops, task, probe.ops.dtype)
        gradients, state, metrics = AccumulatedStep(task.stepper(probe.ops)).plain(
            p["params"],
            p["state"],
            cut(given["batch"], HALVES, (*ROWS_OF_X, "labels", "items")),
            given["sources"],
            given["key"],
        )
        share = probe.tolerance.gradient.rtol
        probe.relative(f"plain gradient, {kind}", gradients, expected["gradients"], share)
        probe.values(f"plain metrics, {kind}", metrics, expected["metrics"])
        probe.values(f"running state, {kind}", state, expected["state"])
        joint = flatten(to_host(probe.ops, whole(probe.ops, task)["gradients"]))
        own = flatten(to_host(probe.ops, gradients))
        off = max(float(np.abs(own[n] - joint[n]).max() / np.abs(joint[n]).max()) for n in joint)
        require(off > 0.01, f"plain accumulation is the whole batch's gradient, to {off:.3g}")


def _mean_of_halves(ops: ArrayOps, task: Task, dtype: str) -> Tree:
    """What ``plain`` should give of the halves of a batch, each of them differentiated alone."""
    p, given = inputs(ops, task, dtype)
    parts = cut(given["batch"], HALVES, (*ROWS_OF_X, "labels", "items"))
    done, state = [], p["state"]
    for part, key in zip(parts, split(ops, given["key"], 2), strict=True):
        step = task.stepper(ops)
        done.append(step.differentiate(p["params"], state, part, given["sources"], key))
        state = done[-1][1]
    pairs = {"gradients": [d[0] for d in done], "metrics": [d[2] for d in done]}
    means = {n: tree_map(lambda a, b: 0.5 * (a + b), *pair) for n, pair in pairs.items()}
    return {**means, "state": state}


@check("training")
def parts_that_overflow(probe: Probe) -> None:
    """A gradient in parts is not finite where that of a part is not: the step is skipped."""
    task = task_of(probe.reference, graph_scope="bank", mixed_precision="float16")
    for scale, wanted in ((SCALE, True), (2.0**100, False)):
        gradients = to_host(probe.ops, in_parts(probe.ops, task, HALVES, scale)["gradients"])
        finite = all(bool(np.isfinite(leaf).all()) for leaf in flatten(gradients).values())
        require(finite == wanted, f"a gradient in parts, times {scale:g}, is finite: {finite}")
