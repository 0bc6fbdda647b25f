"""Gradients of every differentiable operation, against the reference and central differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dtgcnn.array import numerics
from dtgcnn.array.ops import Array, ArrayOps, Tree

from ..probe import Probe, integers, normal, to_device
from ..registry import check

A, B = normal(3, 4, seed=1), normal(3, 4, seed=2)
POSITIVE = np.abs(normal(3, 4, seed=3)) + 0.25
MASK = np.array([[True, False, True, True], [False, True, True, False], [True, True, False, False]])

LISTS = integers([[0, 3, 3], [1, 1, 1], [4, 0, 2], [2, 2, 0]])
WEIGHTS = normal(4, 3, seed=6) * np.array([[1.0, 0.0, 1.0]])
"""Lists with repeated neighbours, whose second weight is zero."""


@check("gradients")
def elementwise(probe: Probe) -> None:
    """Gradients of ``exp``, ``log``, ``sqrt``, ``tanh``, ``erf`` and ``abs``."""
    for name in ("exp", "tanh", "erf", "abs"):
        probe.derivative(name, lambda o, p, f=name: getattr(o, f)(p["x"]), {"x": A})
    for name in ("log", "sqrt"):
        probe.derivative(name, lambda o, p, f=name: getattr(o, f)(p["x"]), {"x": POSITIVE})


@check("gradients")
def maximum_and_where(probe: Probe) -> None:
    """Gradients of ``maximum`` and ``where``, through broadcasting and beside scalars."""
    row, column = A[:1], normal(3, 1, seed=5)
    sides = {"x": A, "y": B}
    probe.derivative("maximum", lambda o, p: o.maximum(p["x"], p["y"]), sides)
    probe.derivative("maximum", lambda o, p: o.maximum(p["x"], p["y"]), {"x": row, "y": column})
    probe.derivative("maximum with a scalar", lambda o, p: o.maximum(p["x"], 0.1), {"x": A})

    def mask(o: ArrayOps, part: Any = MASK) -> Any:
        return to_device(o, part)

    probe.derivative("where", lambda o, p: o.where(mask(o), p["x"], p["y"]), sides)
    narrow = {"x": row, "y": column}
    probe.derivative("where", lambda o, p: o.where(mask(o, MASK[:, :1]), p["x"], p["y"]), narrow)
    probe.derivative("where with a scalar", lambda o, p: o.where(mask(o), p["x"], 0.5), {"x": A})
    probe.derivative("where with a scalar", lambda o, p: o.where(mask(o), 0.5, p["x"]), {"x": A})


_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "x + y": lambda x, y: x + y,
    "x - y": lambda x, y: x - y,
    "x * y": lambda x, y: x * y,
    "x / y": lambda x, y: x / y,
    "1 / y - x": lambda x, y: 1.0 / y - x,
    "-x * 2 + 0.5 * y": lambda x, y: -x * 2 + 0.5 * y,
}


@check("gradients")
def operators(probe: Probe) -> None:
    """Gradients of ``+ − × /``, with broadcasting over rows, columns and scalars."""
    for what, fn in _OPERATORS.items():
        for y in (POSITIVE, POSITIVE[:1], POSITIVE[:, :1], POSITIVE[0], POSITIVE[0, 0]):
            inputs = {"x": A, "y": np.asarray(y)}
            probe.derivative(what, lambda o, p, f=fn: f(p["x"], p["y"]), inputs)


@check("gradients")
def matmul(probe: Probe) -> None:
    """Gradients of ``@`` of matrices and vectors, and of a matrix with its own transpose."""
    a, b = normal(3, 4, seed=7), normal(4, 2, seed=8)
    for x, y in ((a, b), (a[:1], b), (a, b[:, 0]), (a[0], b), (a[0], b[:, 0])):
        probe.derivative("x @ y", lambda o, p: p["x"] @ p["y"], {"x": x, "y": y})
    probe.derivative("x @ xᵀ", lambda o, p: p["x"] @ o.permute_dims(p["x"], (1, 0)), {"x": a})


@check("gradients")
def reductions(probe: Probe) -> None:
    """Gradients of ``sum``, ``max`` and ``cumulative_sum``, over one axis or all."""
    for name in ("sum", "max"):
        for axis in (None, 0, 1, -1):
            for keep in (False, True):

                def reduce(o: ArrayOps, p: Tree, f: Any = (name, axis, keep)) -> Array:
                    out: Array = getattr(o, f[0])(p["x"], axis=f[1], keepdims=f[2])
                    return out

                probe.derivative(f"{name}, axis={axis}, keepdims={keep}", reduce, {"x": A})
    for axis in (0, 1, -1):
        probe.derivative(
            f"cumulative_sum, axis={axis}",
            lambda o, p, a=axis: o.cumulative_sum(p["x"], axis=a),
            {"x": A},
        )


@check("gradients")
def shapes(probe: Probe) -> None:
    """Gradients of ``reshape``, ``permute_dims``, ``concat``, ``astype``, slices and ``None``."""
    cube = {"x": normal(2, 3, 4, seed=9)}
    probe.derivative("reshape", lambda o, p: o.reshape(p["x"], (4, 6)), cube)
    probe.derivative("permute_dims", lambda o, p: o.permute_dims(p["x"], (2, 0, 1)), cube)
    probe.derivative("astype", lambda o, p: o.astype(p["x"], o.dtype), cube)
    sides = {"x": A, "y": B[:1]}
    probe.derivative("concat", lambda o, p: o.concat([p["x"], p["y"], p["x"]]), sides)
    columns = {"x": A, "y": B[:, :2]}
    probe.derivative("concat", lambda o, p: o.concat([p["x"], p["y"]], axis=1), columns)
    keys: list[Any] = [0, -1, slice(1, 3), (slice(None), 1), (slice(None), None), (..., 0), None]
    for key in keys:
        probe.derivative(f"x[{key}]", lambda o, p, k=key: p["x"][k], cube)
    outer = {"x": A[0]}
    probe.derivative("outer", lambda o, p: p["x"][:, None] * p["x"][None, :], outer)


@check("gradients")
def selection(probe: Probe) -> None:
    """Gradients of ``take`` and ``take_along_axis`` add up over repeated indices."""
    for picked in (integers([2, 0, 2, 2]), integers([[0, 1], [1, 1]]), integers(1)):
        for axis in (0, 1):
            probe.derivative(
                f"take, axis={axis}",
                lambda o, p, i=picked, a=axis: o.take(p["x"], to_device(o, i), axis=a),
                {"x": A},
            )
    lists = {
        0: integers([[2, 0, 0, 1], [2, 2, 0, 1]]),
        1: integers([[3, 3, 0], [1, 1, 1], [0, 2, 0]]),
    }
    for axis, places in lists.items():
        probe.derivative(
            f"take_along_axis, axis={axis}",
            lambda o, p, i=places, a=axis: o.take_along_axis(p["x"], to_device(o, i), axis=a),
            {"x": A},
        )


@check("gradients")
def sorting(probe: Probe) -> None:
    """``top_k`` is differentiable in its values, and ``argsort`` and ``argmax`` choose rows."""
    for k in (1, 3, 4):
        probe.derivative(
            "values of top_k", lambda o, p, k=k: numerics.top_k(o, p["x"], k)[0], {"x": A}
        )
    tied = {"x": np.array([[2.0, 1.0, 2.0, 2.0], [0.0, 0.0, 0.0, 0.0]])}
    probe.derivative("top_k with ties", lambda o, p: numerics.top_k(o, p["x"], 2)[0], tied, False)

    def ordered(o: ArrayOps, p: Tree) -> Array:
        return o.take_along_axis(p["x"], o.argsort(p["x"], axis=1), axis=1)

    def chosen(o: ArrayOps, p: Tree) -> Array:
        return o.take_along_axis(p["x"], o.argmax(p["x"], axis=1)[:, None], axis=1)

    def neighbours(o: ArrayOps, p: Tree) -> Array:
        _, indices = numerics.top_k(o, p["x"] @ o.permute_dims(p["x"], (1, 0)), 2)
        return o.take(p["x"], indices)

    probe.derivative("rows in order", ordered, {"x": A})
    probe.derivative("the row's maximum", chosen, {"x": A})
    probe.derivative("rows taken by top_k", neighbours, {"x": A})


@check("gradients")
def neighbour_sums(probe: Probe) -> None:
    """``gather_sum`` and ``scatter_sum`` in x and in weights, repeated and zero-weight entries."""

    def gather(o: ArrayOps, p: Tree) -> Array:
        return numerics.gather_sum(o, p["x"], to_device(o, LISTS), p["weights"])

    def scatter(o: ArrayOps, p: Tree) -> Array:
        return o.scatter_sum(p["x"], to_device(o, LISTS), p["weights"], 6)

    source = {"x": normal(5, 3, seed=10), "weights": WEIGHTS}
    probe.derivative("gather_sum", gather, source)
    probe.derivative("scatter_sum", scatter, {"x": normal(4, 3, seed=11), "weights": WEIGHTS})
    probe.derivative("gather_sum of one column", gather, {**source, "x": source["x"][:, :1]})
    _neighbour_sums_of_one_side(probe)


def _neighbour_sums_of_one_side(probe: Probe) -> None:
    """The other side a constant; and both sums of one array, as a graph's propagation has it."""
    nodes = {"x": normal(4, 3, seed=12)}
    inside = integers(LISTS % 4)

    def both(o: ArrayOps, p: Tree) -> Array:
        lists, weights = to_device(o, inside), to_device(o, WEIGHTS)
        gathered = numerics.gather_sum(o, p["x"], lists, weights)
        return gathered + o.scatter_sum(p["x"], lists, weights, 4)

    def weights_alone(o: ArrayOps, p: Tree) -> Array:
        return numerics.gather_sum(o, to_device(o, nodes["x"]), to_device(o, inside), p["weights"])

    def among(o: ArrayOps, p: Tree) -> Array:
        lists = (to_device(o, WEIGHTS[:, :1]), to_device(o, inside), to_device(o, WEIGHTS))
        return numerics.aggregate(o, p["x"], None, *lists, to_device(o, 0.5 * WEIGHTS))

    def from_source(o: ArrayOps, p: Tree) -> Array:
        lists = (p["own"], to_device(o, LISTS), to_device(o, WEIGHTS))
        return numerics.aggregate(o, p["x"], p["source"], *lists, None)

    probe.derivative("aggregate", among, nodes)
    further = {"own": normal(4, 1, seed=17), "source": normal(5, 3, seed=10)}
    probe.derivative("aggregate from a source", from_source, {**nodes, **further})
    probe.derivative("gather_sum + scatter_sum", both, nodes)
    probe.derivative("gather_sum in weights alone", weights_alone, {"weights": WEIGHTS})


