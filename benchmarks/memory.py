"""Peak memory of one training step on MLX with gradient checkpointing, and in parts.

    python benchmarks/memory.py --rows 1024 --rounds 3

A step is the forward pass, mining, the backward pass, clipping and AdamW. ``parts`` is gradient
accumulation with cached gradients: 4 batches of a quarter of the rows, which loss and mining see as
one. Peak is MLX's own figure above what it held before the step (parameters, batch, bank). Seconds
are of the processor, over all threads. The variants of a case take turns; medians over rounds. The
last column is the largest difference of a gradient from the first variant's, over the largest
gradient of that parameter. Without dropout where batches are parts, whose masks differ.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import mlx.core as mx
import numpy as np

from dtgcnn.array.backends import load_ops
from dtgcnn.array.ops import ArrayOps
from dtgcnn.array.random import derive_key
from dtgcnn.array.tree import flatten
from dtgcnn.config.choices import GraphScope
from dtgcnn.config.config import DTGCNNConfig
from dtgcnn.model.network import Network
from dtgcnn.optim.optimizers import adamw
from dtgcnn.training.accumulation import AccumulatedStep
from dtgcnn.training.step import TrainingStep

INPUT_DIM, PER_CLASS, BANK, PARTS = 384, 8, 4096, 4
ROWS = ("x", "neighbors", "weights", "own")
"""What a part of a batch holds of each of its rows."""

Take = Callable[[], tuple[Any, Any]]
"""Takes a step and returns the gradients and the new parameters."""


class Case(NamedTuple):
    """A model, and the ways of taking its steps that are compared."""

    scope: GraphScope
    hidden_dims: tuple[int, ...]
    dropout: float
    variants: dict[str, tuple[bool, int]]
    """By name, whether values are recomputed, and in how many parts."""


CHECKPOINTING = {"whole": (False, 1), "checkpointing": (True, 1)}
IN_PARTS = {"whole": (False, 1), "parts": (False, PARTS), "parts, checkpointing": (True, PARTS)}
CASES = [
    Case("batch", (512,) * 4, 0.1, CHECKPOINTING),
    Case("bank", (512,) * 4, 0.1, CHECKPOINTING),
    Case("batch", (256,) * 8, 0.1, CHECKPOINTING),
    Case("bank", (256,) * 8, 0.1, CHECKPOINTING),
    Case("bank", (256,) * 8, 0.0, IN_PARTS),
]


def vectors(rng: np.random.Generator, rows: int, width: int) -> Any:
    """Rows around a centre for each class, in float32."""
    centres = rng.normal(size=(rows // PER_CLASS + 1, width))
    labels = np.arange(rows) // PER_CLASS
    return (centres[labels] + 2.0 * rng.normal(size=(rows, width))).astype(np.float32)


def make_step(ops: ArrayOps, case: Case, rows: int, recompute: bool, parts: int) -> Take:
    config = DTGCNNConfig(
        input_dim=INPUT_DIM,
        hidden_dims=case.hidden_dims,
        dropout_rate=case.dropout,
        graph_scope=case.scope,
        gradient_checkpointing=recompute,
    )
    network, rng = Network.from_config(config), np.random.default_rng(0)
    params, state = network.init(ops, config.seed)
    x, positions = ops.asarray(vectors(rng, rows, INPUT_DIM)), np.arange(rows, dtype=np.int32)
    batch = {"x": x, "labels": ops.asarray(positions // PER_CLASS), "items": ops.arange(rows)}
    sources = {}
    if case.scope == "bank":
        widths = (INPUT_DIM, *case.hidden_dims[:-1])
        states = [ops.asarray(vectors(rng, BANK, width)) for width in widths]
        graph = network.constructor.attach(ops, x, states[0], ops.arange(rows) * 0 - 1)
        batch |= {"neighbors": graph.neighbors, "weights": graph.weights, "own": graph.own}
        sources = {str(index): source for index, source in enumerate(states)}
    optimizer = adamw(weight_decay=config.weight_decay)
    step = TrainingStep(ops, config, network, optimizer)
    accumulated, optimizer_state = AccumulatedStep(step), step.init(params)
    key, rate = ops.asarray(derive_key(0, "step", 0), "uint32"), ops.asarray(1e-3)
    size = rows // parts
    pieces = [
        {name: batch[name][start : start + size] for name in ROWS if name in batch}
        for start in range(0, rows, size)
    ]
    joint = {name: array for name, array in batch.items() if name not in ROWS}
    mx.eval(params, state, optimizer_state, batch, pieces, sources, key, rate)

    def take() -> tuple[Any, Any]:
        if parts == 1:
            gradients, _, _ = step.differentiate(params, state, batch, sources, key)
        else:
            gradients, _, _ = accumulated.cached(params, state, pieces, joint, sources, key)
        moved, moments, _ = step.update(params, optimizer_state, gradients, rate)
        mx.eval(gradients, moved, moments)
        return gradients, moved

    return take


def measured(take: Take) -> tuple[float, float, dict[str, Any]]:
    """Peak in MiB, processor seconds and gradients of a step."""
    mx.clear_cache()
    held = mx.get_active_memory()
    mx.reset_peak_memory()
    begin = time.process_time()
    gradients, _ = take()
    seconds = time.process_time() - begin
    peak = (mx.get_peak_memory() - held) / 2**20
    return peak, seconds, {name: np.array(leaf) for name, leaf in flatten(gradients).items()}


def difference(found: dict[str, Any], reference: dict[str, Any]) -> float:
    return max(
        float(np.abs(found[name] - leaf).max() / max(np.abs(leaf).max(), 1e-30))
        for name, leaf in reference.items()
    )


def report(ops: ArrayOps, case: Case, rows: int, rounds: int) -> None:
    steps = {name: make_step(ops, case, rows, *how) for name, how in case.variants.items()}
    results: dict[str, list[tuple[float, float, Any]]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name, take in steps.items():
            results[name].append(measured(take))
    first = next(iter(results))
    medians = {
        name: [statistics.median(column) for column in zip(*(run[:2] for run in runs))]
        for name, runs in results.items()
    }
    for name, (peak, seconds) in medians.items():
        of_peak, of_seconds = peak / medians[first][0], seconds / medians[first][1]
        off = difference(results[name][0][2], results[first][0][2])
        shape = f"{case.scope} | {len(case.hidden_dims)} × {case.hidden_dims[0]} | {name}"
        figures = f"{peak:.1f} | {of_peak:.2f} | {seconds:.2f} | {of_seconds:.2f}"
        print(f"| {shape} | {figures} | {off:.1e} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    if options.rows % (PARTS * PER_CLASS):
        parser.error(f"--rows must be a multiple of {PARTS * PER_CLASS}, received {options.rows}")
    names = ["scope", "layers", "step", "peak MiB", "ratio", "seconds", "ratio", "difference"]
    print(f"| {' | '.join(names)} |\n" + "|---" * len(names) + "|", flush=True)
    for case in CASES:
        report(load_ops("mlx", device=options.device), case, options.rows, options.rounds)


if __name__ == "__main__":
    main()
