"""``MlxOps``: ``dtgcnn.array.ops.ArrayOps`` on MLX."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from functools import cache
from importlib import metadata
from typing import Any, TypeVar, cast

import mlx.core as mx
import numpy as np

from . import native

version = cache(metadata.version)  # it reads files, and every save asks for it

F = TypeVar("F", bound=Callable[..., Any])

_LONG, _BLOCK = 1024, 128
"""Sums of more terms than the first are taken in blocks of the second: MLX on the CPU adds one
term after another, which in float32 is off by 1% for a million of them (0.32)."""


class MlxOps:
    """MLX on its GPU where there is one, otherwise on the CPU.

    MLX has one default device: the object that was made last decides where all of them compute.

    Args:
        device: ``"gpu"`` or ``"cpu"``; None takes the GPU where MLX has one.
        dtype: ``"float32"``.
        compile: whether ``compile`` compiles. None compiles on the GPU only: on a CPU it needs a
            C++ compiler, and the first step takes seconds.
    """

    name = "mlx"

    def __init__(
        self, device: str | None = None, dtype: str = "float32", compile: bool | None = None
    ) -> None:
        devices = self.available_devices()
        if device is None:
            device = devices[0]
        if device not in devices:
            raise ValueError(f"device must be one of {list(devices)}, received {device!r}")
        if dtype != "float32":
            raise ValueError(f"dtype must be 'float32' for the mlx backend, received {dtype!r}")
        self.device = device
        self.dtype = dtype
        self._compile = device == "gpu" if compile is None else compile
        if device == "gpu":
            self.norm_gelu = None  # type: ignore[assignment]  # the norm is one kernel there
        mx.set_default_device(mx.gpu if device == "gpu" else mx.cpu)

    @classmethod
    def available_devices(cls) -> Sequence[str]:
        return ("gpu", "cpu") if mx.is_available(mx.gpu) else ("cpu",)

    def made_with(self) -> dict[str, Any]:
        """MLX's version, and whether its float32 products may be TF32 where the GPU has it."""
        wanted = os.environ.get("MLX_ENABLE_TF32", "1") != "0"
        return {"mlx": version("mlx"), "tf32": wanted and self.device == "gpu"}

    def memory(self) -> dict[str, int]:
        return {
            "active": mx.get_active_memory(),
            "peak": mx.get_peak_memory(),
            "cache": mx.get_cache_memory(),
        }

    def clear_cache(self) -> None:
        """Give memory that MLX keeps for reuse back to the system."""
        mx.clear_cache()

    def set_cache_limit(self, limit: int) -> int:
        """Bound the memory that MLX keeps for reuse, in bytes, and return the former bound."""
        return int(mx.set_cache_limit(limit))

    def out_of_memory(self, error: Exception) -> bool:
        """MLX raises a RuntimeError, which its text tells from others."""
        said = str(error).lower()
        return isinstance(error, RuntimeError) and any(sign in said for sign in _FULL)

    # -- creation and conversion
    def asarray(self, x: Any, dtype: str | None = None) -> Any:
        if not isinstance(x, mx.array):
            x = np.asarray(x)
            if dtype is None and x.dtype.kind == "f":
                dtype = self.dtype
            x = mx.array(x.astype(dtype, copy=False) if dtype is not None else x)
        return x if dtype is None else x.astype(_dtype_of(dtype))

    def to_numpy(self, x: Any) -> Any:
        return np.array(x)

    def zeros(self, shape: tuple[int, ...], dtype: str | None = None) -> Any:
        return mx.zeros(shape, _dtype_of(dtype or self.dtype))

    def arange(self, stop: int) -> Any:
        return mx.arange(stop, dtype=mx.int32)

    def astype(self, x: Any, dtype: str) -> Any:
        return x.astype(_dtype_of(dtype))

    # -- elementwise
    exp = staticmethod(mx.exp)
    log = staticmethod(mx.log)
    sqrt = staticmethod(mx.sqrt)
    tanh = staticmethod(mx.tanh)
    erf = staticmethod(mx.erf)
    abs = staticmethod(mx.abs)
    isfinite = staticmethod(mx.isfinite)
    maximum = staticmethod(mx.maximum)
    where = staticmethod(mx.where)

    # -- reductions
    def sum(self, x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
        if x.dtype == mx.bool_:
            x = x.astype(mx.int32)  # MLX leaves a scalar boolean as it is
        if x.size == 0:  # MLX 0.32 on the CPU hangs, or sums memory that is not the array's
            return mx.zeros(_reduced_shape(x.shape, axis, keepdims), x.dtype)
        longest = x.size if axis is None else x.shape[axis]
        if longest > _LONG and mx.issubdtype(x.dtype, mx.floating):
            return _sum_in_blocks(x, axis, keepdims)
        return mx.sum(x, axis=axis, keepdims=keepdims)

    max = staticmethod(mx.max)

    def argmax(self, x: Any, axis: int) -> Any:
        if x.size == 0 and x.shape[axis] > 0:  # no rows: MLX refuses them
            return mx.zeros(_reduced_shape(x.shape, axis, False), mx.int32)
        return mx.argmax(mx.stop_gradient(x), axis=axis).astype(mx.int32)

    cumulative_sum = staticmethod(mx.cumsum)

    # -- shape
    reshape = staticmethod(mx.reshape)
    permute_dims = staticmethod(mx.transpose)

    def cut(self, x: Any, stops: Sequence[int]) -> list[Any]:
        return native.cut(x, [0, *stops])

    def concat(self, arrays: Sequence[Any], axis: int = 0) -> Any:
        return mx.concatenate(list(arrays), axis=axis)

    # -- selection
    def take(self, x: Any, indices: Any, axis: int = 0) -> Any:
        return mx.take(x, mx.stop_gradient(indices), axis=axis)

    def take_along_axis(self, x: Any, indices: Any, axis: int) -> Any:
        return mx.take_along_axis(x, mx.stop_gradient(indices), axis=axis)

    def argsort(self, x: Any, axis: int = -1) -> Any:
        return mx.argsort(mx.stop_gradient(x), axis=axis).astype(mx.int32)

    # -- aggregation over neighbour lists
    def scatter_sum(self, x: Any, indices: Any, weights: Any, n: int) -> Any:
        spread = (x[:, None, :] * weights[..., None]).reshape(-1, x.shape[1])
        targets = mx.stop_gradient(indices).reshape(-1)
        return mx.zeros((n, x.shape[1]), x.dtype).at[targets].add(spread)

    # -- randomness
    def random_bits(self, key: Any, n: int) -> Any:
        return mx.flatten(mx.random.split(key, (n + 1) // 2))[:n]

    def bernoulli(self, key: Any, p: float, shape: tuple[int, ...]) -> Any:
        n = math.prod(shape)
        count = (n + 1) // 2
        words = mx.random.split(key, (count + 1) // 2)
        if count % 2:
            words = mx.flatten(words)[:count, None]
        halves = (words >> mx.array([[[0]], [[16]]], mx.uint32)) & 0xFFFF
        drawn = halves >= 65536 - round(p * 65536)
        return (drawn if n == 2 * count else mx.flatten(drawn)[:n]).reshape(shape)

    # -- transformations of functions
    stop_gradient = staticmethod(mx.stop_gradient)

    def value_and_grad(self, fn: Callable[..., tuple[Any, Any]]) -> Callable[..., Any]:
        def value_aux_grad(params: Any, *args: Any) -> tuple[Any, Any, Any]:
            seen: list[Any] = []

            def scalar(params: Any, *args: Any) -> Any:
                # MLX would take aux as further outputs; a step compiled with those fails with an
                # IndexError where one of them is computed twice (MLX 0.32).
                value, aux = fn(params, *args)
                if value.shape != ():
                    raise ValueError(f"the value must have shape (), received {value.shape}")
                seen.append(aux)
                return value

            value, gradients = mx.value_and_grad(scalar)(params, *args)
            return value, seen[0], gradients

        return value_aux_grad

    def compile(self, fn: F) -> F:
        return cast(F, mx.compile(fn)) if self._compile else fn

    def checkpoint(self, fn: F) -> F:
        return cast(F, mx.checkpoint(fn))

    def evaluate(self, *trees: Any) -> None:
        mx.eval(*trees)

    # -- native forms of functions of dtgcnn.array.numerics
    gather_sum = staticmethod(native.gather_sum)
    l2_normalize = staticmethod(native.l2_normalize)
    relu = staticmethod(native.relu)
    row_distance = staticmethod(native.row_distance)

    norm_gelu = staticmethod(native.norm_gelu)

    def layer_norm(self, x: Any, weight: Any, bias: Any, eps: float) -> Any:
        return mx.fast.layer_norm(x, weight, bias, eps)


_FULL = (
    *("out of memory", "insufficient memory", "unable to allocate", "attempting to allocate"),
    *("[metal::malloc]", "alloc_failed"),
)
"""What MLX on Metal, CUDA and the CPU says where memory ran out, in lower case."""

_DTYPES = {
    "float32": mx.float32,
    "float16": mx.float16,
    "bfloat16": mx.bfloat16,
    "int32": mx.int32,
    "int64": mx.int64,
    "uint32": mx.uint32,
    "bool": mx.bool_,
}


def _dtype_of(name: str) -> mx.Dtype:
    if name not in _DTYPES:
        raise ValueError(f"dtype must be one of {', '.join(_DTYPES)}, received {name!r}")
    return _DTYPES[name]


def _sum_in_blocks(x: Any, axis: int | None, keepdims: bool) -> Any:
    shape = _reduced_shape(x.shape, axis, keepdims)
    x, axis = (mx.flatten(x), 0) if axis is None else (x, axis % x.ndim)
    before = (slice(None),) * axis
    n = x.shape[axis]
    even = next((k for k in range(math.isqrt(n - 1) + 1, _LONG + 1) if n % k == 0), 0)
    if even:  # blocks of one length, and then their sums
        blocks = x.reshape(*x.shape[:axis], even, n // even, *x.shape[axis + 1 :])
        sums = mx.sum(blocks, axis=axis + 1, keepdims=True)
        return mx.sum(sums, axis=(axis, axis + 1)).reshape(shape)
    while (n := x.shape[axis]) > _LONG:
        whole = n - n % _BLOCK
        blocks = x[(*before, slice(whole))]
        blocks = blocks.reshape(*x.shape[:axis], n // _BLOCK, _BLOCK, *x.shape[axis + 1 :])
        parts = [mx.sum(blocks, axis=axis + 1)]
        if whole < n:
            parts.append(mx.sum(x[(*before, slice(whole, n))], axis=axis, keepdims=True))
        x = mx.concatenate(parts, axis=axis)
    return mx.sum(x, axis=axis).reshape(shape)


def _reduced_shape(shape: tuple[int, ...], axis: int | None, keepdims: bool) -> tuple[int, ...]:
    axes = range(len(shape)) if axis is None else (axis % len(shape),)
    kept = enumerate(shape)
    if keepdims:
        return tuple(1 if i in axes else n for i, n in kept)
    return tuple(n for i, n in kept if i not in axes)
