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
        """The layer of W (in_dim, out_dim) and b."""
        return Linear(self.in_dim, self.out_dim, self.initializer)

    def init(self, ops: ArrayOps, key: Array) -> Tree:
        """The parameters of ``linear``."""
        return self.linear.init(ops, key)

    def __call__(
        self,
        ops: ArrayOps,
        params: Tree,
        h: Array,
        precision: str | None = None,
        by_rows: bool = False,
    ) -> Array:
        """(N, in_dim) to (N, out_dim); ``precision`` and ``by_rows`` as of ``Linear``."""
        z = self.linear(ops, params, h, precision, by_rows)
        return numerics.l2_normalize(ops, z) if self.normalize else z
