"""``Task``: a model and its batches on the host, which every backend is given alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from dtgcnn import DTGCNN, DTGCNNConfig
from dtgcnn.network import Network
from dtgcnn.ops import ArrayOps, HostArray, Tree
from dtgcnn.optim import adamw
from dtgcnn.random import derive_key
from dtgcnn.step import TrainingStep
from dtgcnn.tree import tree_map

from .probe import integers, normal, to_device, to_host

__all__ = ["LABELS", "RATE", "VECTORS", "Task", "config_of", "rounded", "task_of"]

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
    triplets: bool
    """Whether the batches name their own triplets."""

    def arguments(self, step: int) -> Tree:
        """Batch, sources, key and learning rate of a step."""
        rows = np.random.default_rng(step).choice(ROWS, 16, replace=False).astype(np.int32)
        length = np.linalg.norm(VECTORS[rows].astype(np.float64), axis=1, keepdims=True)
        x = (VECTORS[rows] / length).astype(np.float32)
        batch = {"x": x, "labels": LABELS[rows], "items": rows}
        batch |= {name: leaf[rows] for name, leaf in self.links.items()}
        if self.triplets:
            batch["triplets"] = triplets_of(LABELS[rows])
        key = np.array(derive_key(11, "step", step), np.uint32)
        return {"batch": batch, "sources": self.sources, "key": key, "rate": np.array(RATE)}

    def stepper(self, ops: ArrayOps) -> Callable[..., Any]:
        """The pure training step."""
        optimizer = adamw(weight_decay=self.config.weight_decay)
        return TrainingStep(ops, self.config, self.network, optimizer)

    def take(self, ops: ArrayOps, step: Callable[..., Any], held: Tree, number: int) -> Tree:
        """The step's results, from the host's parameters and states."""
        p, given = to_device(ops, held), to_device(ops, self.arguments(number))
        results = step(p["params"], p["state"], p["optimizer"], *given.values())
        ops.evaluate(*results)
        return dict(zip(("params", "state", "optimizer", "metrics"), results))


def triplets_of(labels: HostArray) -> HostArray:
    """(T, 3) positions: each row, the next row of its class, and the next of another."""
    triplets = []
    for row, label in enumerate(labels):
        order = [(row + i) % len(labels) for i in range(1, len(labels))]
        own = [i for i in order if labels[i] == label]
        if own:
            triplets.append((row, own[0], next(i for i in order if labels[i] != label)))
    return integers(triplets)


def task_of(reference: ArrayOps, *, triplets: bool = False, **settings: Any) -> Task:
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
    return Task(config, model.network, host, rounded(sources, np.float32), links, triplets)


def rounded(tree: Tree, dtype: Any) -> Tree:
    """Floats rounded to the dtype."""
    return tree_map(lambda leaf: leaf.astype(dtype) if leaf.dtype.kind == "f" else leaf, tree)
