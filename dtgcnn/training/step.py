"""``TrainingStep``: one step of training as a pure function, and what it is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ..array import (
    Array,
    ArrayOps,
    Tree,
    flatten,
    half_precision,
    merge,
    numerics,
    partition,
    ravel,
    tree_map,
    unravel,
)
from ..config import DTGCNNConfig
from ..losses import ConfigObjective, Objective, config_objective
from ..model import BatchNorm, Graph, Network, graph_figures
from ..optim import Optimizer, apply_updates, clip_by_global_norm

__all__ = ["TrainingStep"]

Stepped: TypeAlias = tuple[Tree, Tree, Tree, Tree]
"""The new parameters, running state and optimiser state, and the step's metrics."""


@dataclass(frozen=True)
class TrainingStep:
    """``step(params, state, optimizer_state, batch, sources, key, learning_rate)``.

    In ``batch`` are the rows ``x``, ``labels``, ``items``, maybe ``triplets``, and in bank scope
    the rows' links ``neighbors``, ``weights`` and ``own`` to the bank, whose states ``sources``
    holds. What changes from step to step is an array, so that the step can be compiled.

    Args:
        ops, config, network, optimizer: what it works with.
        objective: what is minimised; the config's loss where not given.
        frozen: dotted names of parameters that are not differentiated.
    """

    ops: ArrayOps
    config: DTGCNNConfig
    network: Network
    optimizer: Optimizer
    objective: Objective | None = None
    frozen: frozenset[str] = frozenset()

    @property
    def scales(self) -> bool:
        """Whether the loss is scaled, as float16's gradients need it."""
        return self.config.mixed_precision == "float16"

    def init(self, params: Tree) -> Tree:
        """The optimiser's first state, of the parameters that are not frozen."""
        state = self.optimizer.init(self.ops, self._joined(partition(params, self.frozen)[0]))
        return {**state, **half_precision.init_loss_scale(self.ops)} if self.scales else state

    def __call__(
        self,
        params: Tree,
        state: Tree,
        optimizer_state: Tree,
        batch: Tree,
        sources: Tree,
        key: Array,
        learning_rate: Array,
    ) -> Stepped:
        """Take a step: the new parameters, running state and optimiser's state, and metrics."""
        scale = optimizer_state.get("loss_scale")
        gradients, moved, metrics = self.differentiate(params, state, batch, sources, key, scale)
        params, optimizer_state, more = self.update(
            params, optimizer_state, gradients, learning_rate
        )
        return params, self.settle(state, moved, more), optimizer_state, {**metrics, **more}

    def differentiate(
        self,
        params: Tree,
        state: Tree,
        batch: Tree,
        sources: Tree,
        key: Array,
        scale: Array | None = None,
    ) -> tuple[Tree, Tree, Tree]:
        """The gradient of the batch's loss, times ``scale``, the new running state and metrics."""
        trained, kept = partition(params, self.frozen)

        def loss(trained: Tree) -> tuple[Array, Tree]:
            params = merge(trained, kept)
            z, new_state, figures = self._encode(params, state, batch, sources, key)
            value, metrics = self._objective(params, z, batch)
            aux = {"state": new_state, "metrics": {**metrics, **figures}}
            return value if scale is None else value * scale, aux

        value, aux, gradients = self.ops.value_and_grad(loss)(trained)
        metrics = {"loss": value if scale is None else value / scale, **aux["metrics"]}
        return gradients, self._keep(params, state, aux["state"]), metrics

    def embed(
        self, params: Tree, state: Tree, rows: Tree, sources: Tree, key: Array
    ) -> tuple[Array, Tree]:
        """Embeddings of the rows in a training pass, not differentiated, and the new state."""
        z, new_state, _ = self._encode(params, state, rows, sources, key)
        return z, self._keep(params, state, new_state)

    def mined_shape(self, batch: Tree) -> tuple[int, int]:
        """Of ``mine`` for all anchors of a batch, see ``ConfigObjective``; (0, 0) where the loss
        does not mine, or is not the config's alone."""
        objective = self.objective or config_objective(self.config)
        return objective.mined_shape(batch) if isinstance(objective, ConfigObjective) else (0, 0)

    def mine(self, embeddings: Array, batch: Tree, rows: Array) -> Array:
        """What is mined for the anchors at ``rows``, see ``ConfigObjective``."""
        return config_objective(self.config).mine(self.ops, embeddings, batch, rows)

    def differentiate_loss(
        self, params: Tree, embeddings: Array, batch: Tree
    ) -> tuple[Tree, Array, Tree]:
        """The gradient of the loss in the parameters that it uses itself and in the embeddings,
        and metrics."""
        trained, kept = partition(params, self.frozen)

        def loss(moving: Tree) -> tuple[Array, Tree]:
            return self._objective(merge(moving["params"], kept), moving["embeddings"], batch)

        moving = {"params": trained, "embeddings": embeddings}
        value, metrics, gradients = self.ops.value_and_grad(loss)(moving)
        return gradients["params"], gradients["embeddings"], {"loss": value, **metrics}

    def differentiate_rows(
        self, params: Tree, state: Tree, rows: Tree, sources: Tree, key: Array, seed: Array
    ) -> Tree:
        """The gradient of ``Σ seed · embeddings`` of the rows: their part of the chain rule."""
        trained, kept = partition(params, self.frozen)

        def dot(trained: Tree) -> tuple[Array, Tree]:
            z, _, _ = self._encode(merge(trained, kept), state, rows, sources, key)
            return self.ops.sum(z * seed), {}

        gradients: Tree = self.ops.value_and_grad(dot)(trained)[2]
        return gradients

    def update(
        self, params: Tree, optimizer_state: Tree, gradients: Tree, learning_rate: Array
    ) -> tuple[Tree, Tree, Tree]:
        """Clip the gradients and let the optimiser use them. Returns params, state, metrics.

        Scaled gradients are brought back first; where one is not finite, nothing moves but the
        scale.
        """
        ops, scale = self.ops, optimizer_state.get("loss_scale")
        gradients = self._joined(gradients)
        finite = self._all_finite(gradients) if self.scales else None
        if finite is not None:
            gradients = tree_map(lambda g: ops.where(finite, g / scale, 0.0), gradients)
        gradients, norm = clip_by_global_norm(ops, gradients, self.config.gradient_clip_val)
        tree, kept = partition(params, self.frozen)
        trained = self._joined(tree)
        updates, new_state = self.optimizer.update(
            ops, gradients, optimizer_state, trained, learning_rate
        )
        moved, metrics = apply_updates(trained, updates), {"gradient_norm": norm}
        if finite is not None:

            def choose(new: Array, old: Array) -> Array:
                return ops.where(finite, new, old)

            moved = tree_map(choose, moved, trained)
            new_state = tree_map(choose, new_state, {k: optimizer_state[k] for k in new_state})
            new_state |= half_precision.update_loss_scale(ops, optimizer_state, finite)
            skipped = 1.0 - ops.astype(finite, ops.dtype)
            metrics |= {"loss_scale": scale, "skipped_steps": skipped}
        moved = unravel(ops, moved, tree) if self.optimizer.elementwise else moved
        return merge(moved, kept), new_state, metrics

    def _joined(self, tree: Tree) -> Tree:
        """What the optimiser takes: one vector where it is ``elementwise``, else the tree."""
        return ravel(self.ops, tree) if self.optimizer.elementwise else tree

    def settle(self, state: Tree, moved: Tree, metrics: Tree) -> Tree:
        """The running state after an update: of a skipped step, the former."""
        if not self.scales:
            return moved
        skipped = metrics["skipped_steps"] > 0
        return tree_map(lambda new, old: self.ops.where(skipped, old, new), moved, state)

    def replay(self, params: Tree, state: Tree, moved: Sequence[Tree]) -> Tree:
        """The running state after passes one after the other, each of which moved one that was 0:
        ``(1 − momentum) state + moved``, see ``BatchNorm``."""
        keep, new_state = 1.0 - BatchNorm.momentum, state
        for one in moved:
            new_state = tree_map(lambda old, own: keep * old + own, new_state, one)
        return self._keep(params, state, new_state)

    def _all_finite(self, gradients: Tree) -> Array:
        bad = self.ops.zeros((), "int32")
        for leaf in flatten(gradients).values():
            bad = bad + self.ops.sum(~self.ops.isfinite(leaf))
        return bad == 0

    def _encode(
        self, params: Tree, state: Tree, rows: Tree, sources: Tree, key: Array
    ) -> tuple[Array, Tree, Tree]:
        ops, network = self.ops, self.network
        x = network.nodes(ops, params, rows["x"])
        gate = rows.get("gate")
        if sources:
            graph = Graph(rows["neighbors"], rows["weights"], rows["own"], None)
            states = [sources[str(i)] for i in range(len(network.layers))]
            return (*network(ops, params, state, x, graph, states, gate=gate, key=key), {})
        graph = network.constructor.construct_graph_batch(ops, x)
        figures = graph_figures(ops, graph, rows["labels"], rows["labels"])
        return (*network(ops, params, state, x, graph, gate=gate, key=key), figures)

    def _objective(self, params: Tree, embeddings: Array, batch: Tree) -> tuple[Array, Tree]:
        ops, objective = self.ops, self.objective or config_objective(self.config)
        value, metrics = objective(ops, params, embeddings, batch)
        if self.network.residual and self.config.start_weight > 0.0:
            unit = self.network.linked_by(ops, embeddings)
            kept = ops.sum(unit * batch["x"], axis=1, keepdims=True)
            value = value + self.config.start_weight * (1.0 - numerics.mean(ops, kept))
        deviation = ops.sqrt(numerics.var(ops, ops.stop_gradient(embeddings), 0, keepdims=True))
        spread = ops.sum(deviation / embeddings.shape[1])
        return value, {**metrics, "embedding_spread": spread}

    def _keep(self, params: Tree, state: Tree, new_state: Tree) -> Tree:
        """``new_state``, but the former one of layers that are frozen as a whole."""
        if not self.frozen:
            return new_state
        frozen = {
            name: state["gcn"][name]
            for name, leaves in params["gcn"].items()
            if flatten(leaves, f"gcn.{name}").keys() <= self.frozen
        }
        return {"gcn": {**new_state["gcn"], **frozen}}
