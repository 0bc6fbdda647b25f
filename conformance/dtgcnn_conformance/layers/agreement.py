"""Layers and the network: values, running state and parameter gradients against the reference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from dtgcnn.array import numerics
from dtgcnn.array.ops import Array, ArrayOps, HostArray, Tree
from dtgcnn.array.random import derive_key, uniform
from dtgcnn.array.tree import flatten, tree_map
from dtgcnn.config.choices import Activation
from dtgcnn.model.embedding_bag import EmbeddingBag
from dtgcnn.model.graph import EfficientGraphConstructor, Graph
from dtgcnn.model.layers import BatchNorm, GCNLayer, LayerNorm, Linear, dropout
from dtgcnn.model.network import Network

from ..comparison import require
from ..probe import Probe, integers, normal, to_device, to_host
from ..registry import check
from ..task import config_of

N, D = 12, 6
X = normal(N, D, seed=1)
BANK_STATE = normal(15, D, seed=2)
KEY = np.array(derive_key(5, "conformance"), np.uint32)

Forward: TypeAlias = Callable[..., tuple[Array, Tree]]
"""``(ops, params, inputs) -> (out, other results)``."""


def disturbed(tree: Tree, seed: int = 0) -> Tree:
    """Host parameters moved off their initial zeros and ones, so that each of them matters."""
    counter = iter(range(seed, seed + 1000))

    def move(leaf: HostArray) -> HostArray:
        moved = leaf + 0.3 * normal(*leaf.shape, seed=next(counter))
        return moved.astype(np.float32).astype(np.float64)

    return tree_map(move, tree)


def initial(probe: Probe, init: Callable[[ArrayOps], Tree], seed: int = 0) -> Tree:
    """Disturbed initial parameters, on the host."""
    return disturbed(to_host(probe.reference, init(probe.reference)), seed)


def hold(probe: Probe, what: str, fn: Forward, params: Tree, inputs: dict[str, Any]) -> None:
    """Hold the output, the other results and the parameter gradients to the reference."""

    def run(ops: ArrayOps) -> Tree:
        given = to_device(ops, inputs)

        def loss(p: Tree) -> tuple[Array, Tree]:
            out, rest = fn(ops, p, given)
            weights = ops.asarray(normal(*out.shape, seed=77))
            return ops.sum(out * weights), {"out": out, "rest": rest}

        value, aux, gradients = ops.value_and_grad(loss)(to_device(ops, params))
        return {"value": value, **aux}, gradients

    values, gradients = run(probe.reference)
    own_values, own_gradients = run(probe.ops)
    probe.values(what, own_values, to_host(probe.reference, values))
    probe.gradients(f"gradients of {what}", own_gradients, to_host(probe.reference, gradients))


def batch_graph(probe: Probe) -> dict[str, HostArray]:
    """The lists of a graph of ``X``, from the reference, so that both sides have the same."""
    reference = probe.reference
    graph = EfficientGraphConstructor(3, 0.0).construct_graph_batch(reference, reference.asarray(X))
    assert graph.reverse is not None
    return to_host(reference, graph._asdict())  # type: ignore[no-any-return]


def bank_graph(probe: Probe) -> dict[str, HostArray]:
    """The lists of a graph from ``X`` to a bank of other rows."""
    o = probe.reference
    rows, source = (numerics.l2_normalize(o, o.asarray(x)) for x in (X, BANK_STATE))
    nobody = o.asarray(np.full(N, -1, np.int32))
    graph = EfficientGraphConstructor(4, 0.0, 0.6).attach(o, rows, source, nobody)
    return {k: o.to_numpy(v) for k, v in graph._asdict().items() if v is not None}


def as_graph(lists: Tree) -> Graph:
    """The graph of such lists on a device."""
    return Graph(lists["neighbors"], lists["weights"], lists["own"], lists.get("reverse"))


@check("layers")
def linear(probe: Probe) -> None:
    """``Linear`` is ``x W + b``, for one row and for none."""
    layer = Linear(D, 4)
    params = initial(probe, lambda o: layer.init(o, o.asarray(KEY, "uint32")))
    for x in (X, X[:1]):
        what = f"Linear of {x.shape}"
        given = {"layer": params, "x": x}
        hold(probe, what, lambda o, p, i: (layer(o, p["layer"], p["x"]), {}), given, {})
    none = {"layer": params, "x": X[:0]}
    probe.agreement("Linear of no rows", lambda o, p: layer(o, p["layer"], p["x"]), none)


@check("layers")
def layer_norm(probe: Probe) -> None:
    """``LayerNorm`` standardises each row, and has no running state."""
    layer = LayerNorm(D)
    params = {"layer": initial(probe, layer.init), "x": 3.0 * X + 2.0}
    require(layer.init_state(probe.ops) == {}, "LayerNorm has no running state")
    for training in (True, False):
        hold(
            probe,
            f"LayerNorm, training={training}",
            lambda o, p, i, t=training: layer(o, p["layer"], {}, p["x"], t),
            params,
            {},
        )


@check("layers")
def batch_norm(probe: Probe) -> None:
    """``BatchNorm`` uses the batch and moves its statistics in training, and uses them after."""
    layer = BatchNorm(D)
    params = {"layer": initial(probe, layer.init), "x": 3.0 * X + 2.0}
    state = {"mean": normal(D, seed=3), "var": np.abs(normal(D, seed=4)) + 0.5}
    for training in (True, False):
        hold(
            probe,
            f"BatchNorm, training={training}",
            lambda o, p, i, t=training: layer(o, p["layer"], i, p["x"], t),
            params,
            state,
        )


@check("layers")
def dropout_mask(probe: Probe) -> None:
    """Dropout drops the same entries everywhere, scales the rest, and needs a key."""
    ops, x = probe.ops, probe.array(X)
    require(dropout(ops, x, 0.5, None) is x, "dropout without a key must return x")
    for rate in (0.1, 0.5, 0.9):
        probe.agreement(
            f"dropout at {rate}",
            lambda o, i, r=rate: dropout(o, i["x"], r, i["key"]),
            {"x": X, "key": KEY},
        )
        kept = ops.to_numpy(dropout(ops, x, rate, probe.array(KEY)) == 0.0)
        given = to_device(probe.reference, {"x": X, "key": KEY})
        expected = dropout(probe.reference, given["x"], rate, given["key"]) == 0.0
        require(bool(np.all(kept == expected)), f"the mask of dropout at {rate} is another")


def hold_layer(probe: Probe, layer: GCNLayer, bank: bool, training: bool) -> None:
    """Hold a graph convolution, its parameters, its input and its state."""
    inputs = {"graph": bank_graph(probe) if bank else batch_graph(probe), "key": KEY}
    state = to_host(probe.reference, layer.init_state(probe.reference))
    inputs |= {"source": BANK_STATE[:, : layer.in_dim], "state": state}
    params = {"layer": initial(probe, lambda o: layer.init(o, o.asarray(KEY, "uint32")))}
    params["x"] = X[:, : layer.in_dim]

    def forward(o: ArrayOps, p: Tree, i: Tree) -> tuple[Array, Tree]:
        source, key = i["source"] if bank else None, i["key"] if training else None
        return layer(o, p["layer"], i["state"], p["x"], as_graph(i["graph"]), source, key=key)

    hold(probe, f"{layer}, bank={bank}, training={training}", forward, params, inputs)


@check("layers")
def graph_convolution(probe: Probe) -> None:
    """``GCNLayer`` in a batch: narrowing, widening, and with the residual connection."""
    for in_dim, out_dim in ((D, 3), (3, D), (D, D)):
        for training in (True, False):
            layer = GCNLayer(in_dim, out_dim, dropout_rate=0.3)
            hold_layer(probe, layer, bank=False, training=training)


@check("layers")
def graph_convolution_over_a_bank(probe: Probe) -> None:
    """``GCNLayer`` with its neighbours' part from the states of a bank."""
    for in_dim, out_dim in ((D, 3), (3, D), (D, D)):
        for training in (True, False):
            layer = GCNLayer(in_dim, out_dim, dropout_rate=0.3)
            hold_layer(probe, layer, bank=True, training=training)


