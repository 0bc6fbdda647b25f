"""Functions made of functions: called again, with other numbers, shapes and trees."""

from __future__ import annotations

from typing import Any

import numpy as np

from dtgcnn.array.ops import Array, Tree
from dtgcnn.array.tree import tree_map

from ..probe import Probe, integers, normal, to_device, to_host
from ..registry import check

A, W = normal(3, 4, seed=1), normal(4, 4, seed=2)


@check("gradients")
def calls_are_independent(probe: Probe) -> None:
    """A gradient stays what it is when the next is taken, and does not add up with it."""
    ops = probe.ops
    gradient = ops.value_and_grad(lambda p, c: (ops.sum(p["x"] * p["x"]) * c, {"x": p["x"] * c}))
    params = {"x": probe.array(A)}
    calls = [gradient(params, ops.asarray(c)) for c in (1.0, 3.0, 3.0)]
    calls.append(gradient({"x": probe.array(2.0 * A)}, ops.asarray(1.0)))
    for (value, aux, gradients), (c, x) in zip(calls, ((1, A), (3, A), (3, A), (1, 2.0 * A))):
        probe.values("the value of one of several calls", value, np.asarray(c * (x * x).sum()))
        probe.values("the aux of one of several calls", aux, {"x": c * x})
        probe.gradients("the gradient of one of several calls", gradients, {"x": 2.0 * c * x})


@check("gradients")
def compiled_functions(probe: Probe) -> None:
    """A compiled function follows its arguments: numbers of shape (), keys, trees, other shapes."""
    ops = probe.ops

    def fn(x: Array, scale: Array, rows: Array, tree: Tree) -> Tree:
        return {"sum": ops.sum(x * scale, axis=0), "rows": ops.take(tree["x"], rows) * tree["c"]}

    compiled = ops.compile(fn)
    for x, scale, rows, c in (
        (A, 2.0, [0, 2], 1.0),
        (-A, 2.0, [0, 2], 1.0),
        (A, 3.0, [0, 2], 1.0),
        (A, 2.0, [1, 1], 1.0),
        (A, 2.0, [1, 1], 5.0),
        (A[:2], 2.0, [1, 0, 1], 1.0),
        (np.concatenate([A, A]), 2.0, [5], 1.0),
        (A, 2.0, [0, 2], 1.0),
    ):
        given: Any = (x, np.array(scale), integers(rows), {"x": x, "c": np.array(c)})
        out = compiled(*(to_device(ops, part) for part in given))
        expected = {"sum": (x * scale).sum(axis=0), "rows": x[rows] * c}
        probe.values(f"a compiled function of {x.shape}, {scale}, {rows}, {c}", out, expected)


@check("gradients")
def checkpoint_of_trees(probe: Probe) -> None:
    """A checkpointed function of a dict, which gives several results, is differentiated in all."""
    ops = probe.ops

    def block(p: Tree, x: Array) -> tuple[Array, Tree]:
        h = ops.tanh(x @ p["w"])
        return h, {"mean": ops.sum(h * p["scale"], axis=0), "count": ops.sum(h > 0)}

    def loss(wrap: Any) -> Any:
        def of_params(p: Tree) -> tuple[Array, Tree]:
            h, rest = wrap(block)({"w": p["w"], "scale": p["scale"]}, p["x"])
            return ops.sum(h * h) + ops.sum(rest["mean"]), rest

        return of_params

    params = to_device(ops, {"x": A, "w": W, "scale": np.array(0.5)})
    expected = ops.value_and_grad(loss(lambda fn: fn))(params)
    actual = ops.value_and_grad(loss(ops.checkpoint))(params)
    value, rest, gradients = (to_host(ops, part) for part in expected)
    probe.values("the value of a checkpointed function", actual[0], value)
    probe.values("its other results", actual[1], rest)
    probe.gradients("its gradients", actual[2], tree_map(np.asarray, gradients))
