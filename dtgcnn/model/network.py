"""``Network``: the pure network, a function of parameters, running state, rows and graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ..array import Array, ArrayOps, Tree, derive_key, split
from ..config import DTGCNNConfig
from .embedding_bag import EmbeddingBag
from .graph import EfficientGraphConstructor, Graph
from .heads import ProjectionHead
from .layers import GCNLayer

__all__ = ["Network"]


@dataclass(frozen=True)
class Network:
    """The pure network: graph convolutions, then the projection head.

    Args:
        layers, head: its parts.
        constructor: makes the graphs.
        precision: ``"float16"`` or ``"bfloat16"`` for matrix products in training passes.
        embedding: makes a node of the pieces of a text; None where vectors go in.
        recompute: whether training passes keep no hidden values of a layer for the backward pass
            but compute them again (Chen et al. 2016, arXiv:1604.06174).
    """

    layers: tuple[GCNLayer, ...]
    head: ProjectionHead
    constructor: EfficientGraphConstructor
    precision: str | None = None
    embedding: EmbeddingBag | None = None
    recompute: bool = False

    @classmethod
    def from_config(cls, config: DTGCNNConfig) -> Network:
        """The network that the settings shape."""
        widths = (config.input_dim, *config.hidden_dims)
        shape = (config.gcn_activation, config.use_batch_norm, config.dropout_rate)
        layers = tuple(GCNLayer(a, b, *shape, config.initializer) for a, b in pairwise(widths))
        constructor = EfficientGraphConstructor(
            config.graph_k_neighbors, config.graph_similarity_threshold, config.graph_self_weight
        )
        head = ProjectionHead(
            widths[-1], config.output_dim, config.normalize_output, config.initializer
        )
        precision = str(config.mixed_precision) if config.mixed_precision else None
        bag = None if config.vocab_size is None else EmbeddingBag(config.vocab_size, widths[0])
        return cls(layers, head, constructor, precision, bag, config.gradient_checkpointing)

    def init(self, ops: ArrayOps, seed: int) -> tuple[Tree, Tree]:
        """Parameters and running state. The same seed gives the same bits on every backend."""

        def key(*path: int | str) -> Array:
            return ops.asarray(derive_key(seed, "init", *path), "uint32")

        named = [(str(i), layer) for i, layer in enumerate(self.layers)]
        params = {
            "gcn": {name: layer.init(ops, key("gcn", int(name))) for name, layer in named},
            "head": self.head.init(ops, key("head")),
        }
        if self.embedding is not None:
            params["embedding"] = self.embedding.init(ops, key("embedding"))
        return params, {"gcn": {name: layer.init_state(ops) for name, layer in named}}

    def nodes(self, ops: ArrayOps, params: Tree, rows: Array) -> Array:
        """The nodes (N, input_dim) of device rows: unit vectors as they are, or the embedding bags
        of pieces (N, max_length), int32."""
        if self.embedding is None:
            return rows
        return self.embedding(ops, params["embedding"], rows)

    def __call__(
        self,
        ops: ArrayOps,
        params: Tree,
        state: Tree,
        x: Array,
        graph: Graph,
        sources: Sequence[Array] | None = None,
        *,
        key: Array | None = None,
    ) -> tuple[Array, Tree]:
        """Embeddings (N, output_dim) of the nodes ``x`` (N, input_dim), and the new running state.

        Args:
            params, state: as ``init`` gives them.
            x: the nodes.
            graph: links among the nodes, or from the nodes to the bank's rows.
            sources: the bank's states, one for each layer; None where the nodes link to each other.
            key: makes it a training pass (dropout, batch statistics). Without one, and with
                ``sources``, no bit of an embedding depends on the other rows.
        """
        count = len(self.layers)
        keys: Sequence[Array | None] = split(ops, key, count) if key is not None else [None] * count
        precision = None if key is None else self.precision
        h, new_state = x, {}
        for index, layer in enumerate(self.layers):
            name, source = str(index), None if sources is None else sources[index]
            h, new_state[name] = self._apply(
                ops, layer, params["gcn"][name], state["gcn"][name], h, graph, source, keys[index]
            )
        z = self.head(ops, params["head"], h, precision, by_rows=key is None)
        return z, {"gcn": new_state}

    def _apply(
        self,
        ops: ArrayOps,
        layer: GCNLayer,
        params: Tree,
        state: Tree,
        h: Array,
        graph: Graph,
        source: Array | None,
        key: Array | None,
    ) -> tuple[Array, Tree]:
        if key is None:
            return layer(ops, params, state, h, graph, source, by_rows=True)

        def run(params: Tree, h: Array) -> tuple[Array, Tree]:
            return layer(ops, params, state, h, graph, source, key=key, precision=self.precision)

        return (ops.checkpoint(run) if self.recompute else run)(params, h)
