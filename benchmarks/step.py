"""Time one training step of dtgcnn on NumPy beside the same step in PyTorch and in JAX.

    python benchmarks/step.py --rows 1536 4096 --threads 1 2

A step is the batch's k-nearest-neighbour graph, the forward pass, batch-hard mining, the backward
pass, clipping by the global norm and AdamW, float32, of three graph convolutions
768 -> 512 -> 256 -> 128 and a linear head of width 128. ``--rows 0`` is the step of the default
training: 128 items, which stand there twice, with links to a bank of 10,000 rows, triplets of two
kinds, the start's term. PyTorch takes it eagerly, over an edge list, a sparse CSR matrix and
``embedding_bag``, and compiled; JAX takes all of it as one compiled function. First all must agree
on the loss and on the gradient's norm, from the same weights, without dropout. Then their steps
take turns in one process, which may use as many processors as it has threads. Needs threadpoolctl;
what is not installed of torch and jax is left out.
"""

# mypy: disable-error-code="import-untyped,import-not-found,no-untyped-call,misc,untyped-decorator"
from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from dtgcnn_numpy import NumpyOps

from dtgcnn.array.random import derive_key
from dtgcnn.array.threads import limit_threads
from dtgcnn.config.config import DTGCNNConfig
from dtgcnn.model.network import Network
from dtgcnn.optim.optimizers import adamw
from dtgcnn.training.step import TrainingStep

PER_CLASS = 4
PAUSE = 0.05
"""Seconds between steps, in which the other library's worker threads go to sleep."""

Step: TypeAlias = Callable[[], tuple[float, float]]
"""Takes a step and returns the loss and the gradient's norm, both from before it."""

Figures: TypeAlias = dict[str, tuple[float, float, float]]
"""Milliseconds of each step, ours first: the median, the least, and the processor's median."""


@dataclass(frozen=True)
class Task:
    """What a step works on: host arrays, the same for all."""

    config: DTGCNNConfig
    params: dict[str, Any]
    batch: dict[str, Any]
    sources: dict[str, Any]


def batch_task(rows: int, dropout: float) -> Task:
    """The batch's own graph. At the threshold -1 every list is full, which spares the edge list a
    selection. Rows around a centre for each class, near enough that some neighbours are wrong."""
    config = DTGCNNConfig(
        input_dim=768,
        start="none",
        hidden_dims=(512, 256, 128),
        output_dim=128,
        dropout_rate=dropout,
        graph_k_neighbors=15,
        graph_similarity_threshold=-1.0,
        graph_self_weight=None,
        graph_scope="batch",
        mining_strategy="batch_hard",
        learning_rate=1e-4,
    )
    rng = np.random.default_rng(0)
    labels = np.arange(rows, dtype=np.int32) // PER_CLASS
    centres = rng.normal(size=(labels[-1] + 1, 768))
    x = (centres[labels] + 2.0 * rng.normal(size=(rows, 768))).astype(np.float32)
    batch = {"x": x, "labels": labels, "items": np.arange(rows, dtype=np.int32)}
    return Task(config, Network.from_config(config).init(NumpyOps(), 0)[0], batch, {})


