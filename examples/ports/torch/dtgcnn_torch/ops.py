"""``TorchOps``: ``dtgcnn.array.ops.ArrayOps`` on PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar, cast

import numpy as np
import torch
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

F = TypeVar("F", bound=Callable[..., Any])


class TorchOps:
    """PyTorch on its accelerator where there is one, otherwise on the CPU.

    Args:
        device: ``"gpu"``, which is CUDA or an Apple GPU and may be called ``"cuda"`` or ``"mps"``
            where it is that, or ``"cpu"``; None takes the GPU where PyTorch has one.
        dtype: ``"float32"``, or ``"float64"``, which Apple GPUs do not have.
    """

    name = "torch"

    def __init__(self, device: str | None = None, dtype: str = "float32") -> None:
        accelerator = self._accelerator()
        names = {} if accelerator is None else {"gpu": accelerator, accelerator.type: accelerator}
        names["cpu"] = torch.device("cpu")
        device = device or next(iter(names))
        if device not in names:
            raise ValueError(f"device must be one of {list(names)}, received {device!r}")
        if dtype not in ("float32", "float64"):
            raise ValueError(f"dtype must be 'float32' or 'float64', received {dtype!r}")
        self.device = "cpu" if device == "cpu" else "gpu"
        self.dtype = dtype
        self._device = names[device]

    @classmethod
    def available_devices(cls) -> Sequence[str]:
        return ("cpu",) if cls._accelerator() is None else ("gpu", "cpu")

    @staticmethod
    def _accelerator() -> torch.device | None:
        """What is there; PyTorch built for CUDA names that on a machine without a GPU too."""
        there = torch.accelerator.is_available()
        return torch.accelerator.current_accelerator() if there else None

    def made_with(self) -> dict[str, Any]:
        """PyTorch's version, its name of the device, and whether float32 products may be TF32."""
        tf32 = self._device.type == "cuda" and torch.backends.cuda.matmul.allow_tf32
        return {"torch": torch.__version__, "torch_device": str(self._device), "tf32": tf32}

    def out_of_memory(self, error: Exception) -> bool:
        """A type of its own on accelerators, and on the CPU a RuntimeError of its allocator."""
        return isinstance(error, torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error)

    # -- creation and conversion
    def asarray(self, x: Any, dtype: str | None = None) -> Any:
        if not isinstance(x, torch.Tensor):
            # A copy: PyTorch would share the host's memory, and refuses backward strides.
            x = torch.from_numpy(np.array(x))
            if dtype is None and x.is_floating_point():
                dtype = self.dtype
        return x.to(self._device, None if dtype is None else _dtype_of(dtype))

    def to_numpy(self, x: Any) -> Any:
        host = x.detach().cpu().numpy()
        return host.astype(np.uint32) if x.dtype == _DTYPES["uint32"] else host

    def zeros(self, shape: tuple[int, ...], dtype: str | None = None) -> Any:
        return torch.zeros(shape, dtype=_dtype_of(dtype or self.dtype), device=self._device)

    def arange(self, stop: int) -> Any:
        return torch.arange(stop, dtype=torch.int32, device=self._device)

    def astype(self, x: Any, dtype: str) -> Any:
        return x.to(_dtype_of(dtype))

    # -- elementwise
    exp = staticmethod(torch.exp)
    log = staticmethod(torch.log)
    sqrt = staticmethod(torch.sqrt)
    tanh = staticmethod(torch.tanh)
    erf = staticmethod(torch.erf)
    abs = staticmethod(torch.abs)
    isfinite = staticmethod(torch.isfinite)
    maximum = staticmethod(torch.clamp)  # torch.maximum takes no Python scalar
    where = staticmethod(torch.where)

    # -- reductions
    def sum(self, x: Any, *, axis: int | None = None, keepdims: bool = False) -> Any:
        dtype = torch.int32 if x.dtype == torch.bool else x.dtype
        return torch.sum(x.contiguous(), dim=axis, keepdim=keepdims, dtype=dtype)

    max = staticmethod(torch.amax)

    def argmax(self, x: Any, *, axis: int) -> Any:
        return torch.argmax(x, dim=axis).int()

    def cumulative_sum(self, x: Any, *, axis: int) -> Any:
        return torch.cumsum(x, dim=axis, dtype=x.dtype)

    # -- shape
    reshape = staticmethod(torch.reshape)
    permute_dims = staticmethod(torch.permute)
    concat = staticmethod(torch.concat)

    # -- selection
    def take(self, x: Any, indices: Any, *, axis: int = 0) -> Any:
        axis %= x.ndim
        # The gradient of x[indices] adds up in an order that changes from call to call.
        chosen = torch.index_select(x, axis, indices.reshape(-1))
        return chosen.reshape(x.shape[:axis] + indices.shape + x.shape[axis + 1 :])

    def take_along_axis(self, x: Any, indices: Any, *, axis: int) -> Any:
        return torch.take_along_dim(x, indices.long(), dim=axis)

    def argsort(self, x: Any, *, axis: int = -1) -> Any:
        return torch.argsort(x, dim=axis, stable=True).int()

    # -- aggregation over neighbour lists
    def scatter_sum(self, x: Any, indices: Any, weights: Any, n: int) -> Any:
        spread = (x[:, None] * weights[..., None]).reshape(-1, x.shape[1])
        return x.new_zeros(n, x.shape[1]).index_add(0, indices.reshape(-1), spread)

    # -- transformations of functions
    stop_gradient = staticmethod(torch.detach)

    def value_and_grad(self, fn: Callable[..., tuple[Any, Any]]) -> Callable[..., Any]:
        def value_aux_grad(params: Any, *args: Any) -> tuple[Any, Any, Any]:
            params = _map(lambda leaf: leaf.detach().requires_grad_(), params)
            value, aux = fn(params, *args)
            if value.ndim > 0:  # PyTorch takes (1,) as well
                raise ValueError(f"the value must have shape (), received {tuple(value.shape)}")
            leaves = tuple(_leaves(params))
            gradients = iter(torch.autograd.grad(value, leaves, materialize_grads=True))
            return value.detach(), _map(torch.detach, aux), _map(lambda _: next(gradients), params)

        return value_aux_grad

    def compile(self, fn: F) -> F:
        return fn

    def checkpoint(self, fn: F) -> F:
        return cast(F, lambda *args: checkpoint(fn, *args, use_reentrant=False))

    def evaluate(self, *trees: Any) -> None:
        return None

    # -- native forms of functions of dtgcnn.array.numerics
    gelu = staticmethod(functional.gelu)

    def layer_norm(self, x: Any, weight: Any, bias: Any, eps: float) -> Any:
        return functional.layer_norm(x, weight.shape, weight, bias, eps)


_DTYPES = {
    "float32": torch.float32,
    "float64": torch.float64,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
    "int32": torch.int32,
    "uint32": torch.int64,  # PyTorch's own uint32 cannot be shifted or compared
    "bool": torch.bool,
}


def _dtype_of(name: str) -> torch.dtype:
    if name not in _DTYPES:
        raise ValueError(f"dtype must be one of {', '.join(_DTYPES)}, received {name!r}")
    return _DTYPES[name]


def _map(fn: Callable[[Any], Any], tree: Any) -> Any:
    if isinstance(tree, dict):
        return {name: _map(fn, sub) for name, sub in tree.items()}
    return fn(tree)


def _leaves(tree: Any) -> Iterator[Any]:
    if isinstance(tree, dict):
        for sub in tree.values():
            yield from _leaves(sub)
    else:
        yield tree
