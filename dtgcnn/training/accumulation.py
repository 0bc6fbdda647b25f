"""Several batches of the loader as one step: gradient accumulation.

Plain accumulation adds the gradients of batches that never meet: a row is compared with its own
batch only. With cached gradients (Gao et al. 2021, arXiv:2101.06983) the batches are one large
batch to mining and loss, while only one of them is differentiated at a time: all are embedded, the
gradient of the loss in the embeddings is taken, and each batch is embedded once more to carry its
rows of that gradient on to the parameters. Several processes share the parts: embeddings are
gathered, each part mines for its share of the anchors among all rows, what is mined is gathered,
every process takes the gradient of the loss, and the parts' gradients are gathered and added in the
order of the parts, so that every number of processes gives the same bits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from ..array import Array, ArrayOps, Tree, flatten, ravel, split, tree_map, unravel
from ..array.distributed import ALONE, World, bounds_of, gathered_rows
from .step import TrainingStep

__all__ = ["AccumulatedStep"]


class AccumulatedStep:
    """``TrainingStep`` in parts: gradients of several batches, then one update.

    Args:
        step: what it is made of.
        compiled: compiles a pure function; the identity to keep it as it is.
        world: the processes that share the parts of ``cached``.
        loss_has_parameters: whether the loss uses parameters itself, beside the embeddings.
    """

    def __init__(
        self,
        step: TrainingStep,
        compiled: Callable[[Any], Any] | None = None,
        world: World = ALONE,
        loss_has_parameters: bool = False,
    ) -> None:
        make = compiled or (lambda fn: fn)
        self.world = world
        self._width, self._loss_has_parameters = step.config.output_dim, loss_has_parameters
        self.ops: ArrayOps = step.ops
        self._differentiate = make(step.differentiate)
        self._embed = make(step.embed)
        self._mined_shape, self._mine = step.mined_shape, make(step.mine)
        self._differentiate_loss = make(step.differentiate_loss)
        self._differentiate_rows = make(step.differentiate_rows)
        self.update = make(step.update)
        """``(params, optimizer_state, gradients, learning_rate)``, see ``TrainingStep.update``."""
        self._replay = step.replay
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

        ``parts`` hold rows, ``joint`` the labels, items and triplets of all rows together. Of W
        processes the r-th embeds and differentiates the parts from n·r//W to n·(r + 1)//W alone.
        """
        ops, world, keys = self.ops, self.world, self._keys(key, len(parts))
        cuts = bounds_of(len(parts), world.size)
        own = range(cuts[world.rank], cuts[world.rank + 1])
        pieces, moved = [], []
        still = tree_map(lambda leaf: leaf * 0.0, state)
        for i in own:
            z, part_state = self._embed(params, still, parts[i], sources, keys[i])
            ops.evaluate(z, part_state)
            pieces.append(z)
            moved.append(part_state)
        starts = [0]
        for part in parts:
            starts.append(starts[-1] + part["x"].shape[0])
        bounds, width = [starts[cut] for cut in cuts], (self._width,)
        embeddings = gathered_rows(world, ops, "embeddings", pieces, bounds, width, ops.dtype)
        new_state = self._replay(params, state, self._parts_of("running state", moved, still, cuts))
        joint = self._with_mined(embeddings, joint, len(parts), cuts)
        total, seeds, metrics = self._differentiate_loss(params, embeddings, joint)
        if scale is not None:
            total, seeds = tree_map(lambda g: g * scale, total), seeds * scale
        ops.evaluate(total, seeds, metrics)
        gradients = []
        for i in own:
            rows = slice(starts[i], starts[i + 1])
            found = self._differentiate_rows(params, state, parts[i], sources, keys[i], seeds[rows])
            gradients.append(self._summable(found, scale))
            if world.size == 1:
                total = _add(total, gradients.pop(), 1.0)
            ops.evaluate(total if world.size == 1 else gradients[-1])
        if world.size > 1:
            if self._loss_has_parameters:
                # That of unlike processors may differ in its last bits: rank 0's is that of all.
                first = [0] + [1] * world.size
                given = [total] if world.is_first else []
                total = self._parts_of("loss", given, total, first)[0]
            for found in self._parts_of("gradients", gradients, total, cuts):
                total = _add(total, found, 1.0)
                ops.evaluate(total)
        return total, new_state, metrics

    def _with_mined(self, embeddings: Array, joint: Tree, parts: int, cuts: Sequence[int]) -> Tree:
        """``joint`` with what is mined, each part's share of the anchors by the part's process."""
        ops, world = self.ops, self.world
        count, width = self._mined_shape(joint)
        if count == 0:
            return joint
        starts = bounds_of(count, parts)
        pieces = []
        for i in range(cuts[world.rank], cuts[world.rank + 1]):
            rows = ops.arange(starts[i + 1] - starts[i]) + starts[i]
            if rows.shape[0]:
                pieces.append(self._mine(embeddings, joint, rows))
                ops.evaluate(pieces[-1])
        bounds = [starts[cut] for cut in cuts]
        mined = gathered_rows(world, ops, "mined triplets", pieces, bounds, (width,), "int32")
        return {**joint, "mined": mined}

    def _parts_of(self, name: str, own: list[Tree], like: Tree, cuts: Sequence[int]) -> list[Tree]:
        """The trees of all parts in order, of which this process has its ``own``; each is shaped
        like ``like``."""
        ops, world = self.ops, self.world
        if world.size == 1:
            return own
        leaves = flatten(like)
        if not leaves:
            return [like for _ in range(cuts[-1])]
        length = sum(math.prod(leaf.shape) for leaf in leaves.values())
        most = max(stop - start for start, stop in pairwise(cuts))
        rows = [ravel(ops, tree) for tree in own]
        rows += [ops.zeros((length,))] * (most - len(rows))
        found = world.all_gather(name, ops.reshape(ops.concat(rows), (most, length)))
        trees = []
        for rank, (start, stop) in enumerate(pairwise(cuts)):
            trees += [unravel(ops, found[rank][i], like) for i in range(stop - start)]
        return trees

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
