"""The bank: reference rows that every node attaches to, with their frozen per-layer states.

An embedding that took its neighbours from its own batch would depend on its company. Attached to
a bank, a text has the same embedding alone, in any batch and in any order.
"""

from __future__ import annotations

import operator
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, ClassVar

from ..array import Array, ArrayOps, HostArray, Tree
from ..array.distributed import ALONE, World, shared_blocks
from .graph import BLOCK_ROWS as LINKED_ROWS
from .graph import EfficientGraphConstructor, Graph
from .leading import Leading

if TYPE_CHECKING:
    from .network import Network

__all__ = ["Bank", "attached", "choose_rows", "nodes_of"]

BLOCK_ROWS = 2048
"""Rows propagated at a time, which bounds the gathered neighbours that are held."""


def choose_rows(labels: Sequence[int], size: int, seed: int) -> list[int]:
    """Up to ``size`` row numbers, drawn evenly over classes, in ascending order.

    Classes take turns until ``size`` rows are drawn, so small classes are kept whole while large
    ones are thinned. Rows without a class, −1, come after all others.
    """
    if len(labels) <= size:
        return list(range(len(labels)))
    unlabelled = [row for row, label in enumerate(labels) if label < 0]
    if unlabelled:
        known = [row for row, label in enumerate(labels) if label >= 0]
        chosen = choose_rows([labels[row] for row in known], size, seed)
        drawn = random.Random(seed).sample(unlabelled, size - len(chosen))
        return sorted([known[i] for i in chosen] + drawn)
    by_class: dict[int, list[int]] = defaultdict(list)
    for row, label in enumerate(labels):
        by_class[label].append(row)
    generator = random.Random(seed)
    ranked = []
    for label in sorted(by_class):
        rows = by_class[label]
        generator.shuffle(rows)
        ranked += list(enumerate(rows))
    generator.shuffle(ranked)
    ranked.sort(key=lambda turn_and_row: turn_and_row[0])
    return sorted(row for _, row in ranked[:size])


def nodes_of(ops: ArrayOps, network: Network, params: Tree, rows: Array) -> Array:
    """The nodes (N, input_dim) of device rows with these parameters, in blocks."""
    if network.embedding is None or rows.shape[0] <= BLOCK_ROWS:
        return network.nodes(ops, params, rows)
    blocks = []
    for start in range(0, rows.shape[0], BLOCK_ROWS):
        blocks.append(network.nodes(ops, params, rows[start : start + BLOCK_ROWS]))
        ops.evaluate(blocks[-1])
    return ops.concat(blocks)


LARGE_BANK = 20_000
"""Rows from which on a single query is compared with their leading columns first."""


def attached(
    ops: ArrayOps,
    constructor: EfficientGraphConstructor,
    nodes: Array,
    source: Array,
    exclude: Array,
) -> Graph:
    """Links of nodes to rows of a bank, in blocks; see ``EfficientGraphConstructor.attach``."""
    count = nodes.shape[0]
    if count <= LINKED_ROWS:
        return constructor.attach(ops, nodes, source, exclude)
    blocks = []
    for start in range(0, count, LINKED_ROWS):
        rows = slice(start, start + LINKED_ROWS)
        blocks.append(constructor.attach(ops, nodes[rows], source, exclude[rows]))
        # A lazy backend would hold the similarities of all blocks at once.
        ops.evaluate(blocks[-1].neighbors, blocks[-1].weights, blocks[-1].own)
    neighbors, weights, own = (
        ops.concat([getattr(block, name) for block in blocks])
        for name in ("neighbors", "weights", "own")
    )
    return Graph(neighbors, weights, own, None)


def _linked(graph: Graph, rows: slice) -> Graph:
    """The links of some of the nodes of a graph to a bank."""
    return Graph(graph.neighbors[rows], graph.weights[rows], graph.own[rows], None)


