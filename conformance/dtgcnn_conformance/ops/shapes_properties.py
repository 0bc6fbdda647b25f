"""Reductions, shapes, indices and products, of arrays of any shape and dtype."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import strategies as st

from dtgcnn.array.ops import HostArray

from ..comparison import describe
from ..probe import Probe, integers
from ..properties_strategies import (
    FEW,
    FLAGS,
    INTEGERS,
    MODERATE,
    SHAPES,
    SPECIAL,
    WORDS,
    arrays,
    axes,
    hold_for_all,
    options,
    rounding,
)
from ..registry import check

KINDS = [(MODERATE, "float32"), (INTEGERS, "int32"), (FLAGS, "bool")]
TIED = [(FEW, "float32"), (st.integers(-2, 2), "int32"), (FLAGS, "bool")]
ROWS = SHAPES[1:]
"""Shapes with an axis."""

TIES = np.array([[1.0, 3.0, 3.0], [-0.0, 0.0, -0.0], [-math.inf, -math.inf, -5.0]])
CASES = [(np.zeros(shape, dtype),) for shape in SHAPES for dtype in (float, np.int32, bool)]
CASES += [(TIES,), (TIES > 0,), (integers([[5, -7, 5], [0, 0, 0]]),)]


def reductions(x: HostArray) -> list[dict[str, Any]]:
    """No axis, and every axis counted from the start, and from the end with ``keepdims``."""
    whole = [{"axis": None, "keepdims": keep} for keep in (False, True)]
    return [*whole, *({"axis": axis, "keepdims": axis < 0} for axis in axes(x))]


@check("ops")
def sum_of_any_array(probe: Probe) -> None:
    """``sum`` of any shape, axis and dtype, of nothing and of infinities and NaN too."""

    def body(x: HostArray) -> None:
        dtype = np.int32 if x.dtype == np.bool_ else x.dtype
        for given in reductions(x):
            expected = np.asarray(np.sum(x, dtype=dtype, **given))
            sizes = np.sum(np.where(np.isfinite(x), np.abs(x), 0), **given)  # the terms may cancel
            what = f"sum({describe(x, probe.ops.dtype)}, {given})"
            actual = probe.ops.sum(probe.array(x), **given)
            probe.values(what, actual, expected, rounding(probe, sizes, x.size))

    kinds = [*KINDS, (MODERATE | SPECIAL, "float32")]
    hold_for_all(probe, body, CASES, x=options(kinds))


@check("ops")
def max_and_argmax_of_any_array(probe: Probe) -> None:
    """``max`` keeps NaN; ``argmax`` takes the lowest index among equals, −0 and 0 included."""

    def body(x: HostArray) -> None:
        for given in reductions(x):
            axis = given["axis"]
            if (x.size if axis is None else x.shape[axis]) == 0:
                continue  # the maximum of nothing is not defined
            probe.operation("max", np.asarray(np.max(x, **given)), x, **given)
            if axis is not None and x.dtype != np.bool_ and not np.isnan(x).any():
                expected = np.asarray(np.argmax(x, axis=axis)).astype(np.int32)
                probe.operation("argmax", expected, x, axis=axis)

    drawn = options([*TIED, (MODERATE | SPECIAL, "float32"), (INTEGERS, "int32")])
    long = arrays((2, 40), FEW) | arrays((2, 40), st.integers(-2, 2), "int32")
    hold_for_all(probe, body, [*CASES, (np.where(TIES == 3.0, math.nan, TIES),)], x=drawn | long)


@check("ops")
def cumulative_sum_of_any_array(probe: Probe) -> None:
    """``cumulative_sum`` of any shape and axis, of floats and integers."""

    def body(x: HostArray) -> None:
        for axis in axes(x):
            expected = np.cumsum(x, axis=axis, dtype=x.dtype)
            sizes = np.cumsum(np.abs(x), axis=axis)  # the terms may cancel
            what = f"cumulative_sum({describe(x, probe.ops.dtype)}, axis={axis})"
            actual = probe.ops.cumulative_sum(probe.array(x), axis=axis)
            probe.values(what, actual, expected, rounding(probe, sizes, x.shape[axis]))

    edges = [(x,) for (x,) in CASES if x.dtype != np.bool_ and np.isfinite(x).all()]
    hold_for_all(probe, body, edges, x=options(KINDS[:2], ROWS))


@st.composite
def _reshaped(draw: st.DrawFn) -> tuple[HostArray, tuple[int, ...]]:
    """An array and a shape for as many numbers, one side of which may be left open."""
    x = draw(options([*KINDS, (WORDS, "uint32")]))
    known = {(), (1, 1), (4,), (2, 2), (3,), (1, 3), (6,), (3, 2), (12,), (2, 6), (3, 1, 4)}
    known |= {(0,), (0, 2), (3, 0), (1, 0, 2)}
    fitting = sorted(shape for shape in known if math.prod(shape) == x.size)
    shape = draw(st.sampled_from(fitting))
    if x.size and shape and draw(st.booleans()):
        open_side = draw(st.integers(0, len(shape) - 1))
        shape = (*shape[:open_side], -1, *shape[open_side + 1 :])
    return x, shape


@check("ops")
def shapes_of_any_array(probe: Probe) -> None:
    """``reshape`` to any shape of as many numbers, and ``permute_dims`` in any order."""

    def reshape(x: HostArray, shape: tuple[int, ...]) -> None:
        probe.operation("reshape", x.reshape(shape), x, shape)

    def permute(x: HostArray, order: list[int]) -> None:
        turned = tuple(axis for axis in order if axis < x.ndim)
        probe.operation("permute_dims", np.asarray(x.transpose(turned)), x, turned)
        array = probe.ops.permute_dims(probe.array(x), turned)
        flat = probe.ops.reshape(array, (x.size,))
        probe.values(f"reshape of {x.shape} turned to {turned}", flat, x.transpose(turned).ravel())

    edges: list[Any] = [(x, (x.size,)) for (x,) in CASES] + [(TIES[0, :1], ()), (TIES, (-1, 1))]
    hold_for_all(probe, lambda case: reshape(*case), [(e,) for e in edges], case=_reshaped())
    kinds = options([*KINDS, (WORDS, "uint32")])
    orders = st.permutations([0, 1, 2])
    hold_for_all(probe, permute, [(x, [2, 1, 0]) for (x,) in CASES], x=kinds, order=orders)


@st.composite
def _joined(draw: st.DrawFn) -> tuple[list[HostArray], int]:
    """Up to three arrays that differ along one axis at most, and the axis."""
    elements, dtype = draw(st.sampled_from([*KINDS, (WORDS, "uint32")]))
    shape = draw(st.sampled_from(ROWS))
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    parts = []
    for size in draw(st.lists(st.sampled_from([0, 1, 3]), min_size=1, max_size=3)):
        sides = list(shape)
        sides[axis] = size
        parts.append(draw(arrays(tuple(sides), elements, dtype)))
    return parts, axis


@check("ops")
def concat_of_any_arrays(probe: Probe) -> None:
    """``concat`` of one array or more along any axis, empty ones among them."""

    def body(case: Any) -> None:
        parts, axis = case
        actual = probe.ops.concat([probe.array(part) for part in parts], axis=axis)
        shown = [part.shape for part in parts]
        probe.values(f"concat of {shown}, axis={axis}", actual, np.concatenate(parts, axis))

    edges: list[Any] = [([x, x[:0], x], 0) for (x,) in CASES if x.ndim]
    edges += [([x], -1) for (x,) in CASES if x.ndim]
    hold_for_all(probe, body, [(edge,) for edge in edges], case=_joined())


@st.composite
def _indexed(draw: st.DrawFn) -> tuple[HostArray, Any]:
    """An array, and whole numbers, slices, ``None`` and ``...`` that index it."""
    x = draw(options([(MODERATE, "float32"), (INTEGERS, "int32"), (FLAGS, "bool")]))
    key: list[Any] = []
    for side in x.shape[: draw(st.integers(0, x.ndim))]:
        ends = st.none() | st.integers(-side, side), st.none() | st.integers(-side, side + 2)
        one = st.builds(slice, *ends)
        key.append(draw(one | st.integers(-side, side - 1) if side else one))
    for new in draw(st.lists(st.sampled_from([None, ...]), max_size=2, unique=True)):
        # What comes after an ellipsis would index the last axes.
        key.insert(len(key) if new is ... else draw(st.integers(0, len(key))), new)
    return x, key[0] if len(key) == 1 else tuple(key)


@check("ops")
def any_index(probe: Probe) -> None:
    """Any whole numbers, slices of step 1, ``None`` and ``...`` as an index, of any shape."""

    def body(case: Any) -> None:
        x, key = case
        expected = np.asarray(x[key])
        probe.expression(f"a[{key}]", lambda a: a[key], expected, x)

    keys: list[Any] = [None, ..., (..., None), (None, None), slice(0, 0), slice(2, 1), slice(1, 9)]
    keys += [slice(-1, None), slice(None, -1), (slice(None), None), (None, slice(None))]
    edges: list[Any] = [(x, key) for x in (TIES, np.zeros((0, 3))) for key in keys]
    edges += [(np.array(2.5), key) for key in keys[:4]] + [(TIES > 0, 0), (TIES, (1, 2))]
    hold_for_all(probe, body, [(edge,) for edge in edges], case=_indexed())


_SIDES = st.sampled_from([0, 1, 3])


@st.composite
def _factors(draw: st.DrawFn) -> tuple[HostArray, HostArray]:
    """Matrices, vectors and stacks that can be multiplied."""
    n, k, m = draw(_SIDES), draw(_SIDES), draw(_SIDES)
    left = draw(st.sampled_from([(k,), (n, k), (2, n, k)]))
    right = draw(st.sampled_from([(k,), (k, m)]))
    return draw(arrays(left, MODERATE)), draw(arrays(right, MODERATE))


@check("ops")
def matmul_of_any_sizes(probe: Probe) -> None:
    """``@`` of matrices, vectors and stacks of any size, 0 included."""

    def body(case: Any) -> None:
        left, right = case
        expected = np.asarray(left @ right)
        sizes = np.asarray(np.abs(left) @ np.abs(right))  # the terms may cancel
        what = f"a @ b of {left.shape} and {right.shape}"
        actual = probe.array(left) @ probe.array(right)
        probe.values(what, actual, expected, rounding(probe, sizes, left.shape[-1]))

    edges: list[Any] = []
    for n, k, m in ((0, 3, 3), (3, 0, 3), (3, 3, 0), (0, 0, 0), (1, 1, 1), (1, 3, 1)):
        edges += [(np.ones((n, k)), np.ones((k, m))), (np.ones(k), np.ones((k, m)))]
        edges += [(np.ones((n, k)), np.ones(k)), (np.ones(k), np.ones(k))]
    hold_for_all(probe, body, [(edge,) for edge in edges], case=_factors())
