"""Wrong creation and conversion of arrays, and what a backend tells of itself."""

from __future__ import annotations

from typing import Any

import numpy as np
from dtgcnn_numpy import NumpyOps

from .fault import rejected_by


@rejected_by("ops/host_arrays_of_any_layout", "random/normal", "layers/initialisers")
class TruncatedNumbers(NumpyOps):
    """``asarray`` rounds float64 towards zero."""

    def asarray(self, x: Any, dtype: str | None = None) -> Any:
        near = super().asarray(x, dtype)
        exact = np.asarray(x)
        if near.dtype != np.float32 or exact.dtype != np.float64:
            return near
        far = np.abs(near.astype(np.float64)) > np.abs(exact)
        return np.where(far, np.nextafter(near, np.float32(0.0)), near)


@rejected_by("ops/asarray", "losses/margin_of_the_batch")
class WholeNumbers(NumpyOps):
    """``asarray`` takes a 0-d array of a float for a whole number."""

    def asarray(self, x: Any, dtype: str | None = None) -> Any:
        out = super().asarray(x, dtype)
        return np.round(out) if out.ndim == 0 and out.dtype.kind == "f" else out


@rejected_by("ops/asarray")
class DoublesStay(NumpyOps):
    """``asarray`` keeps the host's float64."""

    def asarray(self, x: Any, dtype: str | None = None) -> Any:
        return np.asarray(x, dtype)


@rejected_by("ops/asarray")
class IntegersThroughFloats(NumpyOps):
    """``asarray`` carries whole numbers through float32, which holds 24 bits of them."""

    def asarray(self, x: Any, dtype: str | None = None) -> Any:
        out = super().asarray(x, dtype)
        return out.astype(np.float32).astype(out.dtype) if out.dtype.kind == "i" else out


@rejected_by("ops/asarray")
class OneStagingBuffer(NumpyOps):
    """``asarray`` copies every array of one shape to the same memory."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._buffers: dict[Any, Any] = {}

    def asarray(self, x: Any, dtype: str | None = None) -> Any:
        out = super().asarray(x, dtype)
        buffer = self._buffers.setdefault((out.shape, out.dtype), np.empty_like(out))
        buffer[...] = out
        return buffer


@rejected_by("ops/to_numpy")
class OneHostBuffer(NumpyOps):
    """``to_numpy`` copies every array of one shape to the same memory."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._buffers: dict[Any, Any] = {}

    def to_numpy(self, x: Any) -> Any:
        out = super().to_numpy(x)
        buffer = self._buffers.setdefault((out.shape, out.dtype), np.empty_like(out))
        buffer[...] = out
        return buffer


@rejected_by("ops/to_numpy", "training/state_on_the_host")
class HostInDecimals(NumpyOps):
    """``to_numpy`` keeps eight decimal places."""

    def to_numpy(self, x: Any) -> Any:
        host = super().to_numpy(x)
        return np.round(host, 8) if host.dtype.kind == "f" else host


@rejected_by("ops/to_numpy")
class StridesForgotten(NumpyOps):
    """``to_numpy`` of a transposed array gives its memory in the order it lies in."""

    def to_numpy(self, x: Any) -> Any:
        host = super().to_numpy(x)
        return host.ravel(order="K").reshape(host.shape)


@rejected_by("ops/zeros_and_arange")
class ZerosAreFloats(NumpyOps):
    """``zeros`` ignores the dtype asked for."""

    def zeros(self, shape: tuple[int, ...], dtype: str | None = None) -> Any:
        return np.zeros(shape, self.dtype)


@rejected_by("ops/zeros_and_arange")
class LongRange(NumpyOps):
    """``arange`` counts in int64."""

    def arange(self, stop: int) -> Any:
        return np.arange(stop, dtype=np.int64)


@rejected_by("ops/astype")
class RoundingCast(NumpyOps):
    """``astype`` to int32 rounds to the nearest."""

    def astype(self, x: Any, dtype: str) -> Any:
        return super().astype(np.round(x) if dtype == "int32" else x, dtype)


@rejected_by("ops/astype")
class WholeTruth(NumpyOps):
    """``astype`` to bool takes a half for false."""

    def astype(self, x: Any, dtype: str) -> Any:
        return super().astype(x.astype(np.int32) if dtype == "bool" else x, dtype)


@rejected_by("ops/memory")
class MemoryInMegabytes(NumpyOps):
    """``memory`` counts in fractions of a megabyte."""

    def memory(self) -> dict[str, int]:
        return {name: size / 2**20 for name, size in super().memory().items()}  # type: ignore[misc]


@rejected_by("ops/name_device_and_dtype")
class DeviceByIndex(NumpyOps):
    """``device`` has a number that ``available_devices`` does not list."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.device = "cpu:0"


@rejected_by("ops/evaluate")
class EvaluatedIsDonated(NumpyOps):
    """``evaluate`` gives the memory of what it computed away."""

    def evaluate(self, *trees: Any) -> None:
        for tree in trees:
            if isinstance(tree, np.ndarray) and tree.flags.writeable:
                tree[...] = 0
