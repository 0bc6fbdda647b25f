"""``DTGCNN``: the model, from vectors or texts to embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import numerics
from .backends import load_ops
from .bank import Bank, choose_rows
from .config import DTGCNNConfig, check_names
from .graph import EfficientGraphConstructor, Graph
from .heads import ProjectionHead
from .layers import GCNLayer
from .ops import Array, ArrayOps, HostArray, Tree
from .random import derive_key, split

if TYPE_CHECKING:
    from .data import Encoder

__all__ = ["DTGCNN", "Network", "create_model"]

ENCODE_ROWS = 256
"""Rows encoded at a time. Blocks are padded to this height, so that a row's arithmetic, and with
it the last bit of its similarities, does not depend on how many rows came with it."""


@dataclass(frozen=True)
class Network:
    """The pure network: graph convolutions, then the projection head."""

    layers: tuple[GCNLayer, ...]
    head: ProjectionHead
    constructor: EfficientGraphConstructor

    @classmethod
    def from_config(cls, config: DTGCNNConfig) -> Network:
        widths = (config.input_dim, *config.hidden_dims)
        layers = tuple(
            GCNLayer(a, b, config.gcn_activation, config.use_batch_norm, config.dropout_rate)
            for a, b in pairwise(widths)
        )
        constructor = EfficientGraphConstructor(
            config.graph_k_neighbors, config.graph_similarity_threshold, config.graph_self_weight
        )
        head = ProjectionHead(widths[-1], config.output_dim, config.normalize_output)
        return cls(layers, head, constructor)

    def init(self, ops: ArrayOps, seed: int) -> tuple[Tree, Tree]:
        """Parameters and running state. The same seed gives the same bits on every backend."""

        def key(*path: int | str) -> Array:
            return ops.asarray(derive_key(seed, "init", *path), "uint32")

        named = [(str(i), layer) for i, layer in enumerate(self.layers)]
        params = {
            "gcn": {name: layer.init(ops, key("gcn", int(name))) for name, layer in named},
            "head": self.head.init(ops, key("head")),
        }
        return params, {"gcn": {name: layer.init_state(ops) for name, layer in named}}

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
            graph: links among the nodes, or from the nodes to the bank's rows.
            sources: the bank's states, one for each layer; None where the nodes link to each other.
            key: makes it a training pass (dropout, batch statistics).
        """
        count = len(self.layers)
        keys: Sequence[Array | None] = split(ops, key, count) if key is not None else [None] * count
        h, new_state = x, {}
        for index, layer in enumerate(self.layers):
            name, source = str(index), None if sources is None else sources[index]
            h, new_state[name] = layer(
                ops, params["gcn"][name], state["gcn"][name], h, graph, source, key=keys[index]
            )
        return self.head(ops, params["head"], h), {"gcn": new_state}


