"""``TrainingInputs``: what training steps take of the data, on the device."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..array import Array, ArrayOps, HostArray, Tree, derive_key, numerics
from ..config import DTGCNNConfig
from ..losses import AdaptiveMarginScheduler
from ..model import DTGCNN, ChosenRows, Graph, graph_figures, nodes_of

if TYPE_CHECKING:
    from ..data import Batch, Items, TripletLoader

__all__ = ["TrainingInputs", "loss_arrays"]

_log = logging.getLogger("dtgcnn")

_LISTS = ("neighbors", "weights", "own")
"""What links to a bank are made of."""

BLOCK_ROWS = 4096
"""Rows compared at a time."""

MOST_ISOLATED = 0.5
"""The share of rows without a link from which on a graph is told to be none."""


class TrainingInputs:
    """The rows of the training side, the bank that is made of them, and their links to it.

    Args:
        model: its bank is replaced.
        config: the training settings.
        loader: whose rows they are.
        vectors: (num_items, row_width), the rows of the loader's dataset.
        held_out: (H, row_width) other rows of its classes; see ``DTGCNN.fit_start``.

    Raises:
        ValueError: the data are too few for the graph.
    """

    def __init__(
        self,
        model: DTGCNN,
        config: DTGCNNConfig,
        loader: TripletLoader,
        vectors: HostArray,
        held_out: HostArray | None = None,
    ) -> None:
        self.model, self.config, self.loader, self.ops = model, config, loader, model.ops
        host_x = ChosenRows(vectors, loader.items)
        self._host_x = None if model.network.embedding is None else host_x
        self._left_out: tuple[Array, Array | None] | None = None
        """Of the rows that are otherwise where their own label is not known: what goes into the
        network then, and their gate."""
        self._changed: dict[int, int] = {}
        """Which of these rows each row is, where it is one."""
        # A fit takes arrays of other sizes than steps, and a training before may have left some.
        numerics.clear_cache(self.ops)
        fitted = model.fit_start(host_x, loader.labels, held_out) if config.has_start else None
        numerics.clear_cache(self.ops)
        of_bank = None
        if fitted is None:
            self._x, self._gate = model.started(host_x)
        else:
            (z, gate), (*left_out, rows) = fitted
            if config.graph_scope == "bank":
                changed = _changed((z, gate), left_out, rows)
                self._changed = {row: place for place, row in enumerate(rows[changed].tolist())}
                self._left_out = (
                    self.ops.asarray(left_out[0][changed]),
                    self.ops.asarray(left_out[1][changed]),
                )
            else:  # the nodes of a batch are linked to each other: each stands there once
                of_bank = self.ops.asarray(z), self.ops.asarray(gate)
                z, gate = z.copy(), gate.copy()
                z[rows], gate[rows] = left_out
            del fitted, left_out  # before what stays is on the device too
            self._x, self._gate = self.ops.asarray(z), self.ops.asarray(gate)
            del z, gate
        self.ops.evaluate(self._x)
        if config.graph_scope == "batch":
            first = next(iter(loader.batches(0)))
            model.network.constructor.check_size(len(first.items), "a batch")
        model.classes_, model.untrained_classes = loader.dataset.label_names, []
        rows, labels = _bank_rows(loader, vectors, host_x)
        started = (of_bank or (self._x, self._gate)) if rows is host_x else None
        self.bank = model.build_bank(rows, labels, started)
        self._links = self._link(host_x) if config.graph_scope == "bank" else None
        self._left_out_links: Graph | None = None
        if self._left_out is not None:
            some = ChosenRows(vectors, loader.items[list(self._changed)])
            self._left_out_links = model.attach(some, self._left_out[0])
            self.ops.evaluate(*(getattr(self._left_out_links, name) for name in _LISTS))
        self.graph_figures = self._figures(host_x)
        """The homophily of the links to the bank; empty in batch scope, and where no row listens to
        others."""
        alone = self.graph_figures.get("isolated_nodes", 0.0)
        if alone > MOST_ISOLATED:
            _log.warning(
                "%.0f%% of the training rows have no neighbour in the graph: no row is as similar "
                "as graph_similarity_threshold, %g, so graph convolutions mix nothing there; lower "
                "it (TF-IDF vectors allow 0 to 0.2)",
                *(100 * alone, config.graph_similarity_threshold),
            )
        self._margin = AdaptiveMarginScheduler(
            config.triplet_margin, config.target_margin or config.triplet_margin
        )

    def rows(self, items: HostArray) -> Tree:
        """The rows of these items, their gates where there is a start and, in bank scope, their
        links. With class codes each row stands there twice, first as if its label were not known:
        an anchor that saw its own label would have nothing to learn."""
        ops = self.ops
        rows = [int(row) for row in self.loader.items.searchsorted(list(items))]
        known = _taken(ops, rows, self._x, self._gate, self._links)
        if self._left_out is None:
            return known
        places = [self._changed[row] for row in rows if row in self._changed]
        tables = known
        if places:
            anchors = _taken(ops, places, *self._left_out, self._left_out_links)
            tables = {n: ops.concat([own, anchors[n]]) for n, own in known.items()}
        order, after = [], len(rows)
        for i, row in enumerate(rows):
            order += [after if row in self._changed else i, i]
            after += row in self._changed
        turns = ops.asarray(order, "int32")
        return {name: ops.take(table, turns) for name, table in tables.items()}

    def relink(self) -> None:
        """Link the rows to the bank as it is now, where an embedding layer has moved them."""
        if self._host_x is not None and self._links is not None:
            self._links = self._link(self._host_x)
            self.graph_figures = self._figures(self._host_x)

    def links(self) -> Tree:
        """The links that an embedding layer may move; empty where they do not change."""
        if self._host_x is None or self._links is None:
            return {}
        return {name: getattr(self._links, name) for name in _LISTS}

    def restore_links(self, lists: Tree) -> None:
        """Go on with what ``links`` gave, and a bank of the same time."""
        if lists:
            assert self._host_x is not None
            neighbors, weights, own = (lists[name] for name in _LISTS)
            self._links = Graph(neighbors, weights, own, None)
            self.graph_figures = self._figures(self._host_x)

    def bank_states(self) -> Tree:
        """The bank's states as they are now, by layer; none in batch scope."""
        if self._links is None:
            return {}
        return {str(i): states for i, states in enumerate(self.bank.states)}

    def margin(self, epoch: int) -> float:
        """The margin in ``epoch``, which counts from 1."""
        last = max(self.config.num_epochs - 1, 1)
        return self._margin.step(min(epoch - 1, last), last)

    def loss_arrays(self, batch: Batch, epoch: int, count: int, part: int = 0) -> Tree:
        """See the function ``loss_arrays``; ``count`` is the number of steps before this one, and
        ``part`` that of the step's parts with a loss of their own before this one."""
        key = derive_key(self.config.seed, "mining", count, *([part] if part else []))
        ops, config, data = self.ops, self.config, self.loader.dataset
        if self._left_out is None:
            return loss_arrays(ops, config, data, batch, key, self.margin(epoch))
        arrays = loss_arrays(ops, config, data, _doubled(batch), key, self.margin(epoch))
        return {**arrays, "anchors": ops.asarray([True, False] * len(batch.items), "bool")}

    def _link(self, host_x: ChosenRows) -> Graph:
        """Links of all training rows to the bank: its own, where every row is in it."""
        rows = self.bank.rows_of(host_x)
        if min(rows) < 0 or self.bank.graph is None:
            nodes = nodes_of(self.ops, self.model.network, self.model.params, self._x)
            links = self.model.attach(host_x, nodes)
        else:
            links = self.bank.graph.rows(self.ops, self.ops.asarray(rows, "int32"))
        # The first step would lose them where memory runs out in it.
        self.ops.evaluate(links.neighbors, links.weights, links.own)
        return links

    def _figures(self, host_x: ChosenRows) -> dict[str, float]:
        if self._links is None or self.config.graph_self_weight == 1.0:
            return {}
        ops = self.ops
        bank_labels = ops.asarray(self.bank.labels, "int32")
        labels = ops.asarray(self.loader.labels, "int32")
        figures = graph_figures(ops, self._links, labels, bank_labels)
        return {name: float(ops.to_numpy(value)) for name, value in figures.items()}


