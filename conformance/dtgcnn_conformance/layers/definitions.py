"""Layers against what they are by definition, in plain NumPy that shares nothing with the core."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dtgcnn.array.ops import Array, HostArray, Tree
from dtgcnn.model.graph import EfficientGraphConstructor, Graph
from dtgcnn.model.heads import ProjectionHead
from dtgcnn.model.layers import BatchNorm, GCNLayer, LayerNorm, dropout

from ..comparison import require
from ..graph.construction import dense_adjacency, dense_propagation
from ..probe import Probe, normal, to_device, to_host
from ..registry import check
from .agreement import BANK_STATE, KEY, as_graph, bank_graph, batch_graph, disturbed

N, D = 12, 6
X = normal(N, D, seed=1)
FLAT = np.concatenate([X, 1e-2 * X, np.ones((1, D))]).astype(np.float32).astype(np.float64)
"""Rows of all sizes of variance: about 1, about 10⁻⁴ where eps matters, and none."""
AFFINE = {"weight": normal(D, seed=3), "bias": normal(D, seed=4)}


def standardised(x: HostArray, mean: HostArray, var: HostArray) -> HostArray:
    """``(x − mean) / √(var + 10⁻⁵) · weight + bias``."""
    out: HostArray = (x - mean) / np.sqrt(var + 1e-5) * AFFINE["weight"] + AFFINE["bias"]
    return out


@check("layers")
def layer_norm_by_definition(probe: Probe) -> None:
    """Mean and biased variance of each row, eps inside of the root; a constant row gives 0."""
    mean, var = FLAT.mean(axis=1, keepdims=True), FLAT.var(axis=1, keepdims=True)
    params, x = to_device(probe.ops, AFFINE), probe.array(FLAT)
    out, state = LayerNorm(D)(probe.ops, params, {}, x, True)
    probe.values("LayerNorm", out, standardised(FLAT, mean, var))
    require(state == {}, f"LayerNorm gives the state {state}")


@check("layers")
def batch_norm_by_definition(probe: Probe) -> None:
    """Biased variance of the columns; the running one is unbiased and moves by a tenth."""
    state = {"mean": normal(D, seed=5), "var": np.abs(normal(D, seed=6)) + 0.5}
    narrow = 1.0 + 2.0**-7 * np.round(8.0 * X)
    params, held = to_device(probe.ops, AFFINE), to_device(probe.ops, state)
    for x in (X, narrow, X[:1]):
        mean, var, n = x.mean(axis=0), x.var(axis=0), len(x)
        out, new = BatchNorm(D)(probe.ops, params, held, probe.array(x), True)
        probe.values(f"BatchNorm of {n} rows", out, standardised(x, mean, var))
        unbiased = var * n / max(n - 1, 1)
        moved = {"mean": 0.9 * state["mean"] + 0.1 * mean, "var": 0.9 * state["var"]}
        moved["var"] = moved["var"] + 0.1 * unbiased
        probe.values(f"running statistics after {n} rows", new, moved)
        out, kept = BatchNorm(D)(probe.ops, params, held, probe.array(x), False)
        probe.values("BatchNorm in evaluation", out, standardised(x, state["mean"], state["var"]))
        probe.same_bits("running statistics in evaluation", kept, to_host(probe.ops, held))


@check("layers")
def dropout_by_definition(probe: Probe) -> None:
    """What is kept is ``x / (1 − rate)``; rows and columns drop independently, at the rate."""
    x, n = np.ones((200, 100)), 200 * 100
    for rate in (0.1, 0.5, 0.75):
        out = probe.ops.to_numpy(dropout(probe.ops, probe.array(x), rate, probe.array(KEY)))
        kept = out != 0.0
        probe.values(f"dropout at {rate}", probe.array(out), kept / (1.0 - rate))
        deviation = math.sqrt(rate * (1.0 - rate))
        for what, share, size in (
            ("all", kept.mean(), n),
            ("pairs of rows", (kept[1:] == kept[:-1]).mean(), n - 100),
            ("pairs of columns", (kept[:, 1:] == kept[:, :-1]).mean(), n - 200),
        ):
            wanted = 1.0 - rate if what == "all" else 1.0 - 2.0 * rate * (1.0 - rate)
            # Six standard errors; pairs that share an entry are not quite independent.
            limit = 6.0 * (deviation if what == "all" else 1.0) / math.sqrt(size)
            off = abs(float(share) - wanted)
            require(off < limit, f"dropout at {rate} of {what}: {share}, expected {wanted:.4f}")


def _gelu(x: HostArray) -> HostArray:
    phi: HostArray = 0.5 * (1.0 + np.vectorize(math.erf)(x / math.sqrt(2.0)))
    return x * phi


_ACTIVATIONS: dict[str, Any] = {
    "gelu": _gelu,
    "relu": lambda x: np.maximum(x, 0.0),
    "tanh": np.tanh,
    "identity": lambda x: x,
}


def _layer(layer: GCNLayer, params: Tree, x: HostArray, mixed: HostArray) -> HostArray:
    """``σ(Norm(mixed W + b))``, plus x where the widths agree; mixed is ``Â h``."""
    out = mixed @ params["linear"]["weight"] + params["linear"]["bias"]
    mean, var = out.mean(axis=1, keepdims=True), out.var(axis=1, keepdims=True)
    out = (out - mean) / np.sqrt(var + 1e-5) * params["norm"]["weight"] + params["norm"]["bias"]
    out = _ACTIVATIONS[layer.activation](out)
    return out + x if layer.in_dim == layer.out_dim else out


@check("layers")
def graph_convolution_by_definition(probe: Probe) -> None:
    """``σ(Norm(Â h W + b))`` with a dense ``Â``, plus ``h`` where the widths agree."""
    key: Array = probe.reference.asarray(KEY, "uint32")
    dense = dense_propagation(dense_adjacency(X, EfficientGraphConstructor(3, 0.0)), None)
    lists, to_bank = batch_graph(probe), bank_graph(probe)
    rows = np.arange(N)[:, None]
    weights: HostArray = np.zeros((N, len(BANK_STATE)))
    np.add.at(weights, (rows, to_bank["neighbors"]), to_bank["weights"])
    for activation in ("gelu", "relu", "tanh", "identity"):
        for out_dim in (3, D, 8):
            layer = GCNLayer(D, out_dim, activation)
            params = disturbed(to_host(probe.reference, layer.init(probe.reference, key)))
            state: Tree = {"norm": {}}

            def held(graph: Graph, source: Array | None, p: Tree = params, a: Any = layer) -> Array:
                params = to_device(probe.ops, p)
                out: Array = a(probe.ops, params, {"norm": {}}, probe.array(X), graph, source)[0]
                return out

            require(layer.init_state(probe.ops) == state, "a layer norm has no running state")
            out = held(as_graph(to_device(probe.ops, lists)), None)
            probe.values(f"{layer}", out, _layer(layer, params, X, dense @ X))
            out = held(as_graph(to_device(probe.ops, to_bank)), probe.array(BANK_STATE))
            mixed = to_bank["own"] * X + weights @ BANK_STATE
            probe.values(f"{layer} over a bank", out, _layer(layer, params, X, mixed))


@check("layers")
def head_by_definition(probe: Probe) -> None:
    """``h W + b``, at unit length unless told otherwise; a row of zeros stays zero."""
    params = {"weight": normal(D, 4, seed=8), "bias": normal(4, seed=9)}
    h = np.concatenate([X, 1e-3 * X])
    z = h @ params["weight"] + params["bias"]
    given = to_device(probe.ops, params), probe.array(h)
    probe.values("a head", ProjectionHead(D, 4, normalize=False)(probe.ops, *given), z)
    unit = z / np.linalg.norm(z, axis=1, keepdims=True)
    probe.values("a head at unit length", ProjectionHead(D, 4)(probe.ops, *given), unit)
    still = {**params, "bias": 0.0 * params["bias"]}
    small = np.concatenate([np.zeros((1, D)), 1e-3 * X])
    z = small @ params["weight"]
    unit = z / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-12)
    out = ProjectionHead(D, 4)(probe.ops, to_device(probe.ops, still), probe.array(small))
    probe.values("a head of small rows", out, unit)
