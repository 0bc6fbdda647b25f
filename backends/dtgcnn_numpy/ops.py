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
from autograd.core import make_vjp
from autograd.tracer import getval

from . import native, primitives
from .allocator import keep_freed_memory
from .selection import top_k_indices, top_products
from .sorting import stable_argsort
from .threefry import threefry2x32

version = cache(metadata.version)  # it reads files, and every save asks for it

F = TypeVar("F", bound=Callable[..., Any])

_BLOCK = 32768
"""Counters encrypted at a time: few enough to stay in the processor's cache."""


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
        shape = (math.prod(values.shape[:-1]), values.shape[-1])  # of no rows too
        indices = top_k_indices(values.reshape(shape), k).reshape(*values.shape[:-1], k)
        return primitives.take_along_axis(x, indices, -1), indices

    def top_products(self, x: Any, y: Any, k: int, most: int) -> tuple[Any, Any]:
        if not 0 <= k <= len(y):
            raise ValueError(f"k must be between 0 and {len(y)}, received {k}")
        return top_products(getval(x), getval(y), k, most)

    # -- aggregation over neighbour lists
    gather_sum = staticmethod(primitives.gather_sum)
    scatter_sum = staticmethod(primitives.scatter_sum)

    # -- randomness
    def random_bits(self, key: Any, n: int) -> Any:
        half = (n + 1) // 2
        words = np.empty((2, half), np.uint32)
        for start in range(0, half, _BLOCK):
            counters = np.arange(start, min(start + _BLOCK, half), dtype=np.uint32)
            block = words[:, start : start + _BLOCK]
            block[0], block[1] = threefry2x32(key, counters, counters + np.uint32(half))
        return words.reshape(-1)[:n]

    # -- transformations of functions
    def stop_gradient(self, x: Any) -> Any:
        return getval(x)

    def value_and_grad(self, fn: Callable[..., tuple[Any, Any]]) -> Callable[..., Any]:
        def differentiated(params: Any, *args: Any) -> tuple[Any, Any, Any]:
            leaves: list[Any] = []
            _collect(params, leaves)
            seen: list[Any] = []

            def scalar(traced: Any) -> Any:
                value, aux = fn(_rebuild(params, iter(list(traced))), *args)
                if np.shape(getval(value)) != ():  # autograd would take the gradient of its sum
                    raise ValueError(f"the value must have shape (), received {value.shape}")
                seen.append(_map(getval, aux))
                return value

            vjp, value = make_vjp(scalar, tuple(leaves))
            # Half precision may overflow: training skips such a step, without NumPy's warnings.
            with np.errstate(over="ignore", invalid="ignore"):
                gradients = vjp(np.ones((), value.dtype))
            return value, seen[0], _rebuild(params, iter(gradients))

        return differentiated

    def compile(self, fn: F) -> F:
        return fn

    def checkpoint(self, fn: F) -> F:
        return fn

    def evaluate(self, *trees: Any) -> None:
        return None

    # -- native forms of functions of dtgcnn.array.numerics
    gelu = staticmethod(native.gelu)
    half_matmul = staticmethod(native.half_matmul)
    layer_norm = staticmethod(native.layer_norm)
    squared_distances = staticmethod(native.squared_distances)


def _collect(tree: Any, leaves: list[Any]) -> None:
    if isinstance(tree, dict):
        for name in tree:
            _collect(tree[name], leaves)
    else:
        leaves.append(tree)


def _rebuild(tree: Any, leaves: Any) -> Any:
    if isinstance(tree, dict):
        return {name: _rebuild(sub, leaves) for name, sub in tree.items()}
    return next(leaves)


def _map(fn: Callable[[Any], Any], tree: Any) -> Any:
    if isinstance(tree, dict):
        return {name: _map(fn, sub) for name, sub in tree.items()}
    if isinstance(tree, (list, tuple)):
        return type(tree)(_map(fn, sub) for sub in tree)
    return fn(tree)
