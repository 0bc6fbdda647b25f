"""What is derived from ``ArrayOps`` once, for every backend.

A backend may define any of these natively under the same name; ``native`` makes the core use it.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, TypeVar

from .ops import Array, ArrayOps

__all__ = ["NATIVE", "aggregate", "alike_at_any_height", "cut", "gather_sum", "gelu"]
__all__ += ["global_norm", "has", "l2_normalize", "layer_norm", "map_rows", "matmul"]
__all__ += ["matmul_by_rows", "mean", "native", "norm_gelu", "relu", "row_distance"]
__all__ += ["squared_distances", "top_k", "top_products", "var"]

F = TypeVar("F", bound=Callable[..., Any])

ROWS_ALIKE = 8
"""Rows of a product that a BLAS rounds alike, whichever of them they are."""

COLUMNS_ALIKE = 16
"""Columns that a product must have for that: MKL treats fewer than 10 in ways of their own."""

_EPS = 1e-12
_BLOCK = 1 << 18
"""Most numbers in a block of differences of rows; a lazy backend holds several at once."""


NATIVE: dict[str, Callable[..., Any]] = {}
"""What a backend may define natively, by name."""


def native(fn: F) -> F:
    """Call the backend's own method of this name where it has one."""

    @functools.wraps(fn)
    def dispatch(ops: ArrayOps, *args: Any) -> Any:
        own = getattr(ops, fn.__name__, None)
        return fn(ops, *args) if own is None else own(*args)

    NATIVE[fn.__name__] = dispatch
    return dispatch  # type: ignore[return-value]


def has(ops: ArrayOps, name: str) -> bool:
    """Whether the backend has a method, or a form of its own of the function, of this name."""
    return getattr(ops, name, None) is not None


def clear_cache(ops: ArrayOps) -> bool:
    """Let go of freed memory that the backend's library keeps for reuse; whether it can."""
    if not has(ops, "clear_cache"):
        return False
    ops.clear_cache()  # type: ignore[attr-defined]
    return True


def mean(ops: ArrayOps, x: Array, axis: int | None = None, keepdims: bool = False) -> Array:
    """The arithmetic mean."""
    count = math.prod(x.shape) if axis is None else x.shape[axis]
    return ops.sum(x, axis=axis, keepdims=keepdims) / max(count, 1)


def var(ops: ArrayOps, x: Array, axis: int, keepdims: bool = False) -> Array:
    """The biased variance ``mean((x − mean(x))²)``, in two passes."""
    centred = x - mean(ops, x, axis, keepdims=True)
    return mean(ops, centred * centred, axis, keepdims)


@native
def relu(ops: ArrayOps, x: Array) -> Array:
    """``x`` where positive, else 0; its gradient at 0 is 0. NaN stays NaN."""
    return ops.where(x <= 0, 0.0, x)


@native
def gelu(ops: ArrayOps, x: Array) -> Array:
    """Exact GELU, ``x Φ(x)`` (Hendrycks & Gimpel 2016, arXiv:1606.08415)."""
    return 0.5 * x * (1.0 + ops.erf(x * 0.7071067811865476))


@native
def layer_norm(ops: ArrayOps, x: Array, weight: Array, bias: Array, eps: float) -> Array:
    """``(x − mean) / √(var + eps) · weight + bias`` over the last axis (Ba et al. 2016)."""
    centred = x - mean(ops, x, -1, keepdims=True)
    variance = mean(ops, centred * centred, -1, keepdims=True)
    return centred / ops.sqrt(variance + eps) * weight + bias


@native
def matmul(ops: ArrayOps, x: Array, y: Array) -> Array:
    """``x @ y`` of two matrices."""
    product: Array = x @ y
    return product


@native
def map_rows(
    ops: ArrayOps, fn: Callable[[Array | None], tuple[Array, ...]], count: int
) -> tuple[Array, ...]:
    """What ``fn`` gives for rows ``0 … count − 1``: one entry of each of its arrays a row.

    ``fn`` takes (R,) int32 positions, or None for all. Each entry must depend on its row alone, and
    nothing is differentiated through it; so a backend may call it for blocks of rows and put what
    it gives one after the other.
    """
    return fn(None)


@native
def norm_gelu(
    ops: ArrayOps,
    x: Array,
    weight: Array,
    bias: Array,
    eps: float,
    kept: Array | None,
    scale: float,
    h: Array | None,
) -> Array:
    """``gelu(layer_norm(x))``, times ``scale`` where ``kept`` (booleans) holds and 0 elsewhere,
    plus ``h`` where given."""
    out = gelu(ops, layer_norm(ops, x, weight, bias, eps))
    out = out if kept is None else out * (ops.astype(kept, ops.dtype) * scale)
    return out if h is None else out + h


@native
def aggregate(
    ops: ArrayOps,
    h: Array,
    source: Array | None,
    own: Array,
    neighbors: Array,
    weights: Array,
    reverse: Array | None,
) -> Array:
    """``own_i h_i + Σ_k weights_ik s[neighbors_ik] + Σ_{jk: neighbors_jk = i} reverse_jk h_j``, s
    the ``source``, or ``h`` itself where it is None."""
    out = own * h + gather_sum(ops, h if source is None else source, neighbors, weights)
    if reverse is not None:
        out = out + ops.scatter_sum(h, neighbors, reverse, h.shape[0])
    return out


