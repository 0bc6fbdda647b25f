"""Gradients of drawn expressions: a few operations of the protocol after each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

from dtgcnn.array import numerics
from dtgcnn.array.ops import Array, ArrayOps, Tree

from ..probe import Probe, integers, to_device
from ..properties_strategies import SEEDS, distinct, hold_for_all
from ..registry import check

N, D = 3, 4
LISTS = integers([[0, 2], [2, 2], [1, 0]])
ROWS, PLACES = integers([2, 0, 2]), integers([[3, 0, 0, 1], [1, 1, 2, 3], [0, 3, 2, 1]])
MASK = np.array([[True, False, True, True], [False, True, True, False], [True, True, False, False]])

First = Callable[[ArrayOps, Array, Array], Array]


def _sorted(o: ArrayOps, x: Array, y: Array) -> Array:
    return o.take_along_axis(x, o.argsort(x, axis=0), axis=0) + y


FIRST: dict[str, First] = {
    "x": lambda o, x, y: x,
    "|x|": lambda o, x, y: o.abs(x),
    "maximum(x, y)": lambda o, x, y: o.maximum(x, y),
    "where(x > y, 2 x, y)": lambda o, x, y: o.where(x > y, 2.0 * x, y),
    "x - max(x)": lambda o, x, y: x - o.max(x, axis=1, keepdims=True),
    "top_k(x)": lambda o, x, y: numerics.top_k(o, x, D)[0],
    "sorted x + y": _sorted,
    "relu(x)": lambda o, x, y: numerics.relu(o, x),
}
"""Those with kinks and ties come first, where all numbers are known to be apart."""


def _softmax(o: ArrayOps, h: Array, g: Array) -> Array:
    e = o.exp(h - o.stop_gradient(o.max(h, axis=1, keepdims=True)))
    return e / o.sum(e, axis=1, keepdims=True)


def _attention(o: ArrayOps, h: Array, g: Array) -> Array:
    return 0.3 * (o.tanh(h @ o.permute_dims(g, (1, 0))) @ g)


def _differences(o: ArrayOps, h: Array, g: Array) -> Array:
    return 0.3 * o.sum(h[:, None, :] - o.tanh(g)[None], axis=1)


STEPS: dict[str, First] = {
    "tanh": lambda o, h, g: o.tanh(h),
    "erf": lambda o, h, g: o.erf(h),
    "gelu": lambda o, h, g: numerics.gelu(o, h),
    "exp": lambda o, h, g: 0.5 * o.exp(o.tanh(h)),
    "log": lambda o, h, g: o.log(1.0 + h * h),
    "sqrt": lambda o, h, g: o.sqrt(1.0 + h * h),
    "+": lambda o, h, g: 0.5 * (h + g),
    "-": lambda o, h, g: 0.5 * (h - g),
    "×": lambda o, h, g: 0.5 * h * g,
    "/": lambda o, h, g: h / (1.0 + g * g),
    "- mean": lambda o, h, g: h - numerics.mean(o, h, 1, keepdims=True),
    "/ deviation": lambda o, h, g: h / o.sqrt(1.0 + numerics.var(o, h, 0, keepdims=True)),
    "/ norm": lambda o, h, g: h / (1.0 + numerics.global_norm(o, [1.0 + h * h])),
    "softmax": _softmax,
    "@": _attention,
    "sum": _differences,
    "cumulative_sum": lambda o, h, g: 0.5 * o.cumulative_sum(h, axis=1),
    "permute_dims": lambda o, h, g: o.reshape(o.permute_dims(h, (1, 0)), (N, D)),
    "concat": lambda o, h, g: o.concat([h[1:], g[:1]], axis=0),
    "columns": lambda o, h, g: o.concat([g[:, 2:], h[:, :2]], axis=1),
    "take": lambda o, h, g: o.take(h, to_device(o, ROWS)),
    "take_along_axis": lambda o, h, g: o.take_along_axis(h, to_device(o, PLACES), axis=1),
    "gather_sum": lambda o, h, g: (
        0.5 * numerics.gather_sum(o, h, to_device(o, LISTS), o.tanh(g)[:, :2])
    ),
    "scatter_sum": lambda o, h, g: 0.5 * o.scatter_sum(h, to_device(o, LISTS), g[:, 1:3], N),
    "where": lambda o, h, g: o.where(to_device(o, MASK), h, g),
    "checkpoint": lambda o, h, g: o.checkpoint(lambda a, b: o.tanh(a) * b)(h, g),
}
"""``(N, D)`` of the last result and an earlier one to ``(N, D)``, smooth, and of moderate size."""


def _expression(first: str, steps: Sequence[tuple[str, int]]) -> Callable[[ArrayOps, Tree], Array]:
    """The function that takes these steps, each with the last result and one of the earlier."""

    def fn(o: ArrayOps, p: Tree) -> Array:
        results: list[Array] = [p["y"], FIRST[first](o, p["x"], p["y"])]
        for name, earlier in steps:
            results.append(STEPS[name](o, results[-1], results[earlier % len(results)]))
        return results[-1]

    return fn


@check("gradients")
def gradients_of_any_expression(probe: Probe) -> None:
    """Value and gradient of three to six operations after each other, results used twice too."""

    def body(first: str, steps: Any, seed: int) -> None:
        x, y = distinct((N, D), (N, D), seed=seed)
        what = " → ".join([first, *(f"{name} ({earlier})" for name, earlier in steps)])
        probe.derivative(what, _expression(first, steps), {"x": x, "y": y})

    edges: list[Any] = [(first, [("×", 0), ("tanh", 0)], 0) for first in FIRST]
    edges += [("x", [(name, 1), ("×", 1), (name, 0)], 1) for name in STEPS]
    step = st.tuples(st.sampled_from(sorted(STEPS)), st.integers(0, 7))
    drawn = {
        "first": st.sampled_from(sorted(FIRST)),
        "steps": st.lists(step, min_size=3, max_size=6),
    }
    hold_for_all(probe, body, edges, **drawn, seed=SEEDS)
