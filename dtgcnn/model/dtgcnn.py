"""``DTGCNN``: the model, from vectors or texts to embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from ..array import Array, ArrayOps, HostArray, flatten, load_ops, refill
from ..config import DTGCNNConfig
from ..errors import CheckpointError
from ..losses import Objective
from .bank import Bank, attached, choose_rows, nodes_of
from .graph import Graph
from .input_rows import checked_rows, device_rows
from .parameters import Parameters, device_option

if TYPE_CHECKING:
    from ..data import Encoder, TripletLoader
    from ..storage import Checkpoint

__all__ = ["DTGCNN", "create_model"]

ENCODE_ROWS = 256
"""Rows encoded at a time. Blocks are padded to this height, so that a row's arithmetic, and with
it the last bit of its similarities, does not depend on how many rows came with it."""


class DTGCNN(Parameters):
    """A Dynamic Triplet Graph Convolutional Neural Network over text or feature vectors.

    Parameters have dotted names, such as ``gcn.0.linear.weight`` and ``head.bias``. The graph
    convolutions are ``gcn``, and the embedding layer is ``head``.

    Args:
        config: the settings; or name them one by one, as in ``DTGCNN(input_dim=768,
            hidden_dim=256, output_dim=128, num_gcn_layers=3)``.
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
        config = (config or DTGCNNConfig()).replace(**settings)
        if encoder is not None and encoder.dim != config.row_width:
            raise ValueError(
                f"the encoder gives {encoder.dim} columns, {config.width_name} is "
                f"{config.row_width}"
            )
        super().__init__(config, load_ops(backend, **device_option(config)) if ops is None else ops)
        self.encoder = encoder
        self.bank: Bank | None = None

    def __call__(self, x: HostArray | Sequence[str]) -> HostArray:
        """The same as ``encode``."""
        return self.encode(x)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {', '.join(self._described())}>"

    def _described(self) -> list[str]:
        """What ``repr`` tells of it: shape, size, backend, bank and encoder."""
        config, bank = self.config, self.bank
        widths = [str(config.input_dim), ", ".join(map(str, config.hidden_dims))]
        if config.vocab_size is not None:
            widths = [f"{config.max_length} of {config.vocab_size:,} pieces", *widths]
        described = [
            " → ".join([*widths, str(config.output_dim)]),
            f"{self.num_parameters:,} parameters",
            f"{self.ops.name} ({self.ops.device})",
            "untrained" if bank is None else f"bank of {len(bank):,} rows",
        ]
        if self.encoder is not None:
            from ..storage import spec_of

            described.append(f"encoder {spec_of(self.encoder)}")
        return described

    def vectors(self, x: HostArray | Sequence[str]) -> HostArray:
        """What goes into the network: float32 host rows of texts or vectors, (N, input_dim), or of
        a model with an embedding layer the pieces of texts, (N, max_length) whole numbers.

        Raises:
            ValueError: texts without an encoder, rows of another width, values that are not finite,
                or pieces that the embedding layer does not have.
        """
        return checked_rows(self.ops, self.config, self.encoder, x)

    def device_rows(self, host_x: HostArray) -> Array:
        """Host rows on the device: vectors at unit length, however small or large they are, and
        pieces as int32."""
        return device_rows(self.ops, self.config, host_x)

    def build_bank(self, host_x: HostArray, labels: Sequence[int]) -> Bank:
        """Make the bank of these rows (N, input_dim): distinct, and at most ``bank_size`` of them,
        drawn evenly over ``labels`` (N,). Its states are those of the present parameters."""
        first: dict[bytes, int] = {}
        for row, vector in enumerate(host_x):
            first.setdefault(sha256(vector.tobytes()).digest(), row)
        distinct = sorted(first.values())
        chosen = choose_rows(
            [int(labels[row]) for row in distinct], self.config.bank_size, self.config.seed
        )
        rows = host_x[[distinct[i] for i in chosen]]
        self.bank = Bank(rows, self.device_rows(rows))
        self.bank.refresh(self.ops, self.network, self.params, self.state)
        return self.bank

    def attach(self, host_x: HostArray, nodes: Array) -> Graph:
        """Links from nodes to the bank; a row that is in the bank is not its own neighbour."""
        bank = self.trained_bank()
        exclude = self.ops.asarray(bank.rows_of(host_x), "int32")
        return attached(self.ops, self.network, nodes, bank.states[0], exclude)

    def nodes(self, host_x: HostArray) -> Array:
        """The nodes (N, input_dim) of host rows, as the parameters are now."""
        return nodes_of(self.ops, self.network, self.params, self.device_rows(host_x))

    def input_vectors(self, host_x: HostArray) -> HostArray:
        """What there is of host rows before training, (N, input_dim): vectors themselves, or the
        bags of pieces under the embedding layer's first parameters."""
        if self.network.embedding is None:
            return host_x
        params, _ = self.network.init(self.ops, self.config.seed)
        nodes = nodes_of(self.ops, self.network, params, self.device_rows(host_x))
        return self.ops.to_numpy(nodes)

    def encode(self, x: HostArray | Sequence[str]) -> HostArray:
        """Embeddings (N, output_dim), float32, of texts or of vectors (N, input_dim).

        Each row attaches to its nearest rows of the bank, so its embedding is the same alone, in
        any batch and in any order.

        Raises:
            ValueError: the model is not trained yet, or ``x`` does not fit it.
        """
        bank, ops = self.trained_bank(), self.ops
        host_x = self.vectors(x)
        out = []
        for start in range(0, len(host_x), ENCODE_ROWS):
            block = host_x[start : start + ENCODE_ROWS]
            padding = [len(block) - 1] * (ENCODE_ROWS - len(block))
            padded = block[list(range(len(block))) + padding]
            nodes = self.network.nodes(ops, self.params, self.device_rows(padded))
            graph = self.attach(padded, nodes)
            z, _ = self.network(ops, self.params, self.state, nodes, graph, bank.states)
            ops.evaluate(z)
            out.append(z[: len(block)])
        return ops.to_numpy(ops.concat(out) if out else ops.zeros((0, self.config.output_dim)))

    def objective(self, loss: Objective) -> Objective:
        """What training minimises, made of the ``loss`` of the embeddings; that loss here."""
        return loss

    def check_data(self, loader: TripletLoader) -> None:
        """Refuse data that the model cannot be trained or validated on. Any will do here."""

    def extras(self) -> dict[str, Any]:
        """What makes a model of this class anew, beside its config; empty here."""
        return {}

    def save(
        self, directory: str | Path, *, overwrite: bool = False, same_encoder: bool = False
    ) -> Path:
        """Write the model into ``directory``, made where it is missing; see
        ``dtgcnn.storage.write_checkpoint``.

        Args:
            directory: new, empty, or the folder of a model that ``overwrite`` replaces.
            overwrite: whether it may hold a model.
            same_encoder: leave the text encoder that an earlier save of this model wrote there.

        Raises:
            FileExistsError, NotADirectoryError, PermissionError: see ``check_folder``.
        """
        from ..storage import Checkpoint, model_card, write_checkpoint

        arrays = {name: self.ops.to_numpy(leaf) for name, leaf in self._leaves().items()}
        if self.bank is not None:
            arrays["bank.x"] = self.bank.host_x
        settings, made_with = self.config.to_dict(), self.made_with()
        return write_checkpoint(
            directory,
            Checkpoint(type(self).__name__, self.extras(), settings, made_with, arrays),
            model_card(self),
            self.encoder,
            overwrite=overwrite,
            same_encoder=same_encoder,
        )

    @classmethod
    def load(cls, directory: str | Path, *, backend: str = "auto") -> Self:
        """The model that was saved in ``directory``, on ``backend``.

        Raises:
            CheckpointError: there is no model, a file is damaged or foreign, or an array is missing
                or of another shape than the config asks for.
            ValueError: it is a model of another class.
        """
        from ..storage import read_checkpoint

        saved, encoder = read_checkpoint(directory)
        ops = load_ops(backend)
        try:
            # The device it was trained on may not be here.
            config = DTGCNNConfig.from_dict({**saved.config, "device": "auto"})
            model = _class_named(saved.model)(config, ops=ops, **saved.arguments)
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"{saved.path}: its config is not valid: {error}") from None
        model._restore(saved)
        if encoder is not None:
            from ..data import load_encoder

            model.encoder = load_encoder(encoder)
        if not isinstance(model, cls):
            raise ValueError(
                f"{directory}: must hold a {cls.__name__}, it holds a {type(model).__name__}"
            )
        return model

    def _leaves(self) -> dict[str, Any]:
        leaves = flatten(self.params, "params") | flatten(self.state, "state")
        if self.bank is not None:
            leaves |= {f"bank.states.{i}": s for i, s in enumerate(self.bank.states) if i > 0}
        return leaves

    def _restore(self, saved: Checkpoint) -> None:
        """Take the arrays of a saved model in place of the first ones."""
        named = self._leaves()
        loaded = {
            name: self.ops.asarray(saved.array(name, leaf.shape)) for name, leaf in named.items()
        }
        self.params = refill(self.params, loaded, "params")
        self.state = refill(self.state, loaded, "state")
        if "bank.x" not in saved.arrays:
            return
        host_x = saved.arrays["bank.x"]
        if host_x.ndim != 2 or host_x.shape[1] != self.config.row_width:
            raise CheckpointError(
                f"{saved.path}: 'bank.x' must have {self.config.row_width} columns"
            )
        bank = Bank(host_x, self.device_rows(host_x))
        bank.states = [nodes_of(self.ops, self.network, self.params, bank.x)]
        for index, width in enumerate(self.config.hidden_dims[:-1], 1):
            states = saved.array(f"bank.states.{index}", (len(host_x), width))
            bank.states.append(self.ops.asarray(states))
        self.bank = bank

    def trained_bank(self) -> Bank:
        """The bank.

        Raises:
            ValueError: there is none yet.
        """
        if self.bank is None:
            raise ValueError("the model has no bank yet: train it, or call build_bank")
        return self.bank


def create_model(config: DTGCNNConfig, *, backend: str = "auto") -> DTGCNN:
    """A new model with these settings."""
    return DTGCNN(config, backend=backend)


def _class_named(name: str) -> type[DTGCNN]:
    """The class of models of this name; ``KeyError`` where there is none."""
    kinds: list[type[DTGCNN]] = [DTGCNN, *DTGCNN.__subclasses__()]
    return {kind.__name__: kind for kind in kinds}[name]