@check("layers")
def activations_and_batch_norm(probe: Probe) -> None:
    """``GCNLayer`` with each activation, and with batch norm."""
    activations: tuple[Activation, ...] = ("gelu", "relu", "tanh", "identity")
    for activation in activations:
        for batch_norm in (False, True):
            layer = GCNLayer(D, 4, activation, batch_norm)
            for training in (True, False):
                hold_layer(probe, layer, bank=False, training=training)


@check("layers")
def embedding_bag(probe: Probe) -> None:
    """``EmbeddingBag`` is the mean of a row's pieces at unit length; piece 0 counts for nothing."""
    layer, table = EmbeddingBag(9, 4), normal(9, 4, seed=6)
    pieces = integers([[3, 0, 0, 5], [3, 3, 3, 8], [0, 0, 0, 0], [1, 2, 4, 6], [0, 7, 0, 0]])
    means = np.array([table[row[row > 0]].sum(axis=0) for row in pieces])
    length = np.linalg.norm(means, axis=1, keepdims=True)
    given = probe.array(pieces)
    out = layer(probe.ops, {"weight": probe.array(table)}, given)
    probe.values("EmbeddingBag", out, means / np.where(length > 0, length, 1.0))
    key: Any = np.array(derive_key(5, "embedding"), np.uint32)
    first = layer.init(probe.ops, probe.array(key))["weight"]
    drawn = probe.reference.to_numpy(uniform(probe.reference, key, (9, 4)))
    probe.values("first weights", first, (2.0 * drawn - 1.0) * (3.0 / 4) ** 0.5)
    params = {"weight": table}
    hold(probe, "EmbeddingBag", lambda o, p, i: (layer(o, p, i["x"]), {}), params, {"x": pieces})