def default_task(dropout: float) -> Task:
    """The default training's batch. The head does not begin at 0, so that all has a gradient."""
    config = DTGCNNConfig(input_dim=384, dropout_rate=dropout)
    rng = np.random.default_rng(0)
    items = np.arange(config.batch_size, dtype=np.int32).repeat(2)
    centres = rng.normal(size=(config.batch_size // PER_CLASS, config.node_width))
    x = centres[items // PER_CLASS] + 0.5 * rng.normal(size=(len(items), config.node_width))
    params = Network.from_config(config).init(NumpyOps(), 0)[0]
    head = rng.normal(scale=0.05, size=params["head"]["weight"].shape)
    lists = (len(items), config.graph_k_neighbors)
    batch = {
        "x": (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32),
        "labels": items // PER_CLASS,
        "items": items,
        "anchors": np.arange(len(items)) % 2 == 0,
        "gate": rng.uniform(0.5, 1.0, (len(items), 1)).astype(np.float32),
        "neighbors": rng.integers(config.bank_size, size=lists, dtype=np.int32),
        "weights": np.full(lists, 0.2 / lists[1], np.float32),
        "own": np.full((len(items), 1), 0.8, np.float32),
    }
    widths = (config.node_width, *config.hidden_dims[:-1])
    sources = {
        str(i): rng.normal(scale=0.1, size=(config.bank_size, width)).astype(np.float32)
        for i, width in enumerate(widths)
    }
    params["head"]["weight"] = head.astype(np.float32)
    return Task(config, params, batch, sources)


def dtgcnn_step(task: Task) -> Step:
    config, ops, network = task.config, NumpyOps(), Network.from_config(task.config)
    optimizer = adamw(weight_decay=config.weight_decay)
    params, state = task.params, network.init(ops, config.seed)[1]
    step, rate = TrainingStep(ops, config, network, optimizer), ops.asarray(config.learning_rate)
    optimizer_state = step.init(params)
    count = 0

    def take() -> tuple[float, float]:
        nonlocal params, state, optimizer_state, count
        key = ops.asarray(derive_key(config.seed, "step", count), "uint32")
        params, state, optimizer_state, metrics = step(
            params, state, optimizer_state, task.batch, task.sources, key, rate
        )
        count += 1
        return float(metrics["loss"]), float(metrics["gradient_norm"])

    return take


def steps_of(task: Task, installed: list[str]) -> dict[str, Step]:
    steps = {"dtgcnn, NumPy": dtgcnn_step(task)}
    if "torch" in installed:
        from step_torch import torch_steps

        steps |= torch_steps(task)
    if "jax" in installed:
        from step_jax import jax_steps

        steps |= jax_steps(task)
    return steps


def check(task: Task, installed: list[str]) -> None:
    """Refuse to time models that differ."""
    found = {name: take() for name, take in steps_of(task, installed).items()}
    for name, (loss, norm) in found.items():
        print(f"{name:30} loss {loss:.6f}  gradient norm {norm:.6f}  (no dropout)")
    if any(max(values) - min(values) > 1e-4 for values in zip(*found.values())):
        raise SystemExit("the models differ: nothing to compare")


def measure(steps: dict[str, Step], warm_up: int, rounds: int) -> Figures:
    """Print medians, and return them. The processor's time is that of all threads, also of those
    that spin in wait; with one thread it is the measure that other programs disturb least."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in steps}
    for _ in range(warm_up + rounds):
        for name, take in steps.items():
            time.sleep(PAUSE)
            begin, busy = time.perf_counter(), time.process_time()
            take()
            spent = time.perf_counter() - begin, time.process_time() - busy
            taken[name].append((1e3 * spent[0], 1e3 * spent[1]))
    figures = {}
    for name, times in taken.items():
        walls, processor = zip(*times[warm_up:], strict=True)
        figures[name] = statistics.median(walls), min(walls), statistics.median(processor)
    ours, *others = figures.values()
    for name, row in figures.items():
        ratios = (mine / theirs for mine, theirs in zip(ours, row, strict=True))
        print(f"{name:30}" + "".join(f"{ms:>8.1f} ({r:.2f})" for ms, r in zip(row, ratios)))
    if others:
        best = [min(column) for column in zip(*others, strict=True)]
        print(f"{'dtgcnn / the best':30}" + "".join(f"{m / b:>15.2f}" for m, b in zip(ours, best)))
    return figures


def run(rows: int, threads: int, dropout: float, warm_up: int, rounds: int) -> Figures:
    """In a process of its own, before whose first step the libraries have not counted processors
    yet."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    warnings.filterwarnings("ignore", message="Sparse (CSR|invariant)")  # torch's, once each
    installed = [name for name in ("torch", "jax") if importlib.util.find_spec(name)]
    versions = [f"NumPy {np.__version__}"]
    if "torch" in installed:
        from step_torch import set_threads

        versions.append(set_threads(threads))
    if "jax" in installed:
        import jax

        versions.append(f"jax {jax.__version__}")
    for name in {"torch", "jax"}.difference(installed):
        print(f"{name} is not installed, and left out")

    def task(dropout: float) -> Task:
        return batch_task(rows, dropout) if rows else default_task(dropout)

    with limit_threads(threads):
        check(task(0.0), installed)
        size = f"{rows} rows" if rows else "the default training"
        print(f"\n{size}, {threads} threads, dropout {dropout}, {rounds} rounds; {versions}")
        print(f"ms, and dtgcnn by it {'median':>24} {'least':>14} {'processor':>14}")
        figures = measure(steps_of(task(dropout), installed), warm_up, rounds)
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n", flush=True)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[0, 1536, 4096])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    for name, default in {"warm-up": 2, "rounds": 15}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--dropout", type=float, default=0.1)
    args = parser.parse_args()
    if len(args.rows) == len(args.threads) == 1:
        run(args.rows[0], args.threads[0], args.dropout, args.warm_up, args.rounds)
        return
    rest = [f"--{n}={vars(args)[n.replace('-', '_')]}" for n in ("dropout", "warm-up", "rounds")]
    for rows in args.rows:
        for threads in args.threads:
            one = [f"--rows={rows}", f"--threads={threads}", *rest]
            subprocess.run([sys.executable, __file__, *one], check=True)


if __name__ == "__main__":
    main()
