"""Heads: from a node's last hidden state to what is asked of it."""

from __future__ import annotations

from dataclasses import dataclass

from ..array import Array, ArrayOps, Tree, numerics
from ..config import Initializer
from .layers import Linear

__all__ = ["ProjectionHead"]


@dataclass(frozen=True)
class ProjectionHead:
    """``z = h W + b``, its rows at unit length unless ``normalize`` is False."""

    in_dim: int
    out_dim: int
    normalize: bool = True
    initializer: Initializer = "xavier_uniform"

    @property
    def linear(self) -> Linear:
        return Linear(self.in_dim, self.out_dim, self.initializer)

    def init(self, ops: ArrayOps, key: Array) -> Tree:
        return self.linear.init(ops, key)

    def __call__(
        self, ops: ArrayOps, params: Tree, h: Array, precision: str | None = None
    ) -> Array:
        z = self.linear(ops, params, h, precision)
        return numerics.l2_normalize(ops, z) if self.normalize else z