@check("layers")
def network(probe: Probe) -> None:
    """The whole network in a batch: embeddings, running state and every parameter's gradient."""
    for settings in ({}, {"use_batch_norm": True}, {"normalize_output": False}):
        _hold_network(probe, bank=False, settings=settings)


@check("layers")
def network_over_a_bank(probe: Probe) -> None:
    """The whole network over the states of a bank."""
    for settings in ({}, {"use_batch_norm": True}):
        _hold_network(probe, bank=True, settings=settings)


def _hold_network(probe: Probe, bank: bool, settings: dict[str, Any]) -> None:
    shape: dict[str, Any] = {"input_dim": D, "hidden_dims": (8, 8, 5), "output_dim": 4}
    config = config_of(**shape, dropout_rate=0.1, **settings)
    net = Network.from_config(config)
    params, state = (to_host(probe.reference, t) for t in net.init(probe.reference, 3))
    inputs = {"graph": bank_graph(probe) if bank else batch_graph(probe), "key": KEY}
    widths = (D, 8, 8)
    sources = {str(i): normal(15, width, seed=20 + i) for i, width in enumerate(widths)}
    inputs |= {"x": X, "state": state, "sources": sources}

    def forward(training: bool) -> Forward:
        def run(o: ArrayOps, p: Tree, i: Tree) -> tuple[Array, Tree]:
            held = [i["sources"][str(n)] for n in range(3)] if bank else None
            key = i["key"] if training else None
            return net(o, p, i["state"], i["x"], as_graph(i["graph"]), held, key=key)

        return run

    moved = disturbed(params)
    require(len(flatten(moved)) == 14, "a network of three layers has 14 parameters")
    for training in (True, False):
        what = f"Network, bank={bank}, training={training}, {settings}"
        hold(probe, what, forward(training), moved, inputs)