@dataclass
class Bank:
    """Reference rows and their states.

    Args:
        host_x: (M, D) float32 rows on the host, no two equal.
        x: the same on the device: vectors at unit length or what the start makes of them, or
            pieces.
        gate: (M, 1), what ``Start`` gives beside ``x``; None without a start.
        labels: (M,) the rows' classes, −1 where it is not known; None where none is.
        states: the input of each graph convolution for these rows; ``states[0]`` are the nodes, of
            vectors ``x`` itself.
        hop_states: the input of each hop of propagation; the first are the rows' embeddings.
        graph: the rows' own links among themselves, each row excluded from its own list.
        saved_digests: ``digests`` of an equal bank, where they are known.
    """

    host_x: HostArray
    x: Array
    gate: Array | None = None
    labels: list[int] | None = None
    states: list[Array] = field(default_factory=list)
    hop_states: list[Array] = field(default_factory=list)
    graph: Graph | None = None
    saved_digests: bytes | None = None
    _leading: dict[str, tuple[Array, Leading | None]] = field(default_factory=dict, init=False)
    # What the links of hops were made of, and these: all rows are not compared with all again.
    _hop_links: tuple[list[Any], Graph] | None = field(default=None, init=False)

    DIGEST_SIZE: ClassVar[int] = 16
    """Bytes of a row's digest: two rows of a bank of a billion share one by a chance of 10⁻²¹."""

    def __len__(self) -> int:
        return len(self.host_x)

    @property
    def digests(self) -> bytes:
        """Those of the rows one after the other, which tell equal rows without reading them all."""
        return b"".join(self._row_of)

    @cached_property
    def _row_of(self) -> dict[bytes, int]:
        """The rows' numbers by their digests, made when they are first asked for."""
        if self.saved_digests is None:
            return {self._digest(row): i for i, row in enumerate(self.host_x)}
        all_of_them, size = self.saved_digests, self.DIGEST_SIZE
        return {all_of_them[size * i : size * (i + 1)]: i for i in range(len(self))}

    def _digest(self, row: HostArray) -> bytes:
        return blake2b(row.tobytes(), digest_size=self.DIGEST_SIZE).digest()

    def leading(self, ops: ArrayOps, source: Array, name: str) -> Leading | None:
        """The leading columns of ``source``, which is called ``name``; None of a small bank, and
        the first time, when comparing all columns of a row costs no more than cutting them."""
        if len(self) < LARGE_BANK:
            return None
        held, found = self._leading.get(name, (None, None))
        if held is not source:
            found = None
        elif found is None:
            found = Leading.of(ops, source)
            ops.evaluate(found.columns, found.rest)  # for any thread
        self._leading[name] = source, found
        return found

    def rows_of(self, host_x: HostArray) -> list[int]:
        """For each row of ``host_x`` the bank's row that is equal to it bit for bit, or −1."""
        return [self._row_of.get(self._digest(row), -1) for row in host_x]

    def refresh(
        self,
        ops: ArrayOps,
        network: Network,
        params: Tree,
        state: Tree,
        hops: int = 0,
        world: World = ALONE,
    ) -> None:
        """Recompute the states with these parameters, in evaluation, those of ``hops`` too; the
        processes of ``world`` share the work."""
        before, states = self.states, [nodes_of(ops, network, params, self.x)]
        if self.graph is None or not before or before[0] is not states[0]:
            self.link(ops, network, states[0])
        for index in range(len(network.layers) - 1):
            h = states[-1]
            states.append(self._output(ops, network, params, state, index, h, world))
        self.states = states  # at once: another thread may encode
        self.hop_states, graph = (
            self._hops(ops, network, params, state, hops - 1, world) if hops else ([], None)
        )
        made_of = [params, state, *self.hop_states]
        self._hop_links = None if graph is None else (made_of, graph)
        gate = {} if self.gate is None else {"gate": self.gate}
        ops.evaluate(self.x, gate, *self.states, *self.hop_states)

    def embeddings(
        self, ops: ArrayOps, network: Network, params: Tree, state: Tree, hops: int = 0
    ) -> Array:
        """(M, output_dim) of the rows, made together: as ``encode`` makes them, but for the last
        bits."""
        states = self.hop_states
        if self._hop_links is not None and len(states) == hops:
            made_of, graph = self._hop_links
            if all(map(operator.is_, made_of, [params, state, *states])):
                return self._hop(ops, network, graph, states[0], states[-1])
        return self._hops(ops, network, params, state, hops)[0][-1]

    def _hops(
        self,
        ops: ArrayOps,
        network: Network,
        params: Tree,
        state: Tree,
        hops: int,
        world: World = ALONE,
    ) -> tuple[list[Array], Graph | None]:
        """The embeddings of all rows before propagation and after each hop, and the links that the
        hops take."""
        last = len(network.layers) - 1
        h = self._output(ops, network, params, state, last, self.states[-1], world)
        f = network.added(ops, params, self.states[0], h, self.gate)
        states = [f]
        if not hops:
            return states, None
        unit = network.linked_by(ops, f)
        graph = attached(ops, network.propagation, unit, unit, ops.arange(len(self)))
        ops.evaluate(graph.neighbors, graph.weights, graph.own)
        for _ in range(hops):
            states.append(self._hop(ops, network, graph, f, states[-1], world))
        return states, graph

    def _hop(
        self,
        ops: ArrayOps,
        network: Network,
        graph: Graph,
        f: Array,
        before: Array,
        world: World = ALONE,
    ) -> Array:
        """The embeddings of all rows after one more hop."""

        def hop(rows: slice) -> Array:
            return network.hop(ops, f[rows], _linked(graph, rows), before)

        return shared_blocks(world, ops, "a hop", len(self), BLOCK_ROWS, hop)

    def link(self, ops: ArrayOps, network: Network, nodes: Array | None = None) -> None:
        """Make the graph anew from the nodes, ``states[0]`` where not given."""
        nodes = self.states[0] if nodes is None else nodes
        everything = ops.arange(len(self))
        graph = attached(ops, network.constructor, nodes, nodes, everything)
        ops.evaluate(graph.neighbors, graph.weights, graph.own)
        self.graph = graph

    def layer_outputs(
        self, ops: ArrayOps, network: Network, params: Tree, state: Tree, stride: int = 1
    ) -> list[Array]:
        """What each graph convolution gives for every ``stride``-th row, in evaluation."""
        h, outputs = self.states[0], []
        for index in range(len(network.layers)):
            h = self._output(ops, network, params, state, index, h)
            outputs.append(h[::stride])
        return outputs

    def _output(
        self,
        ops: ArrayOps,
        network: Network,
        params: Tree,
        state: Tree,
        index: int,
        h: Array,
        world: World = ALONE,
    ) -> Array:
        """The output of one layer for all rows, from their input ``h``."""
        name, layer, graph = str(index), network.layers[index], self.graph
        assert graph is not None

        def output(rows: slice) -> Array:
            links = _linked(graph, rows)
            out, _ = layer(ops, params["gcn"][name], state["gcn"][name], h[rows], links, h)
            return out

        what = f"the bank's states of layer {name}"
        return shared_blocks(world, ops, what, len(self), BLOCK_ROWS, output)
