"""Selection, sorting with ties, and sums over neighbour lists, for any indices and any k."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import strategies as st

from dtgcnn.array import numerics
from dtgcnn.array.ops import HostArray

from ..comparison import describe
from ..probe import Probe, integers
from ..properties_strategies import (
    FEW,
    FLAGS,
    INTEGERS,
    MODERATE,
    SEEDS,
    WORDS,
    arrays,
    axes,
    hold_for_all,
    options,
    rounding,
    scattered,
)
from ..registry import check
from .selection import gather_definition, scatter_definition, top_k_definition

KINDS = [(MODERATE, "float32"), (INTEGERS, "int32"), (WORDS, "uint32"), (FLAGS, "bool")]
FULL = ((4,), (1, 4), (3, 1), (3, 4), (2, 1, 3))
"""Shapes with an axis, none of whose sides is 0."""

EXTREMES = integers([[0, -(2**31) + 1, 2**31 - 1, -(2**31), -1, -(2**31), 2**31 - 2]])
TIES = np.array([[0.0, -0.0, 1.0, -0.0], [-math.inf, math.inf, math.inf, -math.inf]])


@st.composite
def _taken(draw: st.DrawFn) -> tuple[HostArray, int, HostArray, HostArray]:
    """An array, an axis, indices of any shape, and indices for ``take_along_axis``."""
    x = draw(options(KINDS, FULL))
    axis = draw(st.integers(-x.ndim, x.ndim - 1))
    below = st.integers(0, x.shape[axis] - 1)
    picked = draw(arrays(draw(st.sampled_from([(), (0,), (2, 3)])), below, "int32"))
    sides = list(x.shape)
    sides[axis] = draw(st.sampled_from([0, 3]))
    return x, axis, picked, draw(arrays(tuple(sides), below, "int32"))


@check("ops")
def take_at_any_indices(probe: Probe) -> None:
    """``take`` and ``take_along_axis`` at any indices, repeated and none, along any axis."""

    def body(case: Any) -> None:
        x, axis, picked, places = case
        probe.operation("take", np.asarray(np.take(x, picked, axis)), x, picked, axis=axis)
        expected = np.take_along_axis(x, places, axis)
        probe.operation("take_along_axis", expected, x, places, axis=axis)

    numbers = (TIES, EXTREMES, TIES > 0, np.array([[math.nan, math.inf]]))
    edges = [
        (x, axis, np.zeros(shape, np.int32), np.zeros_like(x, np.int32))
        for x in numbers
        for axis, shape in ((0, (2, 1)), (-1, (0,)))
    ]
    edges.append((TIES, 1, np.array(3, np.int32), integers([[3, 3], [0, 1]])))
    nothing = np.zeros((0, 3)), 0, integers([]), np.zeros((0, 3), np.int32)
    hold_for_all(probe, body, [(edge,) for edge in (*edges, nothing)], case=_taken())


LARGE = st.sampled_from([-(2**31), -(2**31) + 1, 0, 2**31 - 1])
KEYS = [(FEW, "float32"), (st.integers(-2, 2), "int32"), (LARGE, "int32"), (MODERATE, "float32")]
"""Few distinct values, and numbers of any size."""


@st.composite
def _sortable(draw: st.DrawFn, kinds: list[Any] = KEYS) -> HostArray:
    """Short rows and long ones."""
    kind = draw(st.sampled_from(kinds))
    shape = draw(st.sampled_from([*FULL, (0, 3), (2, 40)]))
    return np.asarray(draw(arrays(shape, *kind)))


SORTED = [(TIES,), (EXTREMES,), (np.zeros((2, 40)),), (np.zeros((0, 3)),), (np.ones((3, 1)),)]
SORTED += [(np.zeros((2, 3), np.int32),), (np.zeros((0, 3), np.int32),), (np.ones(1),)]


@check("ops")
def argsort_of_any_ties(probe: Probe) -> None:
    """``argsort`` along any axis is stable, for floats and integers, the least of them included."""

    def body(x: HostArray) -> None:
        for axis in axes(x):
            expected = np.argsort(x, axis=axis, kind="stable").astype(np.int32)
            probe.operation("argsort", expected, x, axis=axis)

    whole = [(st.integers(-2, 2), "int32"), (LARGE, "int32")]
    kinds = [(FEW, "float32"), (MODERATE, "float32"), *whole]
    hold_for_all(probe, body, SORTED, x=_sortable(kinds))


@check("ops")
def top_k_of_any_ties(probe: Probe) -> None:
    """``top_k`` of floats for any k, the lowest index first among equals."""

    def body(x: HostArray, part: float) -> None:
        n = x.shape[-1]
        for k in {0, round(part * n), n}:
            values, indices = top_k_definition(x, k)
            own_values, own_indices = numerics.top_k(probe.ops, probe.array(x), k)
            what = f"top_k({describe(x, probe.ops.dtype)}, k={k})"
            probe.values(f"indices of {what}", own_indices, indices)
            probe.values(f"values of {what}", own_values, values)

    edges = [(x, part) for (x,) in SORTED if x.dtype.kind == "f" for part in (0.05, 0.5)]
    floats = _sortable([(FEW, "float32"), (MODERATE, "float32")])
    hold_for_all(probe, body, edges, x=floats, part=st.floats(0.0, 1.0))


LISTS = ((0, 3), (3, 0), (1, 1), (4, 3))
"""Sizes of lists: of N nodes, K neighbours each."""


@check("ops")
def neighbour_sums_of_any_lists(probe: Probe) -> None:
    """``gather_sum`` and ``scatter_sum`` of any lists: none, empty, repeated, of weight 0."""

    def body(size: tuple[int, int], source: tuple[int, int], seed: int, weights: Any) -> None:
        (n, k), (m, width) = size, source
        indices, weights = scattered(size, m, seed), weights[:n, :k]
        x, y = (_spread(rows, width, seed) for rows in (m, n))
        lists = probe.array(indices), probe.array(weights)
        gathered = numerics.gather_sum(probe.ops, probe.array(x), *lists)
        added = probe.ops.scatter_sum(probe.array(y), *lists, m)

        def hold(what: str, actual: Any, expected: HostArray, sizes: HostArray) -> None:
            slack = rounding(probe, sizes, n * k)  # the terms may cancel
            probe.values(f"{what} over {size} lists of {m} nodes", actual, expected, slack)

        of_sizes = indices, np.abs(weights)
        gathers = gather_definition(x, indices, weights), gather_definition(np.abs(x), *of_sizes)
        hold("gather_sum", gathered, *gathers)
        sums = (
            scatter_definition(y, indices, weights, m),
            scatter_definition(np.abs(y), *of_sizes, m),
        )
        hold("scatter_sum", added, *sums)

    sources = ((1, 3), (4, 1))
    edges = [(z, s, 0, w) for z in LISTS for s in sources for w in (np.zeros((4, 4)), np.eye(4))]
    drawn = {"size": st.sampled_from(LISTS), "source": st.sampled_from(sources)}
    hold_for_all(probe, body, edges, **drawn, seed=SEEDS, weights=arrays((4, 4), MODERATE))


def _spread(rows: int, width: int, seed: int) -> HostArray:
    """Numbers of many magnitudes and either sign."""
    drawn = np.random.default_rng(seed)
    sizes = 10.0 ** drawn.uniform(-3.0, 3.0, (rows, width))
    signed = sizes * drawn.choice([-1.0, 0.0, 1.0], (rows, width))
    return signed.astype(np.float32).astype(np.float64)