def _bank_rows(
    loader: TripletLoader, vectors: HostArray, host_x: ChosenRows
) -> tuple[HostArray, list[int]]:
    """The rows that the bank is made of, ``host_x`` where there are no nodes beside the loader's
    rows, and their classes: −1 where these are not given."""
    pseudo = set(loader.pseudo.tolist())
    known = zip(loader.items.tolist(), loader.labels.tolist(), strict=True)
    labels = [-1 if item in pseudo else label for item, label in known]
    if not len(loader.nodes):
        return host_x, labels
    items = loader.items.tolist() + loader.nodes.tolist()
    return vectors[items], labels + [-1] * len(loader.nodes)


def _changed(before: Sequence[HostArray], after: Sequence[HostArray], rows: HostArray) -> list[int]:
    """The numbers of the rows of ``after`` (M, D) that differ, in one of the arrays, from the
    ``rows`` (M,) of ``before``."""
    found: set[int] = set()
    for one, other in zip(before, after, strict=True):
        for start in range(0, len(rows), BLOCK_ROWS):
            block = slice(start, start + BLOCK_ROWS)
            places = (one[rows[block]] != other[block]).any(axis=1).nonzero()[0]
            found.update((start + places).tolist())
    return sorted(found)


def _taken(
    ops: ArrayOps, rows: list[int], x: Array, gate: Array | None, links: Graph | None
) -> Tree:
    """Some rows, and their gates and links where there are some."""
    indices = ops.asarray(rows, "int32")
    arrays = {"x": ops.take(x, indices)}
    if gate is not None:
        arrays["gate"] = ops.take(gate, indices)
    if links is not None:
        lists = links.rows(ops, indices)
        arrays |= {name: getattr(lists, name) for name in _LISTS}
    return arrays


def _doubled(batch: Batch) -> Batch:
    """The batch of rows that stand there twice. Its triplets, if any, begin at the first copies and
    lead to the second ones."""
    triplets = batch.triplets
    if triplets is not None:
        triplets = 2 * triplets
        triplets[:, 1:] += 1
    return replace(
        batch,
        items=batch.items.repeat(2),
        labels=batch.labels.repeat(2),
        triplets=triplets,
    )


def loss_arrays(
    ops: ArrayOps,
    config: DTGCNNConfig,
    dataset: Items,
    batch: Batch,
    key: tuple[int, int],
    margin: float,
) -> Tree:
    """What a loss asks of a batch beside its embeddings: ``labels`` and ``items``, ``triplets`` and
    ``targets`` where there are some, ``mining_key`` where mining draws, and ``margin`` where that
    changes."""
    arrays = {
        "labels": ops.asarray(batch.labels, "int32"),
        "items": ops.asarray(batch.items, "int32"),
    }
    if batch.triplets is not None:
        arrays["triplets"] = ops.asarray(batch.triplets, "int32")
    if dataset.targets is not None:
        arrays["targets"] = ops.asarray(dataset.targets[batch.items])
    if config.mining_strategy == "distance_weighted":
        arrays["mining_key"] = ops.asarray(key, "uint32")
    if config.target_margin is not None:
        arrays["margin"] = ops.asarray(margin)
    return arrays