@native
def matmul_by_rows(ops: ArrayOps, x: Array, weight: Array) -> Array:
    """``x @ weight``, (N, D) and (D, M), so that a row of it depends on that row of ``x`` alone, to
    the last bit on a CPU.

    A BLAS rounds some rows of a product in another order than others: OpenBLAS's kernel for AVX2
    takes 12 at a time, in two unlike halves. So it is given 8 at a time, which it treats alike. A
    library that makes one product of the blocks again (JAX) must be given as many rows each time.
    """
    count, width = x.shape
    columns = weight.shape[1]
    if columns < COLUMNS_ALIKE:
        weight = ops.concat([weight, ops.zeros((width, COLUMNS_ALIKE - columns))], axis=1)
    missing = -count % ROWS_ALIKE
    if missing:
        x = ops.concat([x, ops.zeros((missing, width))])
    product = ops.reshape(x, ((count + missing) // ROWS_ALIKE, ROWS_ALIKE, width)) @ weight
    return ops.reshape(product, (count + missing, weight.shape[1]))[:count, :columns]


def alike_at_any_height(ops: ArrayOps) -> bool:
    """Whether ``matmul_by_rows``, sums over rows and the like give a row the same bits among any
    number of rows: what a backend says of itself by ``any_height = True``, False of others."""
    return bool(getattr(ops, "any_height", False))


@native
def top_k(ops: ArrayOps, x: Array, k: int) -> tuple[Array, Array]:
    """The ``k`` largest floats along the last axis, descending, and their int32 indices.

    Among equal values the lowest index comes first. This rule is part of the contract: duplicate
    texts give exact ties, and 0 and −0 are equal.

    Raises:
        ValueError: ``k`` is beyond the row's length, or below 0.
    """
    if not 0 <= k <= x.shape[-1]:
        raise ValueError(f"k must be between 0 and {x.shape[-1]}, received {k}")
    indices = ops.argsort(-ops.stop_gradient(x), axis=-1)[..., :k]
    return ops.take_along_axis(x, indices, axis=-1), indices


@native
def top_products(ops: ArrayOps, x: Array, y: Array, k: int, most: int) -> tuple[Array, Array]:
    """The ``k`` largest of each row of ``x yᵀ``, descending, and their int32 columns, (N, k) each.

    Of detached rows ``x`` (N, D) and ``y`` (M, D). At most about ``most`` products are held at a
    time, in blocks of columns. Among equal products the lowest column comes first; those of equal
    rows of ``y`` may be rounded apart.

    Raises:
        ValueError: ``k`` is beyond M, or below 0.
    """
    columns = y.shape[0]
    if not 0 <= k <= columns:
        raise ValueError(f"k must be between 0 and {columns}, received {k}")
    width = max(most // max(x.shape[0], 1), k, 1)
    values, indices = top_k(ops, x @ ops.permute_dims(y[:width], (1, 0)), min(k, columns))
    for start in range(width, columns, width):
        ops.evaluate(values, indices)  # a lazy backend would hold the products of all blocks
        block = y[start : start + width]
        found = top_k(ops, x @ ops.permute_dims(block, (1, 0)), min(k, block.shape[0]))
        values, places = top_k(ops, ops.concat([values, found[0]], axis=1), k)
        joined = ops.concat([indices, found[1] + start], axis=1)
        indices = ops.take_along_axis(joined, places, axis=1)
    return values, indices


@native
def cut(ops: ArrayOps, x: Array, stops: Sequence[int]) -> list[Array]:
    """The entries of a vector up to the first of ``stops``, from there to the second, and so on."""
    return [x[start:stop] for start, stop in pairwise((0, *stops))]


@native
def gather_sum(ops: ArrayOps, x: Array, indices: Array, weights: Array) -> Array:
    """``out_i = Σ_k weights_ik · x[indices_ik]`` for (N, K) lists and ``x`` of shape (M, D): the
    adjoint of ``ops.scatter_sum``, and each is the other's gradient."""
    return ops.sum(ops.take(x, indices) * weights[..., None], axis=1)


@native
def l2_normalize(ops: ArrayOps, x: Array) -> Array:
    """Rows of ``x`` at unit length; a zero row stays zero, with a zero gradient."""
    squares = ops.sum(x * x, axis=-1, keepdims=True)
    zero = squares <= _EPS
    return x * ops.where(zero, 0.0, 1.0 / ops.sqrt(ops.where(zero, 1.0, squares)))


@native
def row_distance(ops: ArrayOps, a: Array, b: Array) -> Array:
    """Euclidean distance of matching rows, (N, D) and (N, D) to (N,).

    By direct differences: the expanded formula loses the gradient of near rows in float32. Equal
    rows have distance 0 and gradient 0, where a bare square root would give NaN.
    """
    difference = a - b
    squares = ops.sum(difference * difference, axis=-1)
    equal = squares <= _EPS
    return ops.where(equal, 0.0, ops.sqrt(ops.where(equal, 1.0, squares)))


@native
def squared_distances(ops: ArrayOps, x: Array) -> Array:
    """(B, B) squared distances of the rows of a detached ``x`` (B, D).

    By direct differences, in blocks: the expanded formula loses near rows in float32.
    """
    rows, blocks = max(1, _BLOCK // max(x.shape[0] * x.shape[1], 1)), []
    for start in range(0, x.shape[0], rows):
        difference = x[start : start + rows, None] - x[None]
        blocks.append(ops.sum(difference * difference, axis=-1))
    return ops.concat(blocks)


def global_norm(ops: ArrayOps, leaves: list[Array]) -> Array:
    """The Euclidean norm of all arrays taken as one vector."""
    squares = [ops.sum(leaf * leaf) for leaf in leaves]
    return ops.sqrt(functools.reduce(operator.add, squares) if squares else ops.zeros(()))
