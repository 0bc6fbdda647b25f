"""Batch-all and semi-hard triplet losses beside pytorch-metric-learning's: peak memory and time.

    python benchmarks/batch_all.py --rows 512 1024 --rounds 5

Value and gradient in the embeddings, unit rows of width 128 with 8 rows a class, euclidean, margin
0.2, the mean over triplets above 0. Batch-all is the same sum in all three, and they must agree on
it. Semi-hard differs: ``TripletMarginMiner`` keeps every negative beyond the positive and within
the margin, ``semi_hard_all`` the nearest negative beyond it; ours must be the mean, over the pairs,
of the largest of theirs.

Peak is the most resident memory of a process of its own above what it held before, after a call on
16 rows; for MLX also by its own count. Time is of the processor on one thread, the libraries taking
turns in one process; medians over rounds. Needs torch, pytorch-metric-learning and threadpoolctl.
"""

# mypy: disable-error-code="import-untyped,import-not-found,no-untyped-call"
from __future__ import annotations

import argparse
import json
import re
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from dtgcnn.array.backends import load_ops
from dtgcnn.losses.batch_all import BatchAllTripletLoss
from dtgcnn.losses.mining import semi_hard_all
from dtgcnn.losses.triplet import TripletLoss

WIDTH, PER_CLASS, MARGIN, TOLERANCE = 128, 8, 0.2, 1e-5
GRADIENT_TOLERANCE = 1e-4
"""A triplet at the kink may be above 0 in one library and not in another."""
PEER = "pytorch-metric-learning"
LIBRARIES = {"dtgcnn, NumPy": "numpy", "dtgcnn, MLX (CPU)": "mlx", PEER: None}
CASES = ("batch-all", "semi-hard")
TIMEOUT = 600.0
STATUS, REFERENCES = Path("/proc/self/status"), Path("/proc/self/clear_refs")

Take = Callable[[], tuple[float, Any]]
"""Computes the loss and its gradient in the embeddings."""


def make_rows(rows: int) -> tuple[Any, Any]:
    """Unit rows around a centre for each class, and their classes."""
    rng, labels = np.random.default_rng(0), np.arange(rows, dtype=np.int32) // PER_CLASS
    x = rng.normal(size=(labels[-1] + 1, WIDTH))[labels] + 1.5 * rng.normal(size=(rows, WIDTH))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32), labels


def ours(backend: str, case: str, rows: int) -> Take:
    ops, (host, classes) = load_ops(backend, device="cpu"), make_rows(rows)
    x, labels, items = ops.asarray(host), ops.asarray(classes, "int32"), ops.arange(rows)
    all_triplets = BatchAllTripletLoss(MARGIN, "euclidean", "mean_active")
    some_triplets = TripletLoss(MARGIN, "euclidean", reduction="mean_active")

    def loss(params: Any) -> Any:
        if case == "batch-all":
            return all_triplets(ops, params["x"], labels, items)
        mined = semi_hard_all(ops, params["x"], labels, items, PER_CLASS - 1)
        return some_triplets(ops, params["x"], mined)

    differentiated = ops.value_and_grad(loss)

    def take() -> tuple[float, Any]:
        value, metrics, gradients = differentiated({"x": x})
        ops.evaluate(value, metrics, gradients)
        return float(value), ops.to_numpy(gradients["x"])  # type: ignore[arg-type]

    return take


def theirs(case: str, rows: int) -> Take:
    import torch
    from pytorch_metric_learning.distances import LpDistance
    from pytorch_metric_learning.losses import TripletMarginLoss
    from pytorch_metric_learning.miners import TripletMarginMiner

    torch.set_num_threads(1)
    host, classes = make_rows(rows)
    x, labels = torch.tensor(host, requires_grad=True), torch.tensor(classes)
    distance = LpDistance(normalize_embeddings=False)
    loss = TripletMarginLoss(MARGIN, distance=distance)
    miner = TripletMarginMiner(MARGIN, "semihard", distance=distance)

    def take() -> tuple[float, Any]:
        value = loss(x, labels, None if case == "batch-all" else miner(x, labels))
        return value.item(), torch.autograd.grad(value, x)[0].numpy()

    return take


def make(library: str, case: str, rows: int) -> Take:
    backend = LIBRARIES[library]
    return theirs(case, rows) if backend is None else ours(backend, case, rows)


