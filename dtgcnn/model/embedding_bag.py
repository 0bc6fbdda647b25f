"""``EmbeddingBag``: the trainable embedding layer, from the pieces of a text to a node."""

from __future__ import annotations

from dataclasses import dataclass

from ..array import Array, ArrayOps, Tree, numerics, uniform

__all__ = ["EmbeddingBag"]


@dataclass(frozen=True)
class EmbeddingBag:
    """``x = normalise((1 / L) Σ_l E[t_l])``, the mean of the vectors of a text's L pieces.

    A bag of pieces (Iyyer et al. 2015; Bojanowski et al. 2017, arXiv:1607.04606). Piece 0 is
    padding and counts for nothing; a text without any piece gives a row of zeros.

    Args:
        vocab_size: V, how many pieces there are, padding included.
        dim: D, the width of their vectors.
    """

    vocab_size: int
    dim: int

    def init(self, ops: ArrayOps, key: Array) -> Tree:
        """``weight`` (V, D), uniform with variance 1 / D: two texts begin as similar as their
        pieces are the same."""
        bound = (3.0 / self.dim) ** 0.5
        drawn = uniform(ops, key, (self.vocab_size, self.dim))
        return {"weight": (2.0 * drawn - 1.0) * bound}

    def __call__(self, ops: ArrayOps, params: Tree, pieces: Array) -> Array:
        """(N, D) unit rows of ``pieces`` (N, L), int32 in [0, V)."""
        real = ops.astype(pieces > 0, ops.dtype)
        share = real / ops.maximum(ops.sum(real, axis=1, keepdims=True), 1.0)
        bags = numerics.gather_sum(ops, params["weight"], pieces, share)
        return numerics.l2_normalize(ops, bags)
