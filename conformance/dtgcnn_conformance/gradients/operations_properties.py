"""Gradients of every differentiable operation at drawn shapes and values.

The values are distinct and none of them is 0, so that central differences meet no tie and no kink.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from hypothesis import strategies as st

from dtgcnn.array import numerics
from dtgcnn.array.ops import Array, ArrayOps, HostArray, Tree

from ..probe import Probe
from ..properties_strategies import SEEDS, TOGETHER, axes, distinct, hold_for_all
from ..registry import check

SHAPES = ((), (4,), (0, 3), (2, 1, 3))
ROWS = ((1,), (4,), (3, 1), (3, 4), (2, 1, 3))
"""Shapes with an axis, none of whose sides is 0."""

Function: TypeAlias = Callable[[ArrayOps, Tree], Array]


def hold(probe: Probe, what: str, fn: Callable[..., Array], **params: HostArray) -> None:
    """Hold value and gradient to the reference, and those of small arrays to differences."""
    probe.derivative(what, fn, params, sum(x.size for x in params.values()) <= 16)


def every(shapes: Any) -> list[tuple[Any, int]]:
    """Each shape, with a seed."""
    return [(shape, seed) for seed, shape in enumerate(shapes)]


_ELEMENTWISE: dict[str, Function] = {
    "exp": lambda o, p: o.exp(p["x"]),
    "tanh": lambda o, p: o.tanh(p["x"]),
    "erf": lambda o, p: o.erf(p["x"]),
    "abs": lambda o, p: o.abs(p["x"]),
    "gelu": lambda o, p: numerics.gelu(o, p["x"]),
    "relu": lambda o, p: numerics.relu(o, p["x"]),
    "-x": lambda o, p: -p["x"],
    "astype": lambda o, p: o.astype(p["x"], o.dtype),
    "2 x / 3 + 1": lambda o, p: 2 * p["x"] / 3.0 + 1,
    "maximum with a scalar": lambda o, p: o.maximum(p["x"], 0.125),
    "where with a scalar": lambda o, p: o.where(p["x"] > 0.25, 0.5, p["x"]),
}
_OF_POSITIVE: dict[str, Function] = {
    "log": lambda o, p: o.log(p["x"]),
    "sqrt": lambda o, p: o.sqrt(p["x"]),
    "1 - 0.5 / x": lambda o, p: 1 - 0.5 / p["x"],
}


@check("gradients")
def gradients_of_any_number(probe: Probe) -> None:
    """Gradients of the elementwise functions, of any shape and of nothing."""

    def body(shape: tuple[int, ...], seed: int) -> None:
        (x,) = distinct(shape, seed=seed)
        for name, fn in _ELEMENTWISE.items():
            hold(probe, name, fn, x=x)
        for name, fn in _OF_POSITIVE.items():
            hold(probe, name, fn, x=np.abs(x) + 0.25)

    hold_for_all(probe, body, every(SHAPES), shape=st.sampled_from(SHAPES), seed=SEEDS)


def _chosen(o: ArrayOps, p: Tree) -> Array:
    return o.where(p["x"] > p["y"], p["x"] * 2.0, p["y"])


PAIRS = tuple(shapes[:2] for shapes in TOGETHER)

_OPERATORS: dict[str, Function] = {
    "x + y": lambda o, p: p["x"] + p["y"],
    "x - y": lambda o, p: p["x"] - p["y"],
    "x * y": lambda o, p: p["x"] * p["y"],
    "x / (y² + 1)": lambda o, p: p["x"] / (p["y"] * p["y"] + 1.0),
    "maximum": lambda o, p: o.maximum(p["x"], p["y"]),
    "where": _chosen,
}


@check("gradients")
def gradients_of_any_operands(probe: Probe) -> None:
    """Gradients of ``+ − × /``, ``maximum`` and ``where``, of any shapes that broadcast."""

    def body(shapes: Any, seed: int) -> None:
        x, y = distinct(*shapes, seed=seed)
        for name, fn in _OPERATORS.items():
            hold(probe, name, fn, x=x, y=y)

    hold_for_all(probe, body, every(PAIRS), shapes=st.sampled_from(PAIRS), seed=SEEDS)


@check("gradients")
def gradients_of_any_reduction(probe: Probe) -> None:
    """Gradients of ``sum``, ``max``, ``cumulative_sum``, mean and variance over any axis."""

    def body(shape: tuple[int, ...], seed: int) -> None:
        (x,) = distinct(shape, seed=seed)
        for axis in (None, *axes(x)):
            given = {"axis": axis, "keepdims": axis is not None and axis < 0}
            hold(probe, f"sum, {given}", lambda o, p, g=given: o.sum(p["x"], **g), x=x)
            if not x.size:
                continue
            hold(probe, f"max, {given}", lambda o, p, g=given: o.max(p["x"], **g), x=x)
            if axis is None:
                continue
            hold(
                probe, "cumulative_sum", lambda o, p, a=axis: o.cumulative_sum(p["x"], axis=a), x=x
            )
            hold(probe, "var", lambda o, p, a=axis: numerics.var(o, p["x"], a), x=x)

    hold_for_all(probe, body, every(SHAPES), shape=st.sampled_from(SHAPES), seed=SEEDS)


@st.composite
def _reshaping(draw: st.DrawFn) -> tuple[Any, ...]:
    """Shapes, an order of axes, an axis to join along, an index and a seed."""
    shape = draw(st.sampled_from(ROWS))
    order = tuple(draw(st.permutations(range(len(shape)))))
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    ends = [st.slices(n).map(lambda s: slice(s.start, s.stop)) for n in shape]
    key: list[Any] = [draw(end | st.integers(-n, n - 1)) for end, n in zip(ends, shape)]
    key.insert(draw(st.integers(0, len(key))), None)
    return shape, order, axis, tuple(key), draw(SEEDS)


@check("gradients")
def gradients_of_any_shape(probe: Probe) -> None:
    """Gradients of ``reshape``, ``permute_dims``, ``concat`` and any index."""

    def body(case: Any) -> None:
        shape, order, axis, key, seed = case
        (x,) = distinct(shape, seed=seed)
        first = tuple(slice(0, 1) if i == axis % x.ndim else slice(None) for i in range(x.ndim))

        def parts(o: ArrayOps, p: Tree) -> Array:
            return o.concat([p["x"], p["x"][first], 0.5 * p["x"]], axis=axis)

        def turned(o: ArrayOps, p: Tree) -> Array:
            return o.reshape(o.permute_dims(p["x"], order), (-1,))

        hold(probe, f"reshape and permute_dims {order}", turned, x=x)
        hold(probe, f"concat, axis={axis}", parts, x=x)
        hold(probe, f"x[{key}]", lambda o, p: p["x"][key], x=x)

    edges: list[Any] = [((3, 4), (1, 0), a, (None, slice(None), 0), 0) for a in (0, 1, -1)]
    edges += [((1,), (0,), 0, (None, 0), 1), ((2, 1, 3), (2, 0, 1), -2, (..., None), 2)]
    edges += [((3, 4), (0, 1), 0, (slice(2, 2),), 3), ((4,), (0,), 0, (slice(1, 9),), 4)]
    hold_for_all(probe, body, [(edge,) for edge in edges], case=_reshaping())
