"""``Network``: the pure network, a function of parameters, running state, nodes and graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from ..array import Array, ArrayOps, Tree, derive_key, numerics, split, tree_map
from ..config import DTGCNNConfig
from .embedding_bag import EmbeddingBag
from .graph import EfficientGraphConstructor, Graph, propagate
from .heads import ProjectionHead
from .layers import GCNLayer

__all__ = ["Network"]


@dataclass(frozen=True)
class Network:
    """The pure network: graph convolutions, then the projection head.

    With ``residual`` the nodes x are embeddings already, and what the head gives is added to them,
    ``f = unit(x + g · head(h))``; its parameters are 0 at first, so that f is x.

    Args:
        layers, head: its parts.
        constructor: makes the graphs.
        precision: ``"float16"`` or ``"bfloat16"`` for matrix products in training passes.
        embedding: makes a node of the pieces of a text; None where vectors go in.
        recompute: whether training passes keep no hidden values of a layer for the backward pass
            but compute them again (Chen et al. 2016, arXiv:1604.06174).
        residual: whether it adds to its nodes.
        normalize: whether embeddings are at unit length.
    """

    layers: tuple[GCNLayer, ...]
    head: ProjectionHead
    constructor: EfficientGraphConstructor
    precision: str | None = None
    embedding: EmbeddingBag | None = None
    recompute: bool = False
    residual: bool = False
    normalize: bool = True

    def linked_by(self, ops: ArrayOps, f: Array) -> Array:
        """What embeddings ``f`` are linked by in propagation: at unit length."""
        return f if self.normalize else numerics.l2_normalize(ops, f)

    @property
    def propagation(self) -> EfficientGraphConstructor:
        """Makes the graphs of propagation, whose own share is adaptive."""
        return replace(self.constructor, self_weight="adaptive")

    @classmethod
    def from_config(cls, config: DTGCNNConfig) -> Network:
        """The network that the settings shape."""
        widths = (config.node_width, *config.hidden_dims)
        shape = (config.gcn_activation, config.use_batch_norm, config.dropout_rate)
        layers = tuple(GCNLayer(a, b, *shape, config.initializer) for a, b in pairwise(widths))
        constructor = EfficientGraphConstructor(
            config.graph_k_neighbors, config.graph_similarity_threshold, config.graph_self_weight
        )
        head = ProjectionHead(
            widths[-1],
            config.output_dim,
            config.normalize_output and not config.has_start,
            config.initializer,
        )
        precision = str(config.mixed_precision) if config.mixed_precision else None
        bag = None if config.vocab_size is None else EmbeddingBag(config.vocab_size, widths[0])
        return cls(
            layers,
            head,
            constructor,
            precision,
            bag,
            config.gradient_checkpointing,
            config.has_start,
            config.normalize_output,
        )

    @property
    def weight_shapes(self) -> dict[str, tuple[int, int]]:
        """The shapes of the weights, by dotted name: what is large of what ``init`` makes."""
        linear = {f"gcn.{i}.linear": layer.linear for i, layer in enumerate(self.layers)}
        named = {**linear, "head": self.head.linear}.items()
        shapes = {f"{name}.weight": (part.in_dim, part.out_dim) for name, part in named}
        if self.embedding is not None:
            shapes["embedding.weight"] = (self.embedding.vocab_size, self.embedding.dim)
        return shapes

    def init(self, ops: ArrayOps, seed: int) -> tuple[Tree, Tree]:
        """Parameters and running state. The same seed gives the same bits on every backend."""

        def key(*path: int | str) -> Array:
            return ops.asarray(derive_key(seed, "init", *path), "uint32")

        named = [(str(i), layer) for i, layer in enumerate(self.layers)]
        params = {
            "gcn": {name: layer.init(ops, key("gcn", int(name))) for name, layer in named},
            "head": self.head.init(ops, key("head")),
        }
        if self.residual:
            params["head"] = tree_map(lambda leaf: leaf * 0.0, params["head"])
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
        gate: Array | None = None,
        key: Array | None = None,
    ) -> tuple[Array, Tree]:
        """Embeddings (N, output_dim) of the nodes ``x`` (N, D), and the new running state.

        Args:
            params, state: as ``init`` gives them.
            x: the nodes.
            graph: links among the nodes, or from the nodes to the bank's rows.
            sources: the bank's states, one for each layer; None where the nodes link to each other.
            gate: (N, 1), how much of what the head gives is added; 1 where not given.
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
        z = self.added(ops, params, x, h, gate, precision, by_rows=key is None)
        return z, {"gcn": new_state}

    def added(
        self,
        ops: ArrayOps,
        params: Tree,
        x: Array,
        h: Array,
        gate: Array | None,
        precision: str | None = None,
        by_rows: bool = False,
    ) -> Array:
        """The embeddings f of nodes whose last hidden states are ``h``."""
        z = self.head(ops, params["head"], h, precision, by_rows)
        if not self.residual:
            return z
        z = x + (z if gate is None else gate * z)
        return numerics.l2_normalize(ops, z) if self.normalize else z

    def hop(self, ops: ArrayOps, f: Array, graph: Graph, source: Array) -> Array:
        """``unit(own f + Σ_j w_j source_j)``, a step of propagation of embeddings ``f`` (N,
        output_dim) whose neighbours j are rows of a bank (Gasteiger et al. 2019, arXiv:1810.05997).
        """
        z = propagate(ops, graph, f, source)
        return numerics.l2_normalize(ops, z) if self.normalize else z

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
