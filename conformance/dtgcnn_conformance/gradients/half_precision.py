"""Products in half precision, and their gradients."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dtgcnn.array import half_precision
from dtgcnn.array.ops import Array, HostArray, Tree
from dtgcnn.array.tree import tree_map

from ..comparison import require
from ..probe import Probe, normal, to_host
from ..registry import check
from ..tolerances import HALF_PRODUCTS

X, W, COTANGENT = normal(7, 12, seed=1), normal(12, 5, seed=2), normal(7, 5, seed=3)


class Format(NamedTuple):
    """A binary format: bits of the significand, and the least and the largest exponent."""

    bits: int
    least: int
    largest: int


FORMATS = {"float16": Format(11, -13, 16), "bfloat16": Format(8, -125, 128)}


def to_half(x: HostArray, precision: str) -> HostArray:
    """``x`` rounded to the nearest number of the format, to even in ties, as float64; infinity
    beyond its range."""
    form = FORMATS[precision]
    _, exponent = np.frexp(x)
    step = np.ldexp(1.0, np.maximum(exponent, form.least) - form.bits)
    near = np.rint(x / step) * step
    return np.where(np.abs(near) < np.ldexp(1.0, form.largest), near, np.copysign(np.inf, x))


def product(probe: Probe, x: HostArray, w: HostArray, precision: str) -> HostArray:
    """The backend's product, on the host."""
    out = half_precision.half_matmul(probe.ops, probe.array(x), probe.array(w), precision)
    return np.asarray(probe.ops.to_numpy(out))


def gradients(probe: Probe, cotangent: HostArray, precision: str) -> Tree:
    """The backend's gradients of ``Σ cotangent · half_matmul(X, W)``, on the host."""

    def loss(p: Tree) -> tuple[Array, Tree]:
        out = half_precision.half_matmul(probe.ops, p["x"], p["w"], precision)
        return probe.ops.sum(out * probe.array(cotangent)), {}

    params = {"x": probe.array(X), "w": probe.array(W)}
    return to_host(probe.ops, probe.ops.value_and_grad(loss)(params)[2])


def require_halves(what: str, x: HostArray, precision: str) -> None:
    """Every number is one that the format has."""
    wide = x.astype(np.float64)
    require(bool(np.all(to_half(wide, precision) == wide)), f"{what}: not numbers of {precision}")


@check("gradients")
def half_products(probe: Probe) -> None:
    """``half_matmul`` rounds both factors and the product, once each, and gives ``ops.dtype``."""
    for precision, form in FORMATS.items():
        half, small = probe.within(HALF_PRODUCTS[precision]), 2.0**-form.bits
        expected = to_half(X, precision) @ to_half(W, precision)
        actual = product(probe, X, W, precision)
        half.values(f"half_matmul in {precision}", probe.array(actual), expected)
        require(actual.dtype.name == probe.ops.dtype, f"the dtype is {actual.dtype.name}")
        require_halves(f"half_matmul in {precision}", actual, precision)
        # Ties go to the even neighbour, and what lies beside a tie does not.
        ties = np.array([[1.0 + small, 1.0 + 3.0 * small, 1.0 + 1.25 * small, -1.0 - small]])
        for x, w in ((ties, np.eye(4)), (np.eye(4), np.broadcast_to(ties.T, (4, 4)))):
            exact = to_half(x, precision) @ to_half(w, precision)
            probe.same_bits(
                f"half_matmul of ties in {precision}",
                probe.array(product(probe, x, w, precision)),
                exact.astype(probe.ops.dtype),
            )
        one = product(probe, np.array([[1.0, small]]), np.ones((2, 1)), precision)
        require(float(one[0, 0]) == 1.0, f"a product of 1 + {small:g} in {precision} is {one}")


@check("gradients")
def half_gradients(probe: Probe) -> None:
    """The gradients of ``half_matmul`` are products in half precision as well."""
    for precision in FORMATS:
        half = probe.within(HALF_PRODUCTS[precision])
        g, x, w = (to_half(a, precision) for a in (COTANGENT, X, W))
        actual = gradients(probe, COTANGENT, precision)
        what = f"gradient of half_matmul in {precision}"
        half.gradients(what, tree_map(probe.array, actual), {"x": g @ w.T, "w": x.T @ g})
        for name, leaf in actual.items():
            require_halves(f"{what}, {name}", leaf, precision)


@check("gradients")
def half_range(probe: Probe) -> None:
    """float16 is infinite above 65,504 and 0 below 6e-8, in value and gradient; bfloat16 is not."""
    large, tiny = np.array([[300.0, 1.0]]), np.full((1, 1), 1e-8)
    for x, w, half, wide in (
        (large, large.T, np.inf, 90112.0),
        (-large, large.T, -np.inf, -90112.0),
        (np.full((1, 1), 70000.0), np.ones((1, 1)), np.inf, 70144.0),
        (tiny, np.ones((1, 1)), 0.0, float(to_half(tiny, "bfloat16")[0, 0])),
    ):
        for precision, expected in (("float16", half), ("bfloat16", wide)):
            got = float(product(probe, x, w, precision)[0, 0])
            what = f"{x.tolist()} @ {w.tolist()} in {precision}"
            require(got == np.asarray(expected, probe.ops.dtype), f"{what} is {got}")
    for scale, finite in ((1e6, False), (1e-9, True)):
        narrow, broad = (gradients(probe, scale * COTANGENT, p) for p in FORMATS)
        for name in ("x", "w"):
            seen = bool(np.isfinite(narrow[name]).all())
            require(seen == finite, f"a gradient of {scale:g} in float16 is finite: {seen}")
            vanished = not narrow[name].any()
            require(vanished == finite, f"a gradient of {scale:g} in float16 is 0: {vanished}")
            kept = bool(np.isfinite(broad[name]).all() and broad[name].all())
            require(kept, f"a gradient of {scale:g} in bfloat16 is 0 or not finite")
