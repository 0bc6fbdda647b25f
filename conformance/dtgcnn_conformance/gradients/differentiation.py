"""What ``value_and_grad`` and its companions promise, and gradients where a formula has none."""

from __future__ import annotations

from typing import Any

import numpy as np

from dtgcnn.array import numerics
from dtgcnn.array.ops import Array, ArrayOps, Tree
from dtgcnn.array.tree import flatten, tree_map

from ..comparison import require
from ..probe import Probe, integers, normal, to_device
from ..registry import check

A = normal(3, 4, seed=1)
PARAMS = {
    "head": {"weight": normal(4, 2, seed=2), "bias": normal(2, seed=3)},
    "scale": np.array(0.5),
    "one": {"deep": {"leaf": normal(1, seed=4)}},
}


def forward(o: ArrayOps, p: Tree, x: Array) -> Array:
    """A scalar of every leaf of ``PARAMS``."""
    h = o.tanh(x @ p["head"]["weight"] + p["head"]["bias"]) * p["scale"]
    return o.sum(h * h) + o.sum(p["one"]["deep"]["leaf"] * o.sum(h))


@check("gradients")
def gradients_have_the_form_of_params(probe: Probe) -> None:
    """Gradients have the names, the shapes and the dtype of the nested dict ``params``."""
    ops, params = probe.ops, to_device(probe.ops, PARAMS)
    value, _, gradients = ops.value_and_grad(lambda p, x: (forward(ops, p, x), {}))(
        params, probe.array(A)
    )
    require(tuple(value.shape) == (), f"the value's shape is {value.shape}, expected ()")
    require(isinstance(gradients, dict), f"gradients are {type(gradients).__name__}")
    names, wanted = list(flatten(gradients)), list(flatten(params))
    require(names == wanted, f"gradients are named {names}, expected {wanted}")
    # Shapes and dtypes, and the values with them.
    probe.derivative("a nested dict", lambda o, p: forward(o, p, to_device(o, A)), PARAMS)


@check("gradients")
def other_arguments(probe: Probe) -> None:
    """``fn(params, *args)`` is differentiated in params alone; args may be trees and integers."""
    ops, x = probe.ops, probe.array(A)
    rest = to_device(ops, {"a": {"b": A * 2.0}, "indices": integers([2, 0])})

    def fn(p: Tree, scale: Array, tree: Tree) -> tuple[Array, Tree]:
        rows = ops.take(p["x"] * tree["a"]["b"], tree["indices"])
        return ops.sum(rows * scale), {}

    value, _, gradients = ops.value_and_grad(fn)({"x": x}, ops.asarray(3.0), rest)
    expected = 6.0 * A * np.array([[1.0], [0.0], [1.0]])
    probe.values("the value", value, np.asarray((expected * A).sum()))
    probe.gradients("the gradient", gradients, {"x": expected})


@check("gradients")
def aux_passes_through(probe: Probe) -> None:
    """``aux``, a nested dict of arrays of any dtype, comes out as ``fn`` returned it."""
    ops = probe.ops

    def fn(p: Tree) -> tuple[Array, Tree]:
        x = p["x"]
        state = {"twice": x * 2.0, "count": ops.sum(x > 0), "given": p["y"]}
        aux = {
            "deep": {"state": state, "mask": x > 0},
            "largest": ops.argmax(x, axis=1),
            "none": {},
        }
        return ops.sum(x * x), aux

    params = to_device(ops, {"x": A, "y": A[0]})
    _, aux, gradients = ops.value_and_grad(fn)(params)
    state = {"twice": A * 2.0, "count": np.array((A > 0).sum(), np.int32), "given": A[0]}
    largest = np.argmax(A, axis=1).astype(np.int32)
    expected = {"deep": {"state": state, "mask": A > 0}, "largest": largest, "none": {}}
    probe.values("aux", aux, expected)
    later = tree_map(lambda leaf: leaf + leaf, aux["deep"]["state"])
    probe.values("aux, used later", later["twice"], A * 4.0)
    probe.gradients("the gradient beside aux", gradients, {"x": 2.0 * A, "y": 0.0 * A[0]})


@check("gradients")
def unused_parameters(probe: Probe) -> None:
    """A parameter that the value does not depend on has a gradient of zeros, in its own shape."""
    ops = probe.ops
    params = to_device(ops, {"used": A, "unused": {"x": A[0]}, "scalar": np.array(2.0)})
    _, _, gradients = ops.value_and_grad(lambda p: (ops.sum(p["used"]), {}))(params)
    zeros = {"x": np.zeros(4)}
    expected = {"used": np.ones((3, 4)), "unused": zeros, "scalar": np.array(0.0)}
    probe.gradients("an unused parameter", gradients, expected)


@check("gradients")
def stop_gradient(probe: Probe) -> None:
    """``stop_gradient`` keeps the value, of any dtype, and is a constant to differentiation."""
    ops = probe.ops
    for host in (A, integers([1, 2]), A > 0):
        probe.values("stop_gradient", ops.stop_gradient(probe.array(host)), host)

    def fn(p: Tree) -> tuple[Array, Tree]:
        fixed = ops.stop_gradient(p["x"] * p["x"])
        return ops.sum(fixed * p["x"]), {}

    _, _, gradients = ops.value_and_grad(fn)(to_device(ops, {"x": A}))
    probe.gradients("x · stop_gradient(x²)", gradients, {"x": A * A})


