"""Layers of any widths, on any number of rows and over any lists."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from dtgcnn.array.ops import Array, ArrayOps, HostArray, Tree
from dtgcnn.model.graph import propagate
from dtgcnn.model.layers import BatchNorm, GCNLayer, LayerNorm, Linear

from ..probe import Probe, normal, to_device, to_host
from ..properties_strategies import SEEDS, distinct, hold_for_all, scattered
from ..registry import check
from .agreement import as_graph, disturbed, hold, initial

WIDTHS, ROWS = (1, 3), (1, 5)


# Layer norm of a width of 1 divides 0 by √eps: what a fused one leaves is rounding, 316 times as
# large. So its widths begin at 2.


def key_of(seed: int) -> HostArray:
    """A key, on the host."""
    return np.array([seed, 17], np.uint32)


@check("layers")
def norms_of_any_rows(probe: Probe) -> None:
    """``LayerNorm``, ``BatchNorm`` and ``Linear`` of any width and number of rows, 1 included."""

    def body(n: int, width: int, out: int, training: bool, seed: int) -> None:
        for norm in (LayerNorm(width + 1), BatchNorm(width)):
            (x,) = distinct((n, norm.dim), seed=seed)
            params = {"layer": initial(probe, norm.init, seed % 1000), "x": 8.0 * x}
            state = to_host(probe.reference, norm.init_state(probe.reference))

            def forward(o: ArrayOps, p: Tree, i: Tree, norm: Any = norm) -> tuple[Array, Tree]:
                result: tuple[Array, Tree] = norm(o, p["layer"], i, p["x"], training)
                return result

            what = f"{norm} of {n} rows, training={training}"
            hold(probe, what, forward, params, disturbed(state, 7) if state else {})
        linear, (x,) = Linear(width, out), distinct((n, width), seed=seed)
        start = initial(probe, lambda o: linear.init(o, o.asarray(key_of(seed), "uint32")))
        given = {"layer": start, "x": x}
        what = f"{linear} of {n} rows"
        hold(probe, what, lambda o, p, i: (linear(o, p["layer"], p["x"]), {}), given, {})

    edges = [(n, w, 2, t, 5) for n in ROWS for w in WIDTHS for t in (False, True)]
    sizes = {"n": st.sampled_from(ROWS), "width": st.sampled_from(WIDTHS)}
    rest = {"out": st.sampled_from(WIDTHS), "training": st.booleans(), "seed": SEEDS}
    hold_for_all(probe, body, edges, **sizes, **rest)


def _settled(probe: Probe, layer: GCNLayer, params: Tree, inputs: Tree) -> bool:
    """Whether the norm divides by no deviation so small that it shows the rounding before it.

    Of one row the deviation is 0, and nothing is left to be divided.
    """
    o = probe.reference
    given, p = to_device(o, inputs), to_device(o, params)
    mixed = propagate(o, as_graph(given["graph"]), p["x"], given.get("source"))
    out = o.to_numpy(layer.linear(o, p["layer"]["linear"], mixed))
    axis = 0 if layer.batch_norm else 1
    return bool(out.shape[axis] == 1 or out.std(axis=axis).min() > 0.3)


@check("layers")
def layer_of_any_graph(probe: Probe) -> None:
    """``GCNLayer`` of any widths over any lists, of the batch or a bank, of one row too."""

    def body(n: int, k: int, bank: bool, training: bool, seed: int, layer: GCNLayer) -> bool:
        m = 4 if bank else n
        lists = {"neighbors": scattered((n, k), m, seed), "weights": np.abs(normal(n, k, seed=1))}
        lists["weights"] = lists["weights"] * (lists["neighbors"] % 3 != 1)  # some are no links
        lists["own"] = np.abs(normal(n, 1, seed=2)) + 0.1
        if not bank:
            lists["reverse"] = lists["weights"] * (lists["neighbors"] % 2)
        state = to_host(probe.reference, layer.init_state(probe.reference))
        inputs = {"graph": lists, "key": key_of(seed), "state": state}
        if bank:
            inputs["source"] = normal(m, layer.in_dim, seed=3)
        start = initial(probe, lambda o: layer.init(o, o.asarray(key_of(seed), "uint32")))
        params = {"layer": start, "x": normal(n, layer.in_dim, seed=seed)}
        if not _settled(probe, layer, params, inputs):
            return False

        def forward(o: ArrayOps, p: Tree, i: Tree) -> tuple[Array, Tree]:
            source, key = i.get("source"), i["key"] if training else None
            return layer(o, p["layer"], i["state"], p["x"], as_graph(i["graph"]), source, key=key)

        what = f"{layer}, {n} rows, {k} links, bank={bank}, training={training}"
        hold(probe, what, forward, params, inputs)
        return True

    for bank in (False, True):
        for training in (False, True):
            body(1, 1, bank, training, 3, GCNLayer(3, 3, batch_norm=training))
            body(5, 3, bank, training, 4, GCNLayer(1, 3, "relu", dropout_rate=0.4))
            body(5, 3, bank, training, 5, GCNLayer(3, 1, "tanh", batch_norm=True))

    def drawn(n: int, k: int, bank: bool, training: bool, seed: int, **layer: Any) -> None:
        assume(layer["batch_norm"] or layer["out_dim"] > 1)
        assume(body(n, k, bank, training, seed, GCNLayer(**layer)))

    sizes = {"n": st.sampled_from(ROWS), "k": st.sampled_from([1, 3]), "seed": SEEDS}
    widths = {"in_dim": st.sampled_from(WIDTHS), "out_dim": st.sampled_from(WIDTHS)}
    kind: Any = {"activation": st.sampled_from(["gelu", "relu", "tanh", "identity"])}
    kind |= {"batch_norm": st.booleans(), "dropout_rate": st.sampled_from([0.0, 0.4])}
    probe.for_all(drawn, **sizes, bank=st.booleans(), training=st.booleans(), **widths, **kind)