class DTGCNN:
    """A Dynamic Triplet Graph Convolutional Neural Network over text or feature vectors.

    Args:
        config: the settings; or name them one by one, as in ``DTGCNN(input_dim=768,
            hidden_dim=256, output_dim=128, num_gcn_layers=3)``, where ``hidden_dim`` and
            ``num_gcn_layers`` stand for equal ``hidden_dims``.
        backend: a registered backend, or ``"auto"``: MLX where it has a GPU, NumPy elsewhere.
        ops: a backend object to use in place of ``backend``.
        encoder: turns texts into vectors of ``input_dim``, fitted already. ``Trainer`` fits one
            where there is none and the data are texts.
        **settings: fields of ``DTGCNNConfig``.

    Raises:
        ValueError: a setting is unknown or out of range.
        BackendError: the backend is unknown or its library is missing.
    """

    def __init__(
        self,
        config: DTGCNNConfig | None = None,
        *,
        backend: str = "auto",
        ops: ArrayOps | None = None,
        encoder: Encoder | None = None,
        **settings: Any,
    ) -> None:
        if config is not None and not isinstance(config, DTGCNNConfig):
            raise ValueError(f"config must be a DTGCNNConfig, received {config!r}")
        self.config = resolve_config(config, settings)
        if encoder is not None and encoder.dim != self.config.input_dim:
            raise ValueError(
                f"the encoder gives {encoder.dim} columns, input_dim is {self.config.input_dim}"
            )
        self.ops = load_ops(backend) if ops is None else ops
        self.encoder = encoder
        self.network = Network.from_config(self.config)
        self.params, self.state = self.network.init(self.ops, self.config.seed)
        self.bank: Bank | None = None

    def __call__(self, x: HostArray | Sequence[str]) -> HostArray:
        """The same as ``encode``."""
        return self.encode(x)

    @property
    def num_parameters(self) -> int:
        """How many numbers training adjusts."""
        from .tree import flatten

        total = 0
        for leaf in flatten(self.params).values():
            count = 1
            for size in leaf.shape:
                count *= size
            total += count
        return total

    def vectors(self, x: HostArray | Sequence[str]) -> HostArray:
        """What goes into the network: (N, input_dim) float32 host rows of texts or vectors.

        Raises:
            ValueError: texts without an encoder, vectors of another width, or values that are not
                finite.
        """
        rows: HostArray = x
        kind = getattr(getattr(x, "dtype", None), "kind", "O")
        if kind in "OUT":
            texts = [x] if isinstance(x, str) else list(x)
            if not all(isinstance(text, str) for text in texts):
                raise ValueError("x must be an array of vectors or a list of texts")
            if self.encoder is None:
                raise ValueError(
                    "the model has no text encoder: it was trained on vectors, so encode takes an "
                    f"array of shape (N, {self.config.input_dim})"
                )
            rows = self.encoder.encode(texts)
            wanted, found = (len(texts), self.config.input_dim), getattr(rows, "shape", None)
            if found != wanted:
                raise ValueError(f"the encoder must give an array of shape {wanted}, not {found}")
        if rows.ndim != 2 or rows.shape[1] != self.config.input_dim:
            raise ValueError(
                f"x must have shape (N, input_dim = {self.config.input_dim}), received {rows.shape}"
            )
        rows = rows.astype("float32") + 0.0  # −0.0 becomes 0.0: equal rows have equal bytes
        finite = self.ops.isfinite(self.ops.asarray(rows))
        bad = self.ops.to_numpy(self.ops.sum(~finite, axis=1)).nonzero()[0]
        if len(bad):
            raise ValueError(f"x must be finite; row {bad[0]} holds nan or infinity")
        return rows

    def device_rows(self, host_x: HostArray) -> Array:
        """Host rows on the device, at unit length, however small or large they are."""
        ops, x = self.ops, self.ops.asarray(host_x)
        if x.shape[0] == 0:
            return x
        largest = ops.max(ops.abs(x), axis=1, keepdims=True)
        return numerics.l2_normalize(ops, x / ops.where(largest > 0, largest, 1.0))

    def build_bank(self, host_x: HostArray, labels: Sequence[int]) -> Bank:
        """Make the bank of these rows (N, input_dim): distinct, and at most ``bank_size`` of them,
        drawn evenly over ``labels`` (N,). Its states are those of the present parameters."""
        first: dict[bytes, int] = {}
        for row, vector in enumerate(host_x):
            first.setdefault(vector.tobytes(), row)
        distinct = sorted(first.values())
        chosen = choose_rows(
            [int(labels[row]) for row in distinct], self.config.bank_size, self.config.seed
        )
        rows = host_x[[distinct[i] for i in chosen]]
        self.bank = Bank(rows, self.device_rows(rows))
        self.bank.refresh(self.ops, self.network, self.params, self.state)
        return self.bank

    def attach(self, host_x: HostArray, x: Array) -> Graph:
        """Links from rows to the bank; a row that is in the bank is not its own neighbour."""
        bank = self._trained_bank()
        exclude = self.ops.asarray(bank.rows_of(host_x), "int32")
        return self.network.constructor.attach(self.ops, x, bank.x, exclude)

    def encode(self, x: HostArray | Sequence[str]) -> HostArray:
        """Embeddings (N, output_dim), float32, of texts or of vectors (N, input_dim).

        Each row attaches to its nearest rows of the bank, so its embedding is the same alone, in
        any batch and in any order.

        Raises:
            ValueError: the model is not trained yet, or ``x`` does not fit it.
        """
        bank, ops = self._trained_bank(), self.ops
        host_x = self.vectors(x)
        out = []
        for start in range(0, len(host_x), ENCODE_ROWS):
            block = host_x[start : start + ENCODE_ROWS]
            padding = [len(block) - 1] * (ENCODE_ROWS - len(block))
            padded = block[list(range(len(block))) + padding]
            rows = self.device_rows(padded)
            graph = self.attach(padded, rows)
            z, _ = self.network(ops, self.params, self.state, rows, graph, bank.states)
            ops.evaluate(z)
            out.append(z[: len(block)])
        return ops.to_numpy(ops.concat(out) if out else ops.zeros((0, self.config.output_dim)))

    def save(self, directory: str | Path, *, overwrite: bool = False) -> Path:
        """Write the model into ``directory``; see ``dtgcnn.checkpoint.save_model``."""
        from .checkpoint import save_model

        return save_model(self, directory, overwrite=overwrite)

    @classmethod
    def load(cls, directory: str | Path, *, backend: str = "auto") -> DTGCNN:
        """The model that was saved in ``directory``; see ``dtgcnn.checkpoint.load_model``."""
        from .checkpoint import load_model

        return load_model(directory, backend=backend)

    def _trained_bank(self) -> Bank:
        if self.bank is None:
            raise ValueError("the model has no bank yet: train it, or call build_bank")
        return self.bank


def resolve_config(config: DTGCNNConfig | None, settings: dict[str, Any]) -> DTGCNNConfig:
    """The config with ``settings`` over it; ``hidden_dim`` × ``num_gcn_layers`` is understood."""
    settings, base = dict(settings), config or DTGCNNConfig()
    layers = settings.pop("num_gcn_layers", None)
    if "hidden_dim" in settings:
        if "hidden_dims" in settings:
            raise ValueError("name either hidden_dim or hidden_dims, not both")
        depth = base.num_gcn_layers if layers is None else layers
        if not isinstance(depth, int) or depth < 1:
            raise ValueError(f"num_gcn_layers must be a whole number, received {depth!r}")
        settings["hidden_dims"] = (settings.pop("hidden_dim"),) * depth
    check_names(settings)
    resolved = base.replace(**settings)
    if layers is not None and layers != resolved.num_gcn_layers:
        raise ValueError(
            f"num_gcn_layers = {layers} contradicts hidden_dims = {list(resolved.hidden_dims)}, "
            f"which names {resolved.num_gcn_layers} layers"
        )
    return resolved


def create_model(config: DTGCNNConfig, *, backend: str = "auto") -> DTGCNN:
    """A new model with these settings."""
    return DTGCNN(config, backend=backend)
