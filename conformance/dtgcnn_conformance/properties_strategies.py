"""What the properties draw: any values, in few shapes.

The shapes are few because some backends compile every operation anew for each shape they meet.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dtgcnn.array.ops import HostArray

from .probe import Probe

__all__ = ["FEW", "FINITE", "FLAGS", "INTEGERS", "MODERATE", "NUMBERS", "SEEDS", "SHAPES"]
__all__ += ["SPECIAL", "TOGETHER", "WORDS", "Shape", "Strategy", "arrays", "axes", "distinct"]
__all__ += ["hold_for_all", "operands", "options", "rounding", "scattered"]

Strategy: TypeAlias = st.SearchStrategy[Any]
Shape: TypeAlias = tuple[int, ...]

SHAPES: tuple[Shape, ...] = ((), (4,), (0, 3), (1, 4), (3, 1), (3, 4), (2, 1, 3))
"""A scalar, a vector, no row, one row, one column, a matrix, and a stack of rows."""

TOGETHER: tuple[tuple[Shape, ...], ...] = (
    ((3, 4), (3, 4), (3, 4)),
    ((3, 1), (1, 4), (4,)),
    ((4,), (), (3, 4)),
)
TOGETHER += (((), (3, 1), (2, 1, 3)), ((0, 3), (1, 3), (0, 3)), ((2, 1, 3), (3, 1), ()))
"""Shapes that broadcast."""

SEEDS = st.integers(0, 2**32 - 1)


def _signed(least: float, most: float) -> Strategy:
    """Numbers of float32 of these magnitudes, of either sign, and zeros."""
    positive = st.floats(least, most, width=32, allow_subnormal=False)
    return st.sampled_from([0.0, -0.0]) | positive | positive.map(lambda x: -x)


# Products and quotients of any two of them are normal numbers of float32.
NUMBERS = _signed(2.0**-60, 2.0**60)
"""Finite numbers."""
MODERATE = _signed(2.0**-10, 2.0**10)
"""Finite numbers that may be added up."""
FINITE = _signed(2.0**-126, float(np.finfo(np.float32).max))
"""Every finite number of float32 but the subnormal ones."""
FEW = st.sampled_from([-math.inf, -1.0, -0.0, 0.0, 1.0, 2.0, math.inf])
"""So few that most are tied; −0 and 0 are equal."""
SPECIAL = st.sampled_from([math.inf, -math.inf, math.nan])
INTEGERS = st.integers(-1000, 1000)
FLAGS = st.booleans()
WORDS = st.sampled_from([0, 1, 2**31 - 1, 2**31, 2**32 - 1]) | st.integers(0, 2**32 - 1)


def arrays(shape: Shape, elements: Strategy, dtype: str = "float32") -> Strategy:
    """Host arrays; floats are numbers of float32 unless asked otherwise, in float64."""
    drawn = hnp.arrays(np.dtype(dtype), shape, elements=elements, fill=st.nothing())
    return drawn.map(lambda x: np.asarray(x, np.float64) if x.dtype.kind == "f" else x)


def operands(elements: Strategy, dtype: str = "float32") -> Strategy:
    """Two arrays whose shapes broadcast."""
    pairs = st.sampled_from(TOGETHER)
    return pairs.flatmap(lambda s: st.tuples(*(arrays(x, elements, dtype) for x in s[:2])))


def options(kinds: Iterable[tuple[Strategy, str]], shapes: Iterable[Shape] = SHAPES) -> Strategy:
    """An array of one of these kinds of elements and one of these shapes."""
    pairs = st.tuples(st.sampled_from(list(kinds)), st.sampled_from(list(shapes)))
    return pairs.flatmap(lambda pair: arrays(pair[1], *pair[0]))


def axes(x: HostArray) -> range:
    """Every axis of an array, counted from either end."""
    return range(-x.ndim, x.ndim)


def distinct(*shapes: Shape, seed: int) -> list[HostArray]:
    """Arrays of odd multiples of 1/32 from −1.5 to 1.5, no two of them equal and none 0.

    Small steps lead to no tie and no kink.
    """
    sizes = [math.prod(shape) for shape in shapes]
    places = np.random.default_rng(seed).permutation(48)[: sum(sizes)] - 24
    parts = np.split((2.0 * places + 1.0) / 32.0, np.cumsum(sizes)[:-1])
    return [part.reshape(shape) for part, shape in zip(parts, shapes)]


def scattered(shape: tuple[int, int], most: int, seed: int) -> HostArray:
    """int32 indices below ``most``, repeated ones among them."""
    return np.random.default_rng(seed).integers(0, most, shape).astype(np.int32)


def rounding(probe: Probe, terms: HostArray, count: int) -> HostArray:
    """What a sum of ``count`` terms may lose where they cancel: a unit of the backend's dtype of
    the sum of their sizes at each addition."""
    sizes = np.where(np.isfinite(terms), np.abs(terms), 0.0)
    return np.asarray(max(count, 1) * float(np.finfo(probe.ops.dtype).eps) * sizes)


def hold_for_all(
    probe: Probe, body: Callable[..., None], edges: Iterable[Any], **drawn: Strategy
) -> None:
    """Hold a property for the edges, each a tuple of its arguments, and for drawn ones."""
    for edge in edges:
        body(*edge)
    probe.for_all(body, **drawn)
