"""Train on two backends in lock-step and compare every step.

    python benchmarks/lockstep.py --backend mlx --steps 20
    python benchmarks/lockstep.py vectors.npz --rows 2000

Both start from the same seed, whose weights must be equal bit for bit, and take the same batches
and dropout masks. Before each step the backend is given NumPy's parameters, running state and
optimiser state, so that a step is compared and not a drift. Without FILE the rows are made up.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("MLX_ENABLE_TF32", "0")

import numpy as np

from dtgcnn import DTGCNN, ArrayOps, DTGCNNConfig, TripletDataset, load_ops
from dtgcnn.array.random import bernoulli, derive_key
from dtgcnn.array.tree import flatten, tree_map
from dtgcnn.optim.optimizers import adamw
from dtgcnn.training.step import TrainingStep

LIMIT = 1e-4


class Side:
    """One backend's model, links, step and optimiser state."""

    def __init__(self, ops: ArrayOps, config: DTGCNNConfig, x: Any, labels: Any) -> None:
        self.ops, optimizer = ops, adamw(weight_decay=config.weight_decay)
        self.model = DTGCNN(config, ops=ops)
        self.bank = self.model.build_bank(x, labels.tolist())
        self.x = self.model.device_rows(x)
        self.links = self.model.attach(x, self.x)
        self.run = TrainingStep(ops, config, self.model.network, optimizer)
        self.optimizer_state = self.run.init(self.model.params)

    def step(self, rows: Any, labels: Any, key: tuple[int, int], rate: float) -> float:
        """Take a step on these rows, with this key and learning rate, and return its loss."""
        ops, model = self.ops, self.model
        index = ops.asarray(rows, "int32")
        links = self.links.rows(ops, index)
        batch = {
            "x": ops.take(self.x, index),
            "labels": ops.asarray(labels, "int32"),
            "items": index,
            "neighbors": links.neighbors,
            "weights": links.weights,
            "own": links.own,
        }
        sources = {str(i): states for i, states in enumerate(self.bank.states)}
        state = (model.params, model.state, self.optimizer_state)
        key_array = ops.asarray(key, "uint32")
        *new, metrics = self.run(*state, batch, sources, key_array, ops.asarray(rate))
        model.params, model.state, self.optimizer_state = new
        ops.evaluate(*new, metrics)
        return float(ops.to_numpy(metrics["loss"]))

    def follow(self, other: Side) -> None:
        """Take over the other side's state."""

        def copy(leaf: Any) -> Any:
            return self.ops.asarray(other.ops.to_numpy(leaf))

        self.model.params = tree_map(copy, other.model.params)
        self.model.state = tree_map(copy, other.model.state)
        self.optimizer_state = tree_map(copy, other.optimizer_state)


def made_up_rows(count: int) -> TripletDataset:
    rng = np.random.default_rng(0)
    labels = np.arange(count) % 40
    x = rng.normal(size=(40, 64))[labels] + rng.normal(size=(count, 64))
    return TripletDataset.from_arrays(x.astype(np.float32), labels)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--backend", default="mlx")
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    data = TripletDataset(options.file) if options.file else made_up_rows(options.rows)
    if data.features is None or data.labels is None:
        parser.error(f"{options.file}: must hold labelled vectors")
    x, labels = data.features[: options.rows], data.labels[: options.rows]
    config = DTGCNNConfig(input_dim=x.shape[1], hidden_dims=(256, 256, 256), seed=options.seed)
    loader, _ = TripletDataset.from_arrays(x, labels).create_dataloaders(
        config.batch_size, train_split=1.0, seed=options.seed
    )
    ours, theirs = (Side(load_ops(n), config, x, labels) for n in ("numpy", options.backend))

    weights = [flatten(side.model.params) for side in (ours, theirs)]
    same = all(
        np.array_equal(leaf, theirs.ops.to_numpy(weights[1][name]))
        for name, leaf in weights[0].items()
    )
    print(f"{len(x)} rows; initial weights equal bit for bit: {same}")

    worst, masks, done = 0.0, True, 0
    print(f"{'step':>4} {'numpy':>10} {options.backend:>10} {'relative':>10}")
    for epoch in range(options.steps):
        for batch in loader.batches(epoch):
            if done == options.steps:
                break
            theirs.follow(ours)
            key = derive_key(options.seed, "step", done)
            drawn = [
                side.ops.to_numpy(
                    bernoulli(side.ops, side.ops.asarray(key, "uint32"), 0.1, (128, 256))
                )
                for side in (ours, theirs)
            ]
            masks &= bool(np.array_equal(*drawn))
            losses = [
                side.step(batch.items, batch.labels, key, config.learning_rate)
                for side in (ours, theirs)
            ]
            relative = abs(losses[1] - losses[0]) / abs(losses[0])
            worst, done = max(worst, relative), done + 1
            print(f"{done:>4} {losses[0]:>10.6f} {losses[1]:>10.6f} {relative:>10.1e}")
        for side in (ours, theirs):
            side.bank.refresh(side.ops, side.model.network, side.model.params, side.model.state)
    print(f"dropout masks equal: {masks}; worst relative difference {worst:.1e}, limit {LIMIT:g}")
    return 0 if same and masks and worst <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
