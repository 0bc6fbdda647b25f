"""``DTGCNN``: the model, from vectors or texts to embeddings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from ..array import Array, ArrayOps, HostArray, load_ops, numerics
from ..array.distributed import ALONE, World
from ..config import DTGCNNConfig
from ..losses import Objective
from .bank import Bank, attached, choose_rows, nodes_of
from .changing import ChangingModel
from .encoding import ENCODE_ROWS
from .graph import EfficientGraphConstructor, Graph
from .hub import OnHub
from .input_rows import DEVICE_ROWS, ChosenRows, checked_rows
from .parameters import device_option
from .start import Start

if TYPE_CHECKING:
    from ..data import Encoder, TripletLoader

__all__ = ["DTGCNN", "create_model"]


class DTGCNN(ChangingModel, OnHub):
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
        if encoder is not None:
            _check_width(encoder, config)
        super().__init__(config, load_ops(backend, **device_option(config)) if ops is None else ops)
        self.encoder = encoder
        self.codes_longer = 1.0
        """How much longer class codes of texts that the encoder has not seen are than those of
        training rows left out, as far as the start follows it; see ``fit_start``."""
        self.standardize = config.standardize
        """Whether the start that is to be found standardises columns, where that is known."""

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

    @override
    def vectors(self, x: Any, prompt_name: str | None = None) -> HostArray:
        """What goes into the network: float32 host rows of texts or vectors, (N, input_dim), those
        that are given where they are float32 already; or of a model with an embedding layer the
        pieces of texts, (N, max_length) whole numbers.

        Args:
            x: as of ``encode``; a single text is one row.
            prompt_name: as of ``encode``.

        Raises:
            ValueError: texts without an encoder, rows of another width, values that are not finite,
                pieces that the embedding layer does not have, or a prompt that there is not.
        """
        return checked_rows(self.ops, self.config, self.encoder, x, prompt_name)

    def started(self, host_x: HostArray, *, by_rows: bool = False) -> tuple[Array, Array | None]:
        """What goes into the network of host rows, on the device, and its gate: of a model without
        a start ``device_rows``, and None."""
        if not self.config.has_start:
            return self.device_rows(host_x), None
        if self.start is None:
            raise ValueError("the model has no start yet: train it, or call fit_start")
        parts = []
        for begin in range(0, max(len(host_x), 1), DEVICE_ROWS):
            rows = self.device_rows(host_x[begin : begin + DEVICE_ROWS])
            parts.append(self.start(self.ops, rows, by_rows=by_rows))
            if len(host_x) > DEVICE_ROWS:
                self.ops.evaluate(*parts[-1])
        if len(parts) == 1:
            return parts[0]
        return self.ops.concat([z for z, _ in parts]), self.ops.concat([gate for _, gate in parts])

    def fit_start(
        self, host_x: HostArray, labels: HostArray, held_out: HostArray | None = None
    ) -> tuple[tuple[HostArray, HostArray], tuple[HostArray, HostArray, HostArray]] | None:
        """Find the start of these rows (N, input_dim) of classes ``labels`` (N,), in float64 on the
        host; see ``dtgcnn.data.fit_closed_form``. One that there is already, which the network has
        learnt to add to, is kept.

        Args:
            host_x: the rows.
            labels: their classes.
            held_out: (H, input_dim) other rows of these classes, which the encoder has not seen.

        Returns:
            What ``started`` gives of these rows, and what it would give of each if its own label
            were not known, of those to which that is something, with their numbers; None where
            there are no class codes, or those of other rows.
        """
        from ..data import fit_closed_form

        config = self.config
        told: dict[str, Any] = {"held_out": held_out, "longer": self.codes_longer}
        told["standardize"] = self.standardize
        if self.start is not None:
            told = {"standardize": self.start.columns(self.ops) or False}
            if self.start.has_codes:
                told["code_norm"] = float(self.ops.to_numpy(self.start.arrays["code_norm"]))
        weight, seed = config.code_weight, config.seed
        found = fit_closed_form(
            host_x, labels, config.output_dim, code_weight=weight, seed=seed, **told
        )
        if self.start is None:
            self.start, self.codes_longer = Start.of(self.ops, found.arrays), found.longer
        if found.started is None or found.left_out is None:
            return None
        ours = self.start.equals(self.ops, found.arrays)
        return (found.started, found.left_out) if ours else None

    def build_bank(
        self,
        host_x: HostArray,
        labels: Sequence[int],
        started: tuple[Array, Array | None] | None = None,
    ) -> Bank:
        """Make the bank of these rows (N, input_dim): distinct, and at most ``bank_size`` of them,
        drawn evenly over ``labels`` (N,). Its states are those of the present parameters; of the
        rows ``started`` is what the function of this name gives, where that is known."""
        from ..data import equal_groups

        distinct: list[int] = []
        for row, number in enumerate(equal_groups(None, host_x).tolist()):
            if number == len(distinct):  # they count by first appearance
                distinct.append(row)
        chosen = choose_rows(
            [int(labels[row]) for row in distinct], self.config.bank_size, self.config.seed
        )
        places = [distinct[i] for i in chosen]
        rows = host_x[places]
        x, gate = self.started(rows) if started is None else started
        if started is not None and len(places) < len(host_x):
            kept = self.ops.asarray(places, "int32")
            x, gate = self.ops.take(x, kept), None if gate is None else self.ops.take(gate, kept)
        self.bank = Bank(rows, x, gate, [int(labels[place]) for place in places])
        self.refresh_bank()
        return self.bank

    def index(self, corpus: HostArray | Sequence[str], *, hops: int = 3) -> DTGCNN:
        """A model like this one whose bank is ``corpus``: what will be searched.

        A text of a class that training never saw has no neighbour of its class among the training
        rows; among the rows that are searched it has. The parameters are this model's, and this
        model stays as it is. An embedding still depends on its own text and the bank alone.

        Args:
            corpus: texts or vectors (N, input_dim), labelled or not; of equal ones one is kept.
            hops: ``propagation_hops`` of the new model.

        Raises:
            ValueError: as ``encode``; or there are too few rows for the graph.
        """
        host_x = self.vectors(corpus)
        config = self.config.replace(propagation_hops=hops, bank_size=max(len(host_x), 1))
        other = copy(self)
        other.config = config
        other.build_bank(host_x, [0] * len(host_x)).labels = None
        return other

    def refresh_bank(self, world: World = ALONE) -> None:
        """Compute the bank's states anew from the parameters as they are; the processes of a world
        share the work."""
        hops = self.config.propagation_hops
        bank = self.trained_bank()
        bank.refresh(self.ops, self.network, self.params, self.state, hops, world)

    def bank_embeddings(self) -> HostArray:
        """Embeddings (M, output_dim) of the bank's rows, made together: those that ``encode``
        gives, but for the last bits."""
        ops, hops = self.ops, self.config.propagation_hops
        bank = self.trained_bank()
        made = bank.embeddings(ops, self.network, self.params, self.state, hops)
        return ops.to_numpy(made)

    def attach(self, host_x: HostArray, nodes: Array) -> Graph:
        """Links from nodes to the bank; a row that is in the bank is not its own neighbour."""
        source = self.trained_bank().states[0]
        return self._attach(self.network.constructor, host_x, nodes, source, "nodes")

    def _attach(
        self,
        constructor: EfficientGraphConstructor,
        host_x: HostArray,
        nodes: Array,
        source: Array,
        name: str,
    ) -> Graph:
        ops, bank = self.ops, self.trained_bank()
        itself = bank.rows_of(host_x)
        if len(itself) == 1 and numerics.alike_at_any_height(ops):
            leading = bank.leading(ops, source, name)
            if leading is not None:
                graph = leading.attach(ops, constructor, nodes, source, itself[0])
                if graph is not None:
                    return graph
        return attached(ops, constructor, nodes, source, ops.asarray(itself, "int32"))

    def nodes(self, host_x: HostArray) -> Array:
        """The nodes (N, input_dim) of host rows, as the parameters are now."""
        return nodes_of(self.ops, self.network, self.params, self.started(host_x)[0])

    def input_vectors(self, host_x: HostArray) -> HostArray:
        """What there is of host rows before training, (N, input_dim): vectors themselves, or, where
        their columns are standardised, those and a constant (N, input_dim + 1); or the bags of
        pieces under the embedding layer's first parameters."""
        if self.network.embedding is None:
            if self.start is None or not self.start.standardizes:
                return host_x
            if isinstance(host_x, ChosenRows):
                return ChosenRows(host_x.rows, host_x.items, self.input_vectors)
            return self._standardized(self.start, host_x)
        params, _ = self.network.init(self.ops, self.config.seed)
        nodes = nodes_of(self.ops, self.network, params, self.device_rows(host_x))
        return self.ops.to_numpy(nodes)

    def _standardized(self, start: Start, host_x: HostArray) -> HostArray:
        ops = self.ops
        whole = ops.to_numpy(ops.zeros((1, self.input_width))).repeat(
            len(host_x), axis=0
        )  # to be filled
        for begin in range(0, len(host_x), DEVICE_ROWS):
            rows = slice(begin, begin + DEVICE_ROWS)
            whole[rows] = ops.to_numpy(start.standardized(ops, ops.asarray(host_x[rows])))
        return whole

    @override
    def get_embedding_dimension(self) -> int:
        return self.config.output_dim

    @override
    def embed(
        self,
        host_x: HostArray,
        batch_size: int = ENCODE_ROWS,
        advance: Callable[[int], None] | None = None,
        held: dict[int, tuple[Array, Array | None, Graph]] | None = None,
    ) -> HostArray:
        """See ``Encodes.embed``; ``held`` is filled with what does not change while the start, the
        bank's rows and an embedding layer stay as they are, for the next call with these rows."""
        bank, ops = self.trained_bank(), self.ops
        found = ops.to_numpy(ops.zeros((0, self.config.output_dim)))
        for start in range(0, len(host_x), batch_size):
            block = host_x[start : start + batch_size]
            height = len(block) if numerics.alike_at_any_height(ops) else batch_size
            padding = [len(block) - 1] * (height - len(block))
            padded = block[list(range(len(block))) + padding]
            known = None if held is None else held.get(start)
            nodes, gate, graph = known or self._linked(padded)
            if held is not None:
                held[start] = nodes, gate, graph
            z, _ = self.network(ops, self.params, self.state, nodes, graph, bank.states, gate=gate)
            if bank.hop_states:
                z = self._propagate(padded, z)
            ops.evaluate(z)
            made = ops.to_numpy(z[: len(block)])
            if start == 0:
                found = made[:1].repeat(len(host_x), axis=0)  # to be filled
            found[start : start + len(block)] = made
            if advance is not None:
                advance(len(block))
        return found

    def _linked(self, host_x: HostArray) -> tuple[Array, Array | None, Graph]:
        """The nodes of rows, each as if it were alone, their gate, and their links to the bank."""
        rows, gate = self.started(host_x, by_rows=True)
        nodes = self.network.nodes(self.ops, self.params, rows)
        return nodes, gate, self.attach(host_x, nodes)

    def _propagate(self, host_x: HostArray, f: Array) -> Array:
        """Embeddings ``f`` of rows after as many hops over the bank as there are states for."""
        network, states = self.network, self.trained_bank().hop_states
        unit, others = (network.linked_by(self.ops, rows) for rows in (f, states[0]))
        graph, z = self._attach(network.propagation, host_x, unit, others, "hops"), f
        for source in states:
            z = network.hop(self.ops, f, graph, source)
        return z

    def objective(self, loss: Objective) -> Objective:
        """What training minimises, made of the ``loss`` of the embeddings; that loss here."""
        return loss

    def check_data(self, loader: TripletLoader) -> None:
        """Refuse data that the model cannot be trained or validated on. Any will do here."""


def _check_width(encoder: Encoder, config: DTGCNNConfig) -> None:
    from ..data import check_encoder

    check_encoder(encoder)
    if encoder.dim != config.row_width:
        raise ValueError(
            f"the encoder gives {encoder.dim} columns, {config.width_name} is {config.row_width}"
        )


def create_model(config: DTGCNNConfig, *, backend: str = "auto") -> DTGCNN:
    """A new model with these settings."""
    return DTGCNN(config, backend=backend)
