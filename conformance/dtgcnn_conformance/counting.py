"""``Counting``: a backend that counts how often some of its operations are asked for."""

from __future__ import annotations

from collections import Counter
from typing import Any, cast

from dtgcnn.array import half_precision
from dtgcnn.array.ops import Array, ArrayOps

__all__ = ["Counting"]


class Counting:
    """A backend around another one, whose results are the other's.

    Args:
        inner: what computes.
    """

    def __init__(self, inner: ArrayOps) -> None:
        self._inner = inner
        self.calls: Counter[str] = Counter()
        """How often ``checkpoint`` and ``half_matmul`` were called."""

    @property
    def ops(self) -> ArrayOps:
        """This object, as what takes a backend takes it."""
        return cast(ArrayOps, self)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def checkpoint(self, fn: Any) -> Any:
        """As the backend's, counted."""
        self.calls["checkpoint"] += 1
        return self._inner.checkpoint(fn)

    def half_matmul(self, x: Array, weight: Array, precision: str) -> Array:
        """The product in half precision, counted."""
        self.calls["half_matmul"] += 1
        return half_precision.half_matmul(self._inner, x, weight, precision)
