"""What is kept comes back: a saved start with its hops, and the best epoch's weights."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from dtgcnn import DTGCNN
from dtgcnn.array.backends import available_backends
from dtgcnn.array.ops import Tree
from dtgcnn.array.tree import tree_map
from dtgcnn.training.best_epoch import BestEpoch

from ..comparison import require
from ..probe import Probe, to_host
from ..registry import check
from ..task import VECTORS, another, model_of
from .propagation import HOPS, moved


def _held(model: DTGCNN) -> Tree:
    """All that an embedding is made of: weights, start, and the bank with its states and gate."""
    bank, start = model.trained_bank(), model.start
    assert start is not None
    states = {f"states.{i}": state for i, state in enumerate(bank.states)}
    states |= {f"hops.{i}": state for i, state in enumerate(bank.hop_states)}
    weights = {"params": model.params, "state": model.state}
    return {**weights, "start": start.arrays, "bank": {**states, "gate": bank.gate}}


@check("training")
def saved_start_comes_back(probe: Probe) -> None:
    """A saved model with a start and hops comes back bit for bit, and its embeddings with it."""
    if probe.ops.name not in available_backends() or probe.ops.dtype != "float32":
        return  # a load finds the backend by its name
    settings = {"start": "closed_form", "propagation_hops": HOPS, "use_batch_norm": True}
    model = moved(model_of(probe.ops, 40, **settings))
    expected, embeddings = to_host(probe.ops, _held(model)), model.encode(VECTORS)
    with tempfile.TemporaryDirectory() as folder:
        try:
            path = model.save(Path(folder) / "model")
            loaded = DTGCNN.load(path, backend=probe.ops.name)
            actual, again = to_host(loaded.ops, _held(loaded)), loaded.encode(VECTORS)
        finally:
            another(probe.ops)  # MLX computes on the device of the object that was made last
    probe.same_bits("what was saved", tree_map(probe.array, actual), expected)
    probe.values("its embeddings", probe.array(again), embeddings.astype(np.float64))


def _times(probe: Probe, model: DTGCNN, factor: float) -> Tree:
    """The model's weights made larger, which are set as well, on the host."""
    model.params = tree_map(lambda leaf: leaf * factor, model.params)
    return to_host(probe.ops, model.params)


@check("training")
def best_weights_come_back(probe: Probe) -> None:
    """The weights of the best epoch come back bit for bit, from a saved state as well."""
    for lower, values, best in ((False, (0.5, 0.75, 0.75, float("nan")), 1), (True, (2.0, 1.0), 1)):
        model = moved(model_of(probe.ops, start="closed_form"))
        keeper, weights = BestEpoch(model), []
        for epoch, value in enumerate(values):
            weights.append(_times(probe, model, 1.0 + 0.25 * epoch))
            keeper.offer(epoch, value, lower=lower)
        require(keeper.epoch == best, f"the best epoch of {values} is {keeper.epoch}, not {best}")
        numbers, arrays = keeper.state_dict()
        other = model_of(probe.ops, start="closed_form")
        again = BestEpoch(other)
        again.load_state_dict(numbers, arrays)
        for what, kept, of in (("kept", keeper, model), ("saved", again, other)):
            require(kept.restore(), f"there are no weights that were {what}")
            probe.same_bits(f"the weights that were {what}", of.params, weights[best])
    nothing = BestEpoch(model_of(probe.ops, start="closed_form"))
    numbers, arrays = nothing.state_dict()
    nothing.load_state_dict(numbers, arrays)
    require(not arrays and not nothing.restore(), "no epoch was offered, and one is kept")
    require(np.isfinite(numbers["value"]), "a value that is not finite is none of JSON's")
