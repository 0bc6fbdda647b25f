"""Propagation over the bank after the network, against dense matrices in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from dtgcnn import DTGCNN
from dtgcnn.array.ops import HostArray
from dtgcnn.model.graph import EfficientGraphConstructor

from ..comparison import require
from ..graph.construction import dense_attachment, dense_lists
from ..layers.start import unit
from ..probe import Probe, normal
from ..registry import check
from ..task import VECTORS, model_of

HOPS, BANK = 3, 40
KINDS: tuple[dict[str, Any], ...] = (
    {"start": "none"},
    {"start": "closed_form"},
    {"start": "none", "graph_self_weight": 0.6, "graph_similarity_threshold": 0.4},
)
QUERIES = np.concatenate([VECTORS[30:50], VECTORS[[0, 3]]])
"""Rows of the bank, and rows that are not in it."""
PLACES = np.array([*range(30, 40), *[-1] * 10, 0, 3], np.int32)
"""Where they are in the bank."""


UNKNOWN = normal(20, VECTORS.shape[1], seed=12).astype(np.float32)
"""Rows of no class."""


def moved(model: DTGCNN) -> DTGCNN:
    """The model with a head that adds something, and the bank's states of it."""
    ops, head = model.ops, model.params["head"]
    drawn = np.random.default_rng(8).standard_normal(head["weight"].shape) * 0.2
    weight = ops.asarray(drawn.astype(np.float32))
    model.params = {**model.params, "head": {**head, "weight": weight}}
    model.refresh_bank()
    return model


def hop_states(
    f: HostArray,
    constructor: EfficientGraphConstructor,
    exclude: HostArray,
    sources: list[HostArray],
) -> list[HostArray]:
    """What each hop gives of embeddings ``f``: ``unit(own f + Σ w source)``."""
    links = dense_lists(unit(f) @ unit(sources[0]).T, constructor, exclude)
    weights, own = dense_attachment(links, constructor.self_weight)
    return [unit(own * f + weights @ source) for source in sources]


@check("training")
def hops_of_the_bank(probe: Probe) -> None:
    """The bank's states before each hop are those of the dense matrix of its embeddings."""
    for kind in KINDS:
        model = moved(model_of(probe.ops, BANK, propagation_hops=HOPS, **kind))
        plain = moved(model_of(probe.ops, BANK, **kind))
        f = plain.bank_embeddings().astype(np.float64)
        states, everyone = [f], np.arange(BANK, dtype=np.int32)
        for _ in range(HOPS):
            states.append(hop_states(f, model.network.propagation, everyone, states)[-1])
        held = [probe.ops.to_numpy(s) for s in model.trained_bank().hop_states]
        require(len(held) == HOPS, f"{kind}: the bank holds {len(held)} states, not {HOPS}")
        for hop, (actual, wanted) in enumerate(zip(held, states)):
            probe.values(f"state before hop {hop + 1}, {kind}", probe.array(actual), wanted)
        last = probe.array(model.bank_embeddings())
        probe.values(f"embeddings of the bank, {kind}", last, states[-1])


@check("training")
def encode_with_hops(probe: Probe) -> None:
    """``encode`` ends with hops of the embedding over the bank's states, itself left out."""
    for kind in KINDS:
        model = moved(model_of(probe.ops, BANK, propagation_hops=HOPS, **kind))
        plain = moved(model_of(probe.ops, BANK, **kind))
        require(not plain.trained_bank().hop_states, "without hops the bank holds states of them")
        f = plain.encode(QUERIES).astype(np.float64)
        states = map(probe.ops.to_numpy, model.trained_bank().hop_states)
        sources = [state.astype(np.float64) for state in states]
        expected = hop_states(f, model.network.propagation, PLACES, sources)[-1]
        actual = model.encode(QUERIES)
        probe.values(f"encode with {HOPS} hops, {kind}", probe.array(actual), expected)
        off = float(np.abs(expected - f).max())
        require(off > 0.01, f"{kind}: {HOPS} hops move an embedding by {off:.3g} at most")


@check("training")
def hops_agree(probe: Probe) -> None:
    """A model with a start and hops has the reference's embeddings, from the same parameters."""
    for hops in (0, HOPS):
        settings: dict[str, Any] = {"start": "closed_form", "propagation_hops": hops}
        models = [moved(model_of(ops, **settings)) for ops in (probe.reference, probe.ops)]
        expected, actual = (model.encode(VECTORS[:24]) for model in models)
        probe.values(f"encode with {hops} hops", probe.array(actual), expected)
        for model in models:
            model.build_bank(UNKNOWN, [0] * len(UNKNOWN))
        gate = models[1].trained_bank().gate
        assert gate is not None
        gates = probe.ops.to_numpy(gate)
        require(bool((gates < 0.5).any()), f"every row has a class, by gates of {gates.ravel()}")
        expected, actual = (model.bank_embeddings() for model in models)
        probe.values(f"the bank with {hops} hops", probe.array(actual), expected)


@check("training")
def a_corpus_as_the_bank(probe: Probe) -> None:
    """``index`` gives a model whose bank is the corpus, and leaves the model as it was."""
    model = moved(model_of(probe.ops, BANK, start="closed_form"))
    before, corpus = model.encode(QUERIES), VECTORS[20:]
    indexed = model.index(corpus, hops=HOPS)
    same = np.array_equal(model.encode(QUERIES), before)
    require(same and len(model.trained_bank()) == BANK, "index changes the model it is asked of")
    bank = indexed.trained_bank()
    require(len(bank) == len(corpus), f"the bank holds {len(bank)} rows of {len(corpus)}")
    other = model_of(probe.ops, BANK, start="closed_form", propagation_hops=HOPS)
    moved(other).build_bank(corpus, [0] * len(corpus))
    probe.same_bits("embeddings", probe.array(indexed.encode(QUERIES)), other.encode(QUERIES))
