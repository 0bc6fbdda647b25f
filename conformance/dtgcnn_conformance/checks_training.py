"""Whole training steps, in lock-step with the reference, and what a trained model promises.

At every step both sides start from the reference's numbers, rounded to the backend's dtype: left
to themselves, AdamW would turn a gradient error of 10⁻⁶ near 0 into a full step.
"""

from __future__ import annotations

import inspect
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from dtgcnn import DTGCNN, DTGCNNConfig, numerics
from dtgcnn.model import Network
from dtgcnn.ops import ArrayOps, HostArray, Tree
from dtgcnn.optim import adamw
from dtgcnn.random import derive_key
from dtgcnn.trainer import make_step
from dtgcnn.tree import flatten, tree_map
from dtgcnn_numpy import NumpyOps

from .comparison import require
from .probe import Probe, integers, normal, to_device, to_host
from .registry import check

STEPS = 10
RATE = 0.01
ROWS, WIDTH = 64, 10
LABELS = integers([i % 4 for i in range(ROWS)])
CENTRES = normal(4, WIDTH, seed=1)
VECTORS = (CENTRES[LABELS] + 1.5 * normal(ROWS, WIDTH, seed=2)).astype(np.float32)
"""Four classes that overlap, so that there is something to learn for ten steps."""


def config_of(**settings: Any) -> DTGCNNConfig:
    """A small model with dropout on."""
    return DTGCNNConfig(
        **{
            "input_dim": WIDTH,
            "hidden_dims": (12, 12),
            "output_dim": 8,
            "graph_k_neighbors": 3,
            "dropout_rate": 0.2,
            "weight_decay": 0.01,
            **settings,
        }
    )


@dataclass(frozen=True)
class Task:
    """A model and its batches, on the host: what every backend is given alike."""

    config: DTGCNNConfig
    network: Network
    start: Tree
    """Parameters, running state and optimiser state."""
    sources: Tree
    """The states of the bank by layer; empty in batch scope."""
    links: Tree
    """The links of all rows to the bank; empty in batch scope."""

    def arguments(self, step: int) -> Tree:
        """Batch, sources, key and learning rate of a step."""
        rows = np.random.default_rng(step).choice(ROWS, 16, replace=False).astype(np.int32)
        length = np.linalg.norm(VECTORS[rows].astype(np.float64), axis=1, keepdims=True)
        x = (VECTORS[rows] / length).astype(np.float32)
        batch = {"x": x, "labels": LABELS[rows], "items": rows}
        batch |= {name: leaf[rows] for name, leaf in self.links.items()}
        key = np.array(derive_key(11, "step", step), np.uint32)
        return {"batch": batch, "sources": self.sources, "key": key, "rate": np.array(RATE)}

    def stepper(self, ops: ArrayOps) -> Callable[..., Any]:
        """The pure training step."""
        optimizer = adamw(weight_decay=self.config.weight_decay)
        return make_step(ops, self.config, self.network, optimizer)

    def take(self, ops: ArrayOps, step: Callable[..., Any], held: Tree, number: int) -> Tree:
        """The step's results, from the host's parameters and states."""
        p, given = to_device(ops, held), to_device(ops, self.arguments(number))
        results = step(
            p["params"], p["state"], p["optimizer"], *(given[k] for k in given)
        )
        ops.evaluate(*results)
        return dict(zip(("params", "state", "optimizer", "metrics"), results))


def task_of(reference: ArrayOps, **settings: Any) -> Task:
    """A task from the reference; in bank scope all rows are the bank."""
    config = config_of(**settings)
    model = DTGCNN(config, ops=reference)
    start = {"params": model.params, "state": model.state}
    start["optimizer"] = adamw().init(reference, model.params)
    sources, links = {}, {}
    if config.graph_scope == "bank":
        bank = model.build_bank(VECTORS, [int(label) for label in LABELS])
        sources = {str(i): reference.to_numpy(s) for i, s in enumerate(bank.states)}
        assert bank.graph is not None
        lists = bank.graph._asdict()
        links = {k: reference.to_numpy(lists[k]) for k in ("neighbors", "weights", "own")}
    host = to_host(reference, start)
    return Task(config, model.network, host, rounded(sources, np.float32), links)


def rounded(tree: Tree, dtype: Any) -> Tree:
    """Floats rounded to the dtype."""
    return tree_map(lambda leaf: leaf.astype(dtype) if leaf.dtype.kind == "f" else leaf, tree)


def sensitivity(optimizer: Tree, gradient_error: float) -> Tree:
    """How far a parameter may move for a gradient error: ``rate · error / (√v̂ + ε)``, at most two
    full steps."""
    weight = float(optimizer["v_weight"])

    def bound(v: HostArray) -> HostArray:
        slack: HostArray = np.minimum(gradient_error / (np.sqrt(v / weight) + 1e-8), 2.0)
        return RATE * slack

    return tree_map(bound, optimizer["v"])


def lock_step(probe: Probe, task: Task) -> None:
    """Hold ten steps, each from the reference's rounded numbers, to the reference."""
    ops, reference = probe.ops, probe.reference
    own_step, step = task.stepper(ops), task.stepper(reference)
    held = task.start
    for number in range(STEPS):
        held = rounded(held, ops.dtype)
        expected = to_host(reference, task.take(reference, step, held, number))
        actual = task.take(ops, own_step, held, number)
        what = f"step {number + 1}"
        probe.values(f"{what}, metrics", actual["metrics"], expected["metrics"])
        valid = float(expected["metrics"]["valid_triplets"])
        require(valid > 0 and float(expected["metrics"]["loss"]) > 0, f"{what} teaches nothing")
        probe.gradients(f"{what}, moments", actual["optimizer"], expected["optimizer"])
        probe.values(f"{what}, running state", actual["state"], expected["state"])
        slack = sensitivity(expected["optimizer"], probe.tolerance.gradient.atol)
        probe.values(f"{what}, parameters", actual["params"], expected["params"], slack)
        held = {name: expected[name] for name in ("params", "state", "optimizer")}


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
def batch_norm_steps(probe: Probe) -> None:
    """Ten steps with batch norm, relu and Kipf's normalisation, the running statistics too."""
    settings = {"use_batch_norm": True, "gcn_activation": "relu", "graph_self_weight": None}
    lock_step(probe, task_of(probe.reference, graph_scope="batch", **settings))


@check("training")
def compiled_step(probe: Probe) -> None:
    """A compiled step equals the uncompiled one."""
    task = task_of(probe.reference, graph_scope="batch", hidden_dims=(8,), output_dim=4)
    plain = task.stepper(probe.ops)
    compiled = compile_really(probe.ops, plain)
    held = rounded(task.start, probe.ops.dtype)
    for number in range(2):
        expected = to_host(probe.ops, task.take(probe.ops, plain, held, number))
        actual = task.take(probe.ops, compiled, held, number)
        slack = sensitivity(expected["optimizer"], probe.tolerance.gradient.atol)
        for name in ("metrics", "state"):
            probe.values(f"compiled {name}", actual[name], expected[name])
        probe.gradients("compiled moments", actual["optimizer"], expected["optimizer"])
        probe.values("compiled parameters", actual["params"], expected["params"], slack)
