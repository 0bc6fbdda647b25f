"""What an embedding is made of beside its row: the bank's states, and nothing of its length."""

from __future__ import annotations

import numpy as np

from dtgcnn import DTGCNN
from dtgcnn.array.ops import ArrayOps, Tree
from dtgcnn.array.tree import tree_map

from ..probe import Probe, to_device, to_host
from ..registry import check
from ..task import LABELS, PIECES, VECTORS, VOCABULARY, WIDTH, config_of

CLASSES = [int(label) for label in LABELS]


def model_of(ops: ArrayOps) -> DTGCNN:
    """A model of three layers as wide as its rows, so that each layer's states fit the others."""
    return DTGCNN(config_of(hidden_dims=(WIDTH,) * 3, use_batch_norm=True), ops=ops)


@check("training")
def bank_follows_the_parameters(probe: Probe) -> None:
    """A refreshed bank holds, layer by layer, the states of the parameters that it is given."""

    def states(ops: ArrayOps, params: Tree) -> Tree:
        model = model_of(ops)
        bank = model.build_bank(VECTORS, CLASSES)
        bank.refresh(ops, model.network, to_device(ops, params), model.state)
        return {str(i): state for i, state in enumerate(bank.states)}

    params = tree_map(
        lambda p: 1.5 * p + 0.25, to_host(probe.reference, model_of(probe.reference).params)
    )
    params = tree_map(lambda p: p.astype(np.float32).astype(np.float64), params)
    expected = to_host(probe.reference, states(probe.reference, params))
    probe.values("states of a refreshed bank", states(probe.ops, params), expected)


@check("training")
def bank_of_pieces_follows_the_layer(probe: Probe) -> None:
    """Nodes, links and states of a bank of pieces are those of the embedding layer it is given."""
    layer = {"vocab_size": VOCABULARY, "max_length": PIECES.shape[1]}

    def held(ops: ArrayOps, params: Tree) -> Tree:
        model = DTGCNN(config_of(**layer), ops=ops)
        bank = model.build_bank(PIECES, CLASSES)
        bank.refresh(ops, model.network, to_device(ops, params), model.state)
        assert bank.graph is not None
        return {**{str(i): x for i, x in enumerate(bank.states)}, "weights": bank.graph.weights}

    params = to_host(probe.reference, DTGCNN(config_of(**layer), ops=probe.reference).params)
    params["embedding"]["weight"] = params["embedding"]["weight"][:, ::-1] ** 3
    params = tree_map(lambda p: p.astype(np.float32).astype(np.float64), params)
    expected = to_host(probe.reference, held(probe.reference, params))
    probe.values("a refreshed bank of pieces", held(probe.ops, params), expected)


@check("training")
def rows_of_any_length(probe: Probe) -> None:
    """A row's length is nothing to its embedding, between 10⁻³⁰ and 10³⁰, in any company."""
    model = model_of(probe.ops)
    model.build_bank(VECTORS, CLASSES)
    rows = VECTORS[20:28] + 0.5 * VECTORS[:8]  # none of them in the bank
    expected = model.encode(rows).astype(np.float64)
    scales = 2.0 ** np.array([100.0, -100.0, 0.0, 60.0, -60.0, 1.0, 90.0, -90.0])
    actual = model.encode((rows * scales[:, None]).astype(np.float32))
    probe.values("embeddings of rows of many lengths", probe.array(actual), expected)
    signed = VECTORS.copy()
    signed[:, 0] = 0.0
    model.build_bank(signed, CLASSES)
    expected = model.encode(signed[:4]).astype(np.float64)
    signed[:, 0] = -0.0
    probe.values("embeddings of rows with −0", probe.array(model.encode(signed[:4])), expected)
