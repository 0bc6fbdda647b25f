"""``NumpyOps``: the definition of every operation of ``dtgcnn.array.ops.ArrayOps``."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from functools import cache
from importlib import metadata
from typing import Any, TypeVar

import autograd.numpy as anp
import numpy as np
from autograd.tracer import getval

from . import native, primitives, rows, threefry
from .allocator import give_freed_memory_back, keep_freed_memory
from .by_rows import matmul_by_rows
from .gradient import value_and_grad
from .links import aggregate
from .pool import blocks, each
from .products import matmul
from .selection import count_in_rows, top_k_indices, top_products
from .sorting import stable_argsort

version = cache(metadata.version)  # it reads files, and every save asks for it

F = TypeVar("F", bound=Callable[..., Any])

_FEW_ROWS = 512
"""Rows that are mapped at once: of fewer, threads would wait for the interpreter's lock."""

_BLOCK_NUMBERS, _BLOCK_ROWS = 1 << 18, 192
"""Numbers of a block that is selected from, and rows of a block that is mapped; of 192 rows a
product has the bits of the whole, see ``products``."""


class NumpyOps:
    """The reference: NumPy on the CPU.

    Args:
        device: ``"cpu"``, the only one.
        dtype: ``"float32"``, or ``"float64"`` to serve as the oracle for other backends.
    """

    name = "numpy"
    any_height = True
    """A row's bits do not depend on how many rows there are; see ``alike_at_any_height``."""

    def __init__(self, device: str = "cpu", dtype: str = "float32") -> None:
        if device != "cpu":
            raise ValueError(f"device must be 'cpu' for the numpy backend, received {device!r}")
        if dtype not in ("float32", "float64"):
            raise ValueError(f"dtype must be 'float32' or 'float64', received {dtype!r}")
        self.device = device
        self.dtype = dtype
        keep_freed_memory()

    @classmethod
    def available_devices(cls) -> Sequence[str]:
        return ("cpu",)

    def made_with(self) -> dict[str, Any]:
        """The versions of the libraries that compute."""
        return {name: version(name) for name in ("numpy", "scipy", "autograd")}

    def memory(self) -> dict[str, int]:
        if sys.platform == "win32":
            return {}
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return {"peak": peak if sys.platform == "darwin" else peak * 1024}

    def clear_cache(self) -> None:
        """Give freed memory that glibc keeps for reuse back to the system."""
        give_freed_memory_back()

    # -- creation and conversion
    def asarray(self, x: Any, dtype: str | None = None) -> Any:
        if dtype is None and np.asarray(x).dtype.kind == "f":
            dtype = self.dtype
        return np.asarray(x, dtype=dtype)

    def to_numpy(self, x: Any) -> Any:
        return np.asarray(getval(x))

    def zeros(self, shape: tuple[int, ...], dtype: str | None = None) -> Any:
        return np.zeros(shape, dtype or self.dtype)

    def arange(self, stop: int) -> Any:
        return np.arange(stop, dtype=np.int32)

    def astype(self, x: Any, dtype: str) -> Any:
        return x if x.dtype == dtype else x.astype(dtype)

    # -- elementwise
    exp = staticmethod(anp.exp)
    log = staticmethod(anp.log)
    sqrt = staticmethod(anp.sqrt)
    tanh = staticmethod(anp.tanh)
    erf = staticmethod(primitives.erf)
    abs = staticmethod(anp.abs)
    isfinite = staticmethod(anp.isfinite)
    maximum = staticmethod(primitives.maximum)
    where = staticmethod(primitives.where)

    # -- reductions
    def sum(self, x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
        if x.dtype == np.bool_:
            if axis in (1, -1) and x.ndim == 2 and not keepdims:
                return count_in_rows(x)
            return x.sum(axis=axis, keepdims=keepdims, dtype=np.int32)
        if x.dtype.kind in "iu":
            return x.sum(axis=axis, keepdims=keepdims, dtype=x.dtype)
        return primitives.sum_(x, axis, keepdims)

    def max(self, x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
        return primitives.max_(x, axis, keepdims)

    def argmax(self, x: Any, axis: int) -> Any:
        return np.argmax(getval(x), axis=axis).astype(np.int32)

    def cumulative_sum(self, x: Any, axis: int) -> Any:
        if x.dtype.kind in "iu":
            return np.cumsum(x, axis=axis, dtype=x.dtype)
        return anp.cumsum(x, axis=axis)

    # -- shape
    def reshape(self, x: Any, shape: tuple[int, ...]) -> Any:
        return anp.reshape(x, shape)

    def permute_dims(self, x: Any, axes: tuple[int, ...]) -> Any:
        return anp.transpose(x, axes)

    def concat(self, arrays: Sequence[Any], axis: int = 0) -> Any:
        return anp.concatenate(arrays, axis=axis)

    # -- selection
    def take(self, x: Any, indices: Any, axis: int = 0) -> Any:
        return primitives.take(x, indices, axis)

    def take_along_axis(self, x: Any, indices: Any, axis: int) -> Any:
        return primitives.take_along_axis(x, indices, axis)

    def argsort(self, x: Any, axis: int = -1) -> Any:
        return stable_argsort(getval(x), axis)

    def top_k(self, x: Any, k: int) -> tuple[Any, Any]:
        values = getval(x)
        if not 0 <= k <= values.shape[-1]:
            raise ValueError(f"k must be between 0 and {values.shape[-1]}, received {k}")
        n = values.shape[-1]
        flat = values.reshape(math.prod(values.shape[:-1]), n)  # of no rows too
        found = np.empty((len(flat), k), np.int32)

        def select(block: slice) -> None:
            found[block] = top_k_indices(flat[block], k)

        each(select, blocks(len(flat), max(1, _BLOCK_NUMBERS // max(n, 1))))
        indices = found.reshape(*values.shape[:-1], k)
        return primitives.take_along_axis(x, indices, -1), indices

    def top_products(self, x: Any, y: Any, k: int, most: int) -> tuple[Any, Any]:
        if not 0 <= k <= len(y):
            raise ValueError(f"k must be between 0 and {len(y)}, received {k}")
        return top_products(getval(x), getval(y), k, most)

    def map_rows(self, fn: Callable[[Any], tuple[Any, ...]], count: int) -> tuple[Any, ...]:
        found: list[tuple[Any, ...]] = [()] * -(-count // _BLOCK_ROWS)

        def take(block: slice) -> None:
            positions = np.arange(block.start, block.stop, dtype=np.int32)
            found[block.start // _BLOCK_ROWS] = fn(positions)

        if count <= _FEW_ROWS:
            return fn(None)
        each(take, blocks(count, _BLOCK_ROWS))
        return tuple(np.concatenate(parts) for parts in zip(*found, strict=True))

    # -- aggregation over neighbour lists
    aggregate = staticmethod(aggregate)
    gather_sum = staticmethod(primitives.gather_sum)
    scatter_sum = staticmethod(primitives.scatter_sum)

    # -- randomness
    bernoulli = staticmethod(threefry.bernoulli)
    random_bits = staticmethod(threefry.random_bits)

    # -- transformations of functions
    def stop_gradient(self, x: Any) -> Any:
        return getval(x)

    value_and_grad = staticmethod(value_and_grad)

    def compile(self, fn: F) -> F:
        return fn

    def checkpoint(self, fn: F) -> F:
        return fn

    def evaluate(self, *trees: Any) -> None:
        return None

    # -- native forms of functions of dtgcnn.array.numerics
    gelu = staticmethod(native.gelu)
    half_matmul = staticmethod(native.half_matmul)
    l2_normalize = staticmethod(rows.l2_normalize)
    layer_norm = staticmethod(native.layer_norm)
    matmul = staticmethod(matmul)
    matmul_by_rows = staticmethod(matmul_by_rows)
    norm_gelu = staticmethod(rows.norm_gelu)
    row_distance = staticmethod(rows.row_distance)
    squared_distances = staticmethod(native.squared_distances)
