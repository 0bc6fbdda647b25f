"""Whole training steps, in lock-step with the reference, and what a trained model promises."""

from __future__ import annotations

from typing import Any

from dtgcnn_numpy import NumpyOps

from dtgcnn import DTGCNN
from dtgcnn.array.ops import Tree
from dtgcnn.array.tree import flatten
from dtgcnn.model.network import Network

from ..comparison import require
from ..lock_step import by_parameter, lock_step, sensitivity
from ..optimisers.schedules import compile_really
from ..probe import Probe, to_host
from ..registry import check
from ..task import LABELS, PIECES, VECTORS, VOCABULARY, config_of, rounded, task_of


@check("training")
def initial_weights(probe: Probe) -> None:
    """The same seed gives the same initial weights on every backend, bit for bit."""
    host = NumpyOps(dtype=probe.ops.dtype)
    for settings in ({"use_batch_norm": True}, {}):
        net = Network.from_config(config_of(**settings))
        params, state = net.init(probe.ops, 123)
        expected, expected_state = net.init(host, 123)
        for name, leaf in flatten({"params": params, "state": state}).items():
            wanted = flatten({"params": expected, "state": expected_state})[name]
            same = probe.ops.to_numpy(leaf).tobytes() == wanted.tobytes()
            require(same, f"initial {name} is not the reference's bit for bit")


@check("training")
def batch_scope(probe: Probe) -> None:
    """Ten steps in batch scope with dropout: loss, gradient norm, moments and parameters."""
    lock_step(probe, task_of(probe.reference, graph_scope="batch"))


@check("training")
def bank_scope(probe: Probe) -> None:
    """Ten steps in bank scope with dropout: loss, gradient norm, moments and parameters."""
    lock_step(probe, task_of(probe.reference, graph_scope="bank"))


@check("training")
def own_triplets(probe: Probe) -> None:
    """Ten steps from the data's own triplets, and from half of each those and semi-hard ones."""
    for strategy in ("explicit", "auto"):
        settings: dict[str, Any] = {"graph_scope": "bank", "mining_strategy": strategy}
        lock_step(probe, task_of(probe.reference, triplets=True, **settings))


@check("training")
def batch_norm_steps(probe: Probe) -> None:
    """Ten steps with batch norm, relu and Kipf's normalisation, the running statistics too."""
    settings: dict[str, Any] = {"use_batch_norm": True, "gcn_activation": "relu"}
    settings |= {"graph_scope": "batch", "graph_self_weight": None}
    lock_step(probe, task_of(probe.reference, **settings))


@check("training")
def steps_of_pieces(probe: Probe) -> None:
    """Steps that train an embedding layer of pieces, in both scopes, and steps with it frozen."""
    layer: dict[str, Any] = {"vocab_size": VOCABULARY, "max_length": PIECES.shape[1]}
    for scope in ("batch", "bank"):
        lock_step(probe, task_of(probe.reference, graph_scope=scope, **layer), 5)
    task = task_of(probe.reference, frozen=lambda name: name.startswith("embedding."), **layer)
    require(task.frozen == {"embedding.weight"}, f"the frozen parameters are {task.frozen}")
    lock_step(probe, task, 2)


@check("training")
def frozen_parameters(probe: Probe) -> None:
    """Not one bit of a frozen parameter moves in ten steps, and the others move as they should."""

    def first_layer(name: str) -> bool:
        return name.startswith("gcn.0.") or name == "head.bias"

    for scope in ("batch", "bank"):
        settings: dict[str, Any] = {"graph_scope": scope, "use_batch_norm": True}
        task = task_of(probe.reference, frozen=first_layer, **settings)
        require(len(task.frozen) == 5, f"the frozen parameters are {sorted(task.frozen)}")
        lock_step(probe, task)
        task = task_of(probe.reference, frozen=lambda name: name.startswith("head."), **settings)
        lock_step(probe, task, 3)


@check("training")
def compiled_step(probe: Probe) -> None:
    """A compiled step equals the uncompiled one, and follows a margin that changes."""
    settings: dict[str, Any] = {"hidden_dims": (8,), "output_dim": 4, "target_margin": 0.5}
    task = task_of(probe.reference, graph_scope="batch", **settings)
    plain = task.stepper(probe.ops)
    compiled = compile_really(probe.ops, plain)
    held = rounded(task.start, probe.ops.dtype)
    for number in range(2):
        expected = to_host(probe.ops, task.take(probe.ops, plain, held, number))
        actual = task.take(probe.ops, compiled, held, number)
        moments = by_parameter(probe.reference, task, expected)
        own_moments = by_parameter(probe.ops, task, actual)
        slack = sensitivity(moments, probe.tolerance.gradient.atol)
        for name in ("metrics", "state"):
            probe.values(f"compiled {name}", actual[name], expected[name])
        probe.gradients("compiled moments", own_moments, moments)
        probe.values("compiled parameters", actual["params"], expected["params"], slack)


@check("training")
def embeddings_agree(probe: Probe) -> None:
    """``encode`` and the bank's states are the reference's, from the same parameters."""
    labels = [int(label) for label in LABELS]
    models = [DTGCNN(config_of(), ops=ops) for ops in (probe.reference, probe.ops)]
    for model in models:
        model.build_bank(VECTORS, labels)
    expected, actual = (model.encode(VECTORS[:20]) for model in models)
    probe.values("encode", probe.array(actual), expected)
    expected, actual = map(states_of, models)
    probe.values("states of the bank", actual, to_host(probe.reference, expected))


def states_of(model: DTGCNN) -> Tree:
    """What a bank holds for each layer, and what the layers give for it."""
    bank = model.bank
    assert bank is not None
    outputs = bank.layer_outputs(model.ops, model.network, model.params, model.state)
    layers = {"in": bank.states, "out": outputs}
    return {name: {str(i): x for i, x in enumerate(rows)} for name, rows in layers.items()}
