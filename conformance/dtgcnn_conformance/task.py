"""``Task``: a model and its batches on the host, which every backend is given alike."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from dtgcnn import DTGCNN, DTGCNNConfig
from dtgcnn.array.ops import ArrayOps, HostArray, Tree
from dtgcnn.array.random import derive_key
from dtgcnn.array.tree import tree_map
from dtgcnn.data import TripletDataset
from dtgcnn.losses.objective import LossFunction, Objective, as_objective, config_objective
from dtgcnn.model.network import Network
from dtgcnn.optim.optimizers import adamw
from dtgcnn.training.step import TrainingStep
from dtgcnn.training.step_inputs import TrainingInputs

from .probe import integers, normal, to_device, to_host

__all__ = [
    "LABELS",
    "PIECES",
    "RATE",
    "ROWS_OF_X",
    "VECTORS",
    "VOCABULARY",
    "Task",
    "another",
    "config_of",
    "model_of",
    "rounded",
    "task_of",
]

RATE = 0.01
ROWS, WIDTH = 64, 10
LABELS = integers([i % 4 for i in range(ROWS)])
CENTRES = normal(4, WIDTH, seed=1)
VECTORS = (CENTRES[LABELS] + 1.5 * normal(ROWS, WIDTH, seed=2)).astype(np.float32)
"""Four classes that overlap, so that there is something to learn for ten steps."""
TARGETS = np.where(LABELS == 2, np.nan, VECTORS[:, 0].astype(np.float64))
"""What a regression head is to predict; of one class nothing is known."""
PIECES = np.where(
    np.random.default_rng(3).random((ROWS, 5)) < 0.4,
    0,
    1 + np.random.default_rng(4).integers(0, 9, (ROWS, 5)) + 5 * LABELS[:, None],
).astype(np.float32)
"""Up to five pieces of 1 to 24 for each row, those of a class alike; 0 is none."""
VOCABULARY = 25
ROWS_OF_X = ("x", "gate", "neighbors", "weights", "own")
"""What a batch holds of each row, beside what the loss asks for."""


def config_of(**settings: Any) -> DTGCNNConfig:
    """A small model with dropout on, and without a start unless one is asked for."""
    return DTGCNNConfig(
        **{
            "start": "none",
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
    rows: Tree
    """Of all rows what goes into the network and, in bank scope, their links to the bank."""
    copies: int
    """How often each row stands in a batch: twice with class codes, first as an anchor."""
    triplets: bool
    """Whether the batches name their own triplets."""
    objective: Objective
    """What is minimised."""
    frozen: frozenset[str]
    """The parameters that do not move."""

    def arguments(self, step: int) -> Tree:
        """Batch, sources, key and learning rate of a step."""
        rows = np.random.default_rng(step).choice(ROWS, 16, replace=False).astype(np.int32)
        triplets, copies = triplets_of(LABELS[rows]), np.arange(self.copies, dtype=np.int32)
        places = (self.copies * rows[:, None] + copies).ravel()
        rows = rows.repeat(self.copies)
        batch = {name: leaf[places] for name, leaf in self.rows.items()}
        batch |= {"labels": LABELS[rows], "items": rows, "targets": TARGETS[rows]}
        batch["mining_key"] = np.array(derive_key(11, "mining", step), np.uint32)
        if self.copies > 1:
            batch["anchors"] = places % 2 == 0
            triplets = 2 * triplets + integers([0, 1, 1])
        if self.triplets:
            batch["triplets"] = triplets
        if self.config.target_margin is not None:
            batch["margin"] = np.array(self.config.triplet_margin + 0.125 * step)
        key = np.array(derive_key(11, "step", step), np.uint32)
        return {"batch": batch, "sources": self.sources, "key": key, "rate": np.array(RATE)}

    def stepper(self, ops: ArrayOps) -> TrainingStep:
        """The pure training step."""
        optimizer = adamw(weight_decay=self.config.weight_decay)
        return TrainingStep(ops, self.config, self.network, optimizer, self.objective, self.frozen)

    def take(self, ops: ArrayOps, step: Callable[..., Any], held: Tree, number: int) -> Tree:
        """The step's results, from the host's parameters and states."""
        p, given = to_device(ops, held), to_device(ops, self.arguments(number))
        results = step(p["params"], p["state"], p["optimizer"], *given.values())
        ops.evaluate(*results)
        return dict(zip(("params", "state", "optimizer", "metrics"), results))


def rows_of(config: DTGCNNConfig) -> HostArray:
    """All rows as a model takes them: vectors, or pieces where it has an embedding layer."""
    return VECTORS if config.vocab_size is None else PIECES


def triplets_of(labels: HostArray) -> HostArray:
    """(T, 3) positions: each row, the next row of its class, and the next of another."""
    triplets = []
    for row, label in enumerate(labels):
        order = [(row + i) % len(labels) for i in range(1, len(labels))]
        own = [i for i in order if labels[i] == label]
        if own:
            triplets.append((row, own[0], next(i for i in order if labels[i] != label)))
    return integers(triplets)


def task_of(
    reference: ArrayOps,
    *,
    triplets: bool = False,
    make: Callable[..., DTGCNN] = DTGCNN,
    own_loss: LossFunction | None = None,
    frozen: Callable[[str], bool] | None = None,
    **settings: Any,
) -> Task:
    """A task from the reference; in bank scope all rows are the bank, and the start is theirs.

    Args:
        triplets: whether batches name their own triplets.
        make: makes the model of a config and ``ops``.
        own_loss: a loss of the user's own in place of the config's.
        frozen: holds for the names of parameters that do not move.
        **settings: of the config.
    """
    config = config_of(**settings)
    model = make(config, ops=reference)
    if frozen is not None:
        model.freeze(frozen)
    data = TripletDataset.from_arrays(rows_of(config), LABELS.tolist())
    inputs = TrainingInputs(model, config, data.create_dataloaders(16, 1.0)[0], rows_of(config))
    rows = to_host(reference, inputs.rows(np.arange(ROWS)))
    sources = to_host(reference, inputs.bank_states())
    loss = config_objective(config) if own_loss is None else as_objective(own_loss)
    objective = model.objective(loss)
    sources, rows = rounded(sources, np.float32), rounded(rows, np.float32)
    start: Tree = {"params": to_host(reference, model.params)}
    start["state"] = to_host(reference, model.state)
    copies = len(rows["x"]) // ROWS
    task = Task(
        config, model.network, start, sources, rows, copies, triplets, objective, model.frozen
    )
    start["optimizer"] = to_host(reference, task.stepper(reference).init(model.params))
    return task


def rounded(tree: Tree, dtype: Any) -> Tree:
    """Floats rounded to the dtype."""
    return tree_map(lambda leaf: leaf.astype(dtype) if leaf.dtype.kind == "f" else leaf, tree)


def model_of(ops: ArrayOps, rows: int = len(VECTORS), **settings: Any) -> DTGCNN:
    """A model whose bank holds the first rows, and whose start, if any, is theirs."""
    model = DTGCNN(config_of(**settings), ops=ops)
    if model.config.has_start:
        model.fit_start(VECTORS[:rows], LABELS[:rows])
    model.build_bank(VECTORS[:rows], [int(label) for label in LABELS[:rows]])
    return model


def another(ops: ArrayOps) -> ArrayOps:
    """A new object of the backend's class, where that takes device and dtype; else the same."""
    if not {"device", "dtype"} <= inspect.signature(type(ops)).parameters.keys():
        return ops
    factory: Any = type(ops)
    made: ArrayOps = factory(device=ops.device, dtype=ops.dtype)
    return made