@check("gradients")
def checkpoint(probe: Probe) -> None:
    """A checkpointed function has the value and the gradient of the function."""

    def block(o: ArrayOps, x: Array, w: Array) -> Array:
        return o.tanh(x @ w) * o.sum(w, axis=0)

    def fn(o: ArrayOps, p: Tree) -> Array:
        return o.checkpoint(lambda x, w: block(o, x, w))(p["x"], p["w"])

    probe.derivative("checkpoint", fn, {"x": A, "w": normal(4, 4, seed=5)})


@check("gradients")
def compiled_gradient(probe: Probe) -> None:
    """A compiled function of trees, its gradients among the results, equals the function."""
    ops = probe.ops
    gradient = ops.value_and_grad(lambda p, x: (forward(ops, p, x), {"x": x * 2.0}))
    params, x = to_device(ops, PARAMS), probe.array(A)
    value, aux, gradients = gradient(params, x)
    compiled = ops.compile(gradient)
    for _ in range(2):
        own_value, own_aux, own_gradients = compiled(params, x)
        probe.values("the compiled value", own_value, ops.to_numpy(value))
        probe.values("the compiled aux", own_aux, {"x": ops.to_numpy(aux["x"])})
        probe.gradients("the compiled gradient", own_gradients, tree_map(ops.to_numpy, gradients))


@check("gradients")
def unchosen_side(probe: Probe) -> None:
    """``where`` lets nothing of the side that it does not choose into value or gradient."""
    mask = np.array([[True, False, True, True], [False, True, True, False]])
    chosen, x = mask.astype(np.float64), normal(2, 4, seed=6)

    def root(o: ArrayOps, p: Tree) -> Array:
        choice = to_device(o, mask)
        return o.where(choice, o.sqrt(o.where(choice, p["x"], 1.0)), 0.0)

    hidden = np.where(mask, x, [np.inf, np.nan, -np.inf, np.nan])
    gradient = _gradient(
        probe.ops, lambda o, p: o.where(to_device(o, mask), p["x"], 0.5), {"x": hidden}
    )
    probe.gradients("where beside infinity and NaN", gradient, {"x": chosen})
    positive = np.where(mask, np.abs(x) + 0.5, -1.0)
    probe.derivative("where around a root of −1", root, {"x": positive})


@check("gradients")
def zero_rows(probe: Probe) -> None:
    """``row_distance`` of equal rows and ``l2_normalize`` of zero rows have a gradient of zero."""
    x = np.concatenate([np.zeros((1, 4)), A])
    y = np.concatenate([np.zeros((1, 4)), A[:1], normal(2, 4, seed=7)])

    def distance(o: ArrayOps, p: Tree) -> Array:
        return numerics.row_distance(o, p["x"], p["y"])

    def normalize(o: ArrayOps, p: Tree) -> Array:
        return numerics.l2_normalize(o, p["x"])

    probe.derivative("row_distance at equal rows", distance, {"x": x, "y": y}, False)
    probe.derivative("l2_normalize at a zero row", normalize, {"x": x}, False)
    for fn, params, still in ((distance, {"x": x, "y": y}, 2), (normalize, {"x": x}, 1)):
        gradient = _gradient(probe.ops, fn, params)
        zeros = np.zeros((still, 4))
        probe.gradients("the gradient at zero rows", gradient["x"][:still], zeros)


@check("gradients")
def ties_and_kinks(probe: Probe) -> None:
    """At a tie or a kink ``max``, ``maximum`` and ``abs`` have a subgradient; ``relu`` has 0."""
    x = {"x": np.array([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]])}
    for what, fn in (
        ("max", lambda o, p: o.max(p["x"], axis=1)),
        ("maximum", lambda o, p: o.maximum(o.maximum(p["x"][:, 0], p["x"][:, 1]), p["x"][:, 2])),
    ):
        gradient = probe.ops.to_numpy(_gradient(probe.ops, fn, x)["x"])
        shares = f"the gradient of {what} at ties is {gradient.tolist()}"
        fair = bool((gradient >= 0.0).all()) and gradient[0, 0] == 0.0
        require(fair and np.allclose(gradient.sum(axis=1), 1.0), f"{shares}, expected shares of 1")
    kink = {"x": np.array([0.0, -1.0, 2.0])}
    slope = probe.ops.to_numpy(_gradient(probe.ops, lambda o, p: o.abs(p["x"]), kink)["x"])
    require(abs(slope[0]) <= 1.0, f"the gradient of abs at 0 is {slope[0]}, expected −1 to 1")
    relu = _gradient(probe.ops, lambda o, p: numerics.relu(o, p["x"]), kink)
    probe.gradients("relu at 0", relu, {"x": np.array([0.0, 0.0, 1.0])})


def _gradient(ops: ArrayOps, fn: Any, params: dict[str, Any]) -> Tree:
    """The gradient of the sum of ``fn(ops, params)``."""
    return ops.value_and_grad(lambda p: (ops.sum(fn(ops, p)), {}))(to_device(ops, params))[2]