_NUMERICS: dict[str, Callable[[ArrayOps, Tree], Array]] = {
    "mean": lambda o, p: numerics.mean(o, p["x"]),
    "mean, axis=0": lambda o, p: numerics.mean(o, p["x"], 0, keepdims=True),
    "var": lambda o, p: numerics.var(o, p["x"], 0),
    "relu": lambda o, p: numerics.relu(o, p["x"]),
    "gelu": lambda o, p: numerics.gelu(o, p["x"]),
    "l2_normalize": lambda o, p: numerics.l2_normalize(o, p["x"]),
    "global_norm": lambda o, p: numerics.global_norm(o, [p["x"], p["x"][0]]),
}


@check("gradients")
def numerics_functions(probe: Probe) -> None:
    """The functions of ``dtgcnn.array``, a backend's native forms held to the derived ones."""
    wide = np.concatenate([A, 4.0 * B, np.array([[-8.0, 9.0, -0.01, 1e-4]])])
    for what, fn in _NUMERICS.items():
        probe.derivative(what, fn, {"x": wide})

    def distance(o: ArrayOps, p: Tree) -> Array:
        return numerics.row_distance(o, p["x"], p["y"])

    def norm(o: ArrayOps, p: Tree) -> Array:
        return numerics.layer_norm(o, p["x"], p["weight"], p["bias"], 1e-5)

    def product(o: ArrayOps, p: Tree) -> Array:
        return numerics.matmul_by_rows(o, p["x"], p["weight"])

    def activated(o: ArrayOps, p: Tree) -> Array:
        given, kept = (p["x"], p["weight"], p["bias"], 1e-5), to_device(o, wide > -1.0)
        whole = numerics.norm_gelu(o, *given, None, 1.0, None)
        return whole - 2.0 * numerics.norm_gelu(o, *given, kept, 1.25, p["h"])

    def product_of_two(o: ArrayOps, p: Tree) -> Array:
        return numerics.matmul(o, p["x"], o.permute_dims(p["y"], (1, 0)))

    def reversed_pieces(o: ArrayOps, p: Tree) -> Array:
        parts = numerics.cut(o, p["v"], stops)
        return o.concat([(i + 1.0) * part for i, part in enumerate(parts)][::-1])

    for stops in ([30], [1, 1, 30], list(range(2, 31, 2)), list(range(1, 31))):
        probe.derivative(f"cut at {stops}", reversed_pieces, {"v": normal(30, seed=18)})
    for count in (1, 8, 13):
        factors = {"x": normal(count, 6, seed=15), "weight": normal(6, 4, seed=16)}
        probe.derivative(f"matmul_by_rows of {count}", product, factors)
    probe.derivative("row_distance", distance, {"x": A, "y": B})
    close = (A + 1e-3 * B).astype(np.float32).astype(np.float64)
    probe.derivative("row_distance of near rows", distance, {"x": A, "y": close}, False)
    flat = (1e-2 * A).astype(np.float32).astype(np.float64)
    near = (1.0 + 1e-3 * normal(6, 4, seed=14)).astype(np.float32)[[0, 1, 2, 3, 4, 5, 0]]
    differences = near[:, None].astype(np.float64) - near[None]
    squares = numerics.squared_distances(probe.ops, probe.array(near))
    probe.values("squared_distances · 10⁶", squares * 1e6, 1e6 * (differences**2).sum(axis=-1))
    affine = {"weight": POSITIVE[0], "bias": B[0]}
    probe.derivative("norm_gelu", activated, {"x": wide, "h": -wide, **affine})
    probe.derivative("matmul", product_of_two, {"x": A, "y": B[:2]})
    probe.derivative("x xᵀ", lambda o, p: product_of_two(o, {"x": p["x"], "y": p["x"]}), {"x": A})
    for x in (wide, flat, A[:1], normal(2, 3, 4, seed=13)):
        probe.derivative("layer_norm", norm, {"x": x, **affine}, x is not flat)