def expected_semi_hard(rows: int) -> float:
    """The mean of the largest hinge of each pair among the peer's semi-hard triplets."""
    import torch
    from pytorch_metric_learning.miners import TripletMarginMiner

    x, labels = map(torch.tensor, make_rows(rows))
    mined = TripletMarginMiner(MARGIN, "semihard")(x, labels)
    a, p, n = (index.numpy() for index in mined)
    d = torch.cdist(x.double(), x.double(), compute_mode="donot_use_mm_for_euclid_dist").numpy()
    largest = np.zeros((rows, rows))
    np.maximum.at(largest, (a, p), d[a, p] - d[a, n] + MARGIN)
    return float(largest[largest > 0].mean())


def check(case: str, rows: int) -> None:
    """Refuse to measure losses that differ."""
    found = {library: make(library, case, rows)() for library in LIBRARIES}
    value, gradient = found[PEER]
    if case == "semi-hard":
        value, gradient = expected_semi_hard(rows), found["dtgcnn, NumPy"][1]
        found.pop(PEER)
    for library, (own_value, own_gradient) in found.items():
        off = float(np.linalg.norm(own_gradient - gradient) / np.linalg.norm(gradient))
        print(
            f"{case}, {rows} rows: {library} {own_value:.7f}, expected {value:.7f}; "
            f"gradient off by {off:.1e} of its norm"
        )
        if abs(own_value - value) > TOLERANCE or off > GRADIENT_TOLERANCE:
            raise SystemExit("the losses differ: nothing to compare")


def most_held() -> float:
    """The most resident memory so far, in MiB."""
    if STATUS.exists():
        found = re.search(r"VmHWM:\s+(\d+)", STATUS.read_text())
        assert found is not None
        return int(found[1]) / 2**10
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (2**20 if sys.platform == "darwin" else 2**10)


def peak(library: str, case: str, rows: int) -> dict[str, float]:
    """The peak of one call in this process, which has computed nothing else."""
    make(library, case, 16)()
    take, own, counts = make(library, case, rows), {}, LIBRARIES[library] == "mlx"
    if counts:
        import mlx.core as mx

        mx.reset_peak_memory()
        before_own = mx.get_active_memory()
    if REFERENCES.exists():
        REFERENCES.write_text("5")  # the high-water mark falls to what is held now
    before = most_held()
    take()
    if counts:
        own = {"own": (mx.get_peak_memory() - before_own) / 2**20}
    return {"peak": most_held() - before, **own}


def peak_in_child(library: str, case: str, rows: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--child", library, case, str(rows)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=TIMEOUT)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def times(case: str, rows: int, rounds: int) -> dict[str, float]:
    """Median processor milliseconds by library."""
    takes = {library: make(library, case, rows) for library in LIBRARIES}
    taken: dict[str, list[float]] = {library: [] for library in takes}
    for _ in range(1 + rounds):
        for library, take in takes.items():
            begin = time.process_time()
            take()
            taken[library].append(1e3 * (time.process_time() - begin))
    return {library: statistics.median(values[1:]) for library, values in taken.items()}


def report(case: str, rows: int, rounds: int) -> None:
    peaks = {library: peak_in_child(library, case, rows) for library in LIBRARIES}
    milliseconds = times(case, rows, rounds)
    for library, held in peaks.items():
        memory, taken = held["peak"], milliseconds[library]
        counted = f"{held['own']:.0f}" if "own" in held else ""
        of_memory, of_time = memory / peaks[PEER]["peak"], taken / milliseconds[PEER]
        figures = f"{memory:.0f} | {counted} | {of_memory:.3f} | {taken:.0f} | {of_time:.3f}"
        print(f"| {case}, B = {rows} | {library} | {figures} |", flush=True)


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        library, case, rows = sys.argv[2:]
        with threadpool_limits(1):
            print(json.dumps(peak(library, case, int(rows))))
        return
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[512, 1024])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    todo = [(case, rows) for case in CASES for rows in options.rows]
    for case, rows in todo:
        check(case, rows)
    names = ["case", "library", "peak MiB", "by its count", "ratio", "median ms", "ratio"]
    print(f"\n| {' | '.join(names)} |\n" + "|---" * len(names) + "|", flush=True)
    for case, rows in todo:
        with threadpool_limits(1):
            report(case, rows, options.rounds)


if __name__ == "__main__":
    main()
