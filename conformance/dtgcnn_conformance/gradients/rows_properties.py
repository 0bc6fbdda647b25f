"""Gradients of selection, of sums over neighbour lists, of products and of functions of rows.

The values are as in ``operations_properties``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from dtgcnn.array import numerics
from dtgcnn.array.ops import Array, ArrayOps, Tree

from ..probe import Probe, to_device
from ..properties_strategies import SEEDS, Shape, axes, distinct, hold_for_all, scattered
from ..registry import check
from .operations_properties import ROWS, Function, every, hold


@check("gradients")
def gradients_of_any_selection(probe: Probe) -> None:
    """Gradients of ``take``, ``take_along_axis``, ``top_k`` and sorted rows, along any axis."""

    def body(shape: tuple[int, ...], count: int, part: float, seed: int) -> None:
        (x,) = distinct(shape, seed=seed)
        drawn = np.random.default_rng(seed)
        for axis in axes(x):
            n = x.shape[axis]
            sides = list(shape)
            sides[axis] = count
            picked = drawn.integers(0, n, (count, 2)).astype(np.int32)
            places = drawn.integers(0, n, sides).astype(np.int32)

            def taken(o: ArrayOps, p: Tree, i: Any = picked, a: int = axis) -> Array:
                return o.take(p["x"], to_device(o, i), axis=a)

            def along(o: ArrayOps, p: Tree, i: Any = places, a: int = axis) -> Array:
                return o.take_along_axis(p["x"], to_device(o, i), axis=a)

            def ordered(o: ArrayOps, p: Tree, a: int = axis) -> Array:
                return o.take_along_axis(p["x"], o.argsort(p["x"], axis=a), axis=a)

            for name, fn in (("take", taken), ("take_along_axis", along), ("argsort", ordered)):
                hold(probe, f"{name}, axis={axis}", fn, x=x)
        for k in {0, round(part * shape[-1]), shape[-1]}:
            hold(probe, f"top_k, k={k}", lambda o, p, k=k: numerics.top_k(o, p["x"], k)[0], x=x)

    edges = [(shape, count, 0.5, 7) for shape in ROWS for count in (0, 3)]
    drawn = {"shape": st.sampled_from(ROWS), "count": st.sampled_from([0, 3])}
    hold_for_all(probe, body, edges, **drawn, part=st.floats(0.0, 1.0), seed=SEEDS)


SIZES = ((0, 3), (3, 0), (1, 1), (3, 2))
"""Sizes of lists: of N nodes, K neighbours each."""


@check("gradients")
def gradients_of_any_lists(probe: Probe) -> None:
    """Gradients of ``gather_sum`` and ``scatter_sum`` in x and in weights, of any lists."""

    def body(size: tuple[int, int], source: tuple[int, int], zeros: bool, seed: int) -> None:
        m, width = source
        x, y, weights = distinct((m, width), (size[0], width), size, seed=seed)
        indices = scattered(size, m, seed)
        if zeros:
            weights = weights * (weights > 0)

        def gather(o: ArrayOps, p: Tree) -> Array:
            return numerics.gather_sum(o, p["x"], to_device(o, indices), p["weights"])

        def scatter(o: ArrayOps, p: Tree) -> Array:
            return o.scatter_sum(p["x"], to_device(o, indices), p["weights"], m)

        hold(probe, f"gather_sum over {size} lists of {m}", gather, x=x, weights=weights)
        hold(probe, f"scatter_sum over {size} lists of {m}", scatter, x=y, weights=weights)

    edges = [(z, s, f, 5) for z in SIZES for s in ((1, 3), (4, 1)) for f in (False, True)]
    drawn: dict[str, Any] = {"size": st.sampled_from(SIZES), "zeros": st.booleans()}
    drawn |= {"source": st.sampled_from([(1, 3), (4, 1)]), "seed": SEEDS}
    hold_for_all(probe, body, edges, **drawn)


_PRODUCTS: tuple[tuple[Shape, Shape], ...] = (
    ((3, 4), (4, 2)),
    ((1, 4), (4, 1)),
    ((3, 1), (1, 2)),
    ((3, 4), (4,)),
    ((4,), (4, 2)),
)
_PRODUCTS += (((4,), (4,)), ((2, 3, 4), (4, 2)), ((0, 4), (4, 2)), ((3, 4), (4, 0)))


@check("gradients")
def gradients_of_any_product(probe: Probe) -> None:
    """Gradients of ``@`` of matrices, vectors and stacks of any size, but of no sums over none."""

    def body(shapes: Any, seed: int) -> None:
        x, y = distinct(*shapes, seed=seed)
        hold(probe, "x @ y", lambda o, p: p["x"] @ p["y"], x=x, y=y)

    hold_for_all(probe, body, every(_PRODUCTS), shapes=st.sampled_from(_PRODUCTS), seed=SEEDS)


_OF_ROWS: dict[str, Function] = {
    "l2_normalize": lambda o, p: numerics.l2_normalize(o, p["x"]),
    "row_distance": lambda o, p: numerics.row_distance(o, p["x"], p["y"]),
    "global_norm": lambda o, p: numerics.global_norm(o, [p["x"], p["y"][0]]),
    "layer_norm": lambda o, p: numerics.layer_norm(o, p["x"], p["y"][0], p["x"][0] + 1.0, 1e-2),
}


@check("gradients")
def gradients_of_any_rows(probe: Probe) -> None:
    """Gradients of unit rows, distances, norms and layer norm, of any rows, zero ones too."""

    def body(shape: tuple[int, int], zero: bool, equal: bool, seed: int) -> None:
        x, y = distinct(shape, shape, seed=seed)
        x[0] *= not zero
        y = x if equal else y
        smooth = not (zero or equal)
        for name, fn in _OF_ROWS.items():
            probe.derivative(name, fn, {"x": x, "y": y}, smooth)

    shapes = ((1, 4), (3, 1), (3, 4))
    edges = [(s, zero, equal, 3) for s in shapes for zero, equal in ((0, 0), (0, 1), (1, 0))]
    flags = {"zero": st.booleans(), "equal": st.booleans()}
    hold_for_all(probe, body, edges, shape=st.sampled_from(shapes), **flags, seed=SEEDS)
