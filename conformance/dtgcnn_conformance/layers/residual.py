"""The network that adds to its start: ``f = unit(x + g · head(h))``."""

from __future__ import annotations

from typing import Any

import numpy as np

from dtgcnn.array.ops import Array, ArrayOps, Tree
from dtgcnn.array.tree import flatten
from dtgcnn.model.graph import Graph, propagate
from dtgcnn.model.network import Network

from ..comparison import require
from ..probe import Probe, normal, to_device, to_host
from ..registry import check
from ..task import config_of
from .agreement import BANK_STATE, KEY, as_graph, bank_graph, batch_graph, disturbed, hold
from .start import single, unit

N, D = 12, 6
X = single(unit(normal(N, D, seed=1)))
GATE = np.abs(normal(N, 1, seed=41))
GATE[[2, 5]] = 0.0
GATE[3] = 1.0
H, HEAD = normal(N, 4, seed=42), {"weight": normal(4, D, seed=43), "bias": normal(D, seed=44)}


def network_of(**settings: Any) -> Network:
    """A network whose nodes are starts of the width of ``X``."""
    settings = {"hidden_dims": (8, 4), "output_dim": D, **settings}
    return Network.from_config(config_of(start="closed_form", **settings))


def _added(o: ArrayOps, network: Network, p: Tree, gate: bool = True) -> Array:
    return network.added(o, p, p["x"], p["h"], p["gate"] if gate else None)


@check("layers")
def residual_by_definition(probe: Probe) -> None:
    """``f = unit(x + g · (h W + b))``, at its own length where asked for; g is 1 without a gate."""
    given = to_device(probe.ops, {"head": HEAD, "x": X, "h": H, "gate": GATE})
    added = H @ HEAD["weight"] + HEAD["bias"]
    for normalize in (True, False):
        network = network_of(normalize_output=normalize)
        for gate in (True, False):
            f = X + (GATE * added if gate else added)
            what = f"f, normalize_output={normalize}, with a gate: {gate}"
            actual = _added(probe.ops, network, given, gate)
            probe.values(what, actual, unit(f) if normalize else f)


@check("layers")
def residual_gradient(probe: Probe) -> None:
    """The gradient of ``f`` goes through gate and head to the hidden values, and to the start."""
    params = {"head": HEAD, "x": X, "h": H, "gate": GATE}
    for normalize in (True, False):
        network = network_of(normalize_output=normalize)
        probe.derivative("f", lambda o, p, n=network: _added(o, n, p), params)


@check("layers")
def first_head_gives_the_start_back(probe: Probe) -> None:
    """Before the first step every embedding is its start: the head's parameters are 0."""
    ops, lists = probe.ops, to_device(probe.ops, bank_graph(probe))
    sources = [probe.array(normal(15, width, seed=20 + width)) for width in (D, 8)]
    for settings in ({}, {"use_batch_norm": True}, {"normalize_output": False}):
        network = network_of(**settings)
        params, state = network.init(ops, 3)
        head = to_host(ops, params["head"])
        require(not any(leaf.any() for leaf in head.values()), f"the first head is {head}")
        wanted = unit(X) if network.normalize else X
        for key in (None, probe.array(KEY)):
            f, _ = network(
                ops, params, state, probe.array(X), as_graph(lists), sources, gate=None, key=key
            )
            probe.values(f"first embeddings, {settings}, training: {key is not None}", f, wanted)
            if not network.normalize:
                probe.same_bits("first embeddings", f, X.astype(ops.dtype))


@check("layers")
def gate_of_zero_holds_rows(probe: Probe) -> None:
    """A row whose gate is 0 stays at its start whatever the head gives, and the others move."""
    ops, network = probe.ops, network_of()
    params, state = (to_host(probe.reference, t) for t in network.init(probe.reference, 3))
    given = to_device(ops, {"p": disturbed(params), "s": state, "graph": batch_graph(probe)})
    graph = as_graph(given["graph"])
    f, _ = network(ops, given["p"], given["s"], probe.array(X), graph, gate=probe.array(GATE))
    still = GATE[:, 0] == 0.0
    host = ops.to_numpy(f).astype(np.float64)
    probe.values("rows whose gate is 0", probe.array(host[still]), unit(X)[still])
    moved = np.abs(host - X).max(axis=1)
    require(bool((moved[~still] > 1e-3).all()), f"rows whose gate is not 0 move by {moved}")


@check("layers")
def network_that_adds(probe: Probe) -> None:
    """The whole network that adds to its nodes: embeddings and every parameter's gradient."""
    for normalize in (True, False):
        network = network_of(normalize_output=normalize)
        params, state = (to_host(probe.reference, t) for t in network.init(probe.reference, 3))
        inputs = {"graph": bank_graph(probe), "key": KEY, "state": state, "x": X, "gate": GATE}
        inputs["sources"] = {"0": BANK_STATE, "1": normal(15, 8, seed=21)}

        def run(o: ArrayOps, p: Tree, i: Tree, n: Network = network) -> tuple[Array, Tree]:
            sources, graph = list(i["sources"].values()), as_graph(i["graph"])
            return n(o, p, i["state"], i["x"], graph, sources, gate=i["gate"], key=i["key"])

        require(len(flatten(params)) == 10, "a network of two layers has 10 parameters")
        hold(probe, f"Network, normalize_output={normalize}", run, disturbed(params), inputs)


@check("layers")
def hop_by_definition(probe: Probe) -> None:
    """A hop is ``unit(own f + Σ w source)``, at its own length where embeddings are."""
    lists = bank_graph(probe)
    weights = np.zeros((N, len(BANK_STATE)))
    np.add.at(weights, (np.arange(N)[:, None], lists["neighbors"]), lists["weights"])
    mixed = lists["own"] * X + weights @ BANK_STATE
    graph: Graph = as_graph(to_device(probe.ops, lists))
    rows, source = probe.array(X), probe.array(BANK_STATE)
    for normalize in (True, False):
        network = network_of(normalize_output=normalize)
        out = network.hop(probe.ops, rows, graph, source)
        probe.values(f"a hop, {normalize}", out, unit(mixed) if normalize else mixed)
    probe.values("before its length", propagate(probe.ops, graph, rows, source), mixed)
