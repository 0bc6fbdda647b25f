"""Time one step of the default training on several backends, in turns in one process.

    OMP_NUM_THREADS=1 python benchmarks/backends.py numpy mlx mlx-compiled

A step is that of ``dtgcnn train``: 128 rows, each twice, that attach to a bank of 3,000 rows of 384
columns, made up in 77 classes; ``-compiled`` compiles it. Needs the backends that are named.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from dtgcnn import DTGCNN, DTGCNNConfig, TripletDataset
from dtgcnn.array import load_ops
from dtgcnn.training.training_run import TrainingRun

ROWS, COLUMNS, CLASSES = 3000, 384, 77


def step_on(name: str) -> Callable[[], None]:
    """Takes the same step again and again, on the backend of this name."""
    backend, _, kind = name.partition("-")
    options = {"compile": kind == "compiled"} if backend != "numpy" else {}
    ops = load_ops(backend, **options)
    rng = np.random.default_rng(0)
    labels = np.arange(ROWS) % CLASSES
    x = rng.normal(size=(CLASSES, COLUMNS))[labels] + 2.0 * rng.normal(size=(ROWS, COLUMNS))
    data = TripletDataset.from_arrays(x.astype(np.float32), labels)
    loader, _ = data.create_dataloaders(batch_size=128, train_split=1.0)
    model = DTGCNN(DTGCNNConfig(input_dim=COLUMNS), ops=ops)
    run = TrainingRun(model, model.config, loader, model.vectors(data.inputs))
    group, taken, seen = next(run.groups(1)), run._step, []

    def keep(*given: Any) -> Any:
        seen.append(given)
        return taken(*given)

    run._step = keep  # type: ignore[method-assign]
    for _ in range(2):  # the head is 0 in the first
        run.step(group, 1)
    return lambda: ops.evaluate(*taken(*seen[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("backends", nargs="+", metavar="BACKEND")
    parser.add_argument("--rounds", type=int, default=25)
    args = parser.parse_args()
    steps = {name: step_on(name) for name in args.backends}
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in steps}
    for number in range(args.rounds + 2):
        for name, take in steps.items():
            begin = time.perf_counter(), time.process_time()
            take()
            end = time.perf_counter(), time.process_time()
            if number >= 2:
                times[name].append((1e3 * (end[0] - begin[0]), 1e3 * (end[1] - begin[1])))
    print(f"{'medians, in ms':16} {'elapsed':>9} {'of the processor':>17} {'times the first':>16}")
    first = statistics.median(used for _, used in times[args.backends[0]])
    for name, own in times.items():
        elapsed, used = (statistics.median(column) for column in zip(*own, strict=True))
        print(f"{name:16} {elapsed:>9.1f} {used:>17.1f} {used / first:>16.2f}")


if __name__ == "__main__":
    main()
