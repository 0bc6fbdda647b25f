"""Several batches of the loader as one step: gradient accumulation.

Plain accumulation adds the gradients of batches that never meet: a row is compared with its own
batch only. With cached gradients (Gao et al. 2021, arXiv:2101.06983) the batches are one large
batch to mining and loss, while only one of them is differentiated at a time: all are embedded, the
gradient of the loss in the embeddings is taken, and each batch is embedded once more to carry its
rows of that gradient on to the parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..array import Array, ArrayOps, Tree, split, tree_map
from .step import TrainingStep

__all__ = ["AccumulatedStep"]


class AccumulatedStep:
    """``TrainingStep`` in parts: gradients of several batches, then one update.

    Args:
        step: what it is made of.
        compiled: compiles a pure function; the identity to keep it as it is.
    """

    def __init__(self, step: TrainingStep, compiled: Callable[[Any], Any] | None = None) -> None:
        make = compiled or (lambda fn: fn)
        self.ops: ArrayOps = step.ops
        self._differentiate = make(step.differentiate)
        self._embed = make(step.embed)
        self._differentiate_loss = make(step.differentiate_loss)
        self._differentiate_rows = make(step.differentiate_rows)
        self.update = make(step.update)
        """``(params, optimizer_state, gradients, learning_rate)``, see ``TrainingStep.update``."""
        self.settle = step.settle
        """``(state, moved, metrics)``, see ``TrainingStep.settle``."""

    def plain(
        self,
        params: Tree,
        state: Tree,
        parts: Sequence[Tree],
        sources: Tree,
        key: Array,
        scale: Array | None = None,
    ) -> tuple[Tree, Tree, Tree]:
        """The mean of the parts' own gradients, the new running state and mean metrics."""
        share, total, metrics = 1.0 / len(parts), None, None
        for part, own_key in zip(parts, self._keys(key, len(parts)), strict=True):
            gradients, state, figures = self._differentiate(
                params, state, part, sources, own_key, scale
            )
            total = _add(total, self._summable(gradients, scale), share)
            metrics = _add(metrics, figures, share)
            self.ops.evaluate(total, state, metrics)
        return total, state, metrics

    def cached(
        self,
        params: Tree,
        state: Tree,
        parts: Sequence[Tree],
        joint: Tree,
        sources: Tree,
        key: Array,
        scale: Array | None = None,
    ) -> tuple[Tree, Tree, Tree]:
        """The gradient of the loss of all parts as one batch, the new running state and metrics.

        ``parts`` hold rows, ``joint`` the labels, items and triplets of all rows together.
        """
        ops, keys, pieces = self.ops, self._keys(key, len(parts)), []
        new_state = state
        for part, own_key in zip(parts, keys, strict=True):
            z, new_state = self._embed(params, new_state, part, sources, own_key)
            ops.evaluate(z, new_state)
            pieces.append(z)
        total, seeds, metrics = self._differentiate_loss(params, ops.concat(pieces), joint)
        if scale is not None:
            total, seeds = tree_map(lambda g: g * scale, total), seeds * scale
        ops.evaluate(total, seeds, metrics)
        start = 0
        for part, own_key in zip(parts, keys, strict=True):
            stop = start + part["x"].shape[0]
            gradients = self._differentiate_rows(
                params, state, part, sources, own_key, seeds[start:stop]
            )
            total, start = _add(total, self._summable(gradients, scale), 1.0), stop
            ops.evaluate(total)
        return total, new_state, metrics

    def _summable(self, gradients: Tree, scale: Array | None) -> Tree:
        """Where a scaled gradient overflowed, NaN: infinities of both signs would not add up. The
        step is skipped for either."""
        if scale is None:
            return gradients
        ops = self.ops
        return tree_map(lambda g: ops.where(ops.isfinite(g), g, float("nan")), gradients)

    def _keys(self, key: Array, count: int) -> list[Array]:
        return [key] if count == 1 else split(self.ops, key, count)


def _add(total: Tree | None, tree: Tree, share: float) -> Tree:
    if total is None:
        return tree_map(lambda leaf: leaf * share, tree)
    return tree_map(lambda sum_, leaf: sum_ + leaf * share, total, tree)
