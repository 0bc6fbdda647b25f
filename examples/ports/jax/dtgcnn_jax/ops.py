"""``JaxOps``: ``dtgcnn.array.ops.ArrayOps`` on JAX."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.random import threefry_2x32

F = TypeVar("F", bound=Callable[..., Any])


class JaxOps:
    """JAX on its GPU or TPU where there is one, otherwise on the CPU.

    JAX has one default device: the object that was made last decides where new arrays lie.

    Args:
        device: ``"gpu"``, ``"tpu"`` or ``"cpu"``; None takes what JAX prefers.
        dtype: ``"float32"``.
        compile: whether ``compile`` is ``jax.jit``. The first step then takes seconds.
    """

    name = "jax"

    def __init__(
        self, device: str | None = None, dtype: str = "float32", compile: bool = True
    ) -> None:
        devices = self.available_devices()
        device = device or devices[0]
        if device not in devices:
            raise ValueError(f"device must be one of {list(devices)}, received {device!r}")
        if dtype != "float32":
            raise ValueError(f"dtype must be 'float32' for the jax backend, received {dtype!r}")
        self.device = device
        self.dtype = dtype
        self._compile = compile
        jax.config.update("jax_default_device", jax.devices(device)[0])

    @classmethod
    def available_devices(cls) -> Sequence[str]:
        first = jax.default_backend()
        return (first,) if first == "cpu" else (first, "cpu")

    def made_with(self) -> dict[str, Any]:
        """JAX's version, and the precision of its float32 products, None where it is JAX's own."""
        precision = jax.config.jax_default_matmul_precision
        return {"jax": jax.__version__, "matmul_precision": precision}

    def out_of_memory(self, error: Exception) -> bool:
        """XLA's status, with which the text of its error begins."""
        return str(error).startswith("RESOURCE_EXHAUSTED")

    # -- creation and conversion
    def asarray(self, x: Any, dtype: str | None = None) -> Any:
        if not isinstance(x, jax.Array):
            x = np.array(x)  # a copy: JAX may share the host's memory
            if dtype is None and x.dtype.kind == "f":
                dtype = self.dtype
        return jnp.asarray(x, dtype)

    to_numpy = staticmethod(np.array)

    def zeros(self, shape: tuple[int, ...], dtype: str | None = None) -> Any:
        return jnp.zeros(shape, dtype or self.dtype)

    arange = staticmethod(jnp.arange)
    astype = staticmethod(jnp.astype)

    # -- elementwise
    exp = staticmethod(jnp.exp)
    log = staticmethod(jnp.log)
    sqrt = staticmethod(jnp.sqrt)
    tanh = staticmethod(jnp.tanh)
    erf = staticmethod(jax.scipy.special.erf)
    abs = staticmethod(jnp.abs)
    isfinite = staticmethod(jnp.isfinite)
    maximum = staticmethod(jnp.maximum)
    where = staticmethod(jnp.where)

    # -- reductions
    sum = staticmethod(jnp.sum)
    max = staticmethod(jnp.max)
    argmax = staticmethod(jnp.argmax)
    cumulative_sum = staticmethod(jnp.cumulative_sum)

    # -- shape
    reshape = staticmethod(jnp.reshape)
    permute_dims = staticmethod(jnp.permute_dims)
    concat = staticmethod(jnp.concat)

    # -- selection
    def take(self, x: Any, indices: Any, *, axis: int = 0) -> Any:
        return jnp.take(x, indices, axis=axis)

    take_along_axis = staticmethod(jnp.take_along_axis)
    argsort = staticmethod(jnp.argsort)

    # -- aggregation over neighbour lists
    def scatter_sum(self, x: Any, indices: Any, weights: Any, n: int) -> Any:
        spread = x[:, None] * weights[..., None]
        return jnp.zeros((n, x.shape[1]), x.dtype).at[indices].add(spread)

    # -- randomness
    def random_bits(self, key: Any, n: int) -> Any:
        return threefry_2x32(key, jnp.arange(n + n % 2, dtype="uint32"))[:n]

    # -- transformations of functions
    stop_gradient = staticmethod(jax.lax.stop_gradient)

    def value_and_grad(self, fn: Callable[..., tuple[Any, Any]]) -> Callable[..., Any]:
        def value_aux_grad(params: Any, *args: Any) -> tuple[Any, Any, Any]:
            (value, aux), gradients = jax.value_and_grad(fn, has_aux=True)(params, *args)
            return value, aux, gradients

        return value_aux_grad

    def compile(self, fn: F) -> F:
        return cast(F, jax.jit(fn)) if self._compile else fn

    checkpoint = staticmethod(jax.checkpoint)

    def evaluate(self, *trees: Any) -> None:
        jax.block_until_ready(trees)
