"""Seconds of a search over an index of many rows, and whether it finds what a full search finds.

    python benchmarks/search.py --folder /tmp/index --rows 100000
    OMP_NUM_THREADS=1 python benchmarks/search.py --folder /tmp/index --queries 50

The first call makes the index where the folder does not hold it, of vectors of 384 columns in
random clusters, with embeddings of 256. Queries are new vectors, one at a time and 32 at a time, by
both rankings. The whole process is ``dtgcnn search`` of one query, its files in the page cache.
Times are of the clock and of the processor, which others that run on the machine do not lengthen as
much; medians. A full search sorts the float64 cosines of all rows. With ``--approximate`` also the
time of ``search --approximate``, and how much of what an exact search finds it finds.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from dtgcnn import DTGCNN, Trainer, TripletDataset
from dtgcnn.evaluation import SearchIndex, interleaved
from dtgcnn.storage import WEIGHTS, holds_index

COLUMNS, CLUSTERS, TOP = 384, 400, 10


def vectors(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    centres = np.random.default_rng(0).normal(size=(CLUSTERS, COLUMNS))
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLUSTERS, rows)
    return (centres[labels] + rng.normal(size=(rows, COLUMNS))).astype(np.float32), labels


def make(folder: Path, rows: int) -> None:
    x, y = vectors(8000, seed=1)
    loader, _ = TripletDataset.from_arrays(x, y).create_dataloaders(512, 1.0)
    model = DTGCNN(backend="numpy", input_dim=COLUMNS, output_dim=256)
    Trainer(model, train_loader=loader, epochs=1, progress=False).train()
    data = TripletDataset.from_arrays(vectors(rows, seed=2)[0])
    start = time.perf_counter()
    index = SearchIndex.build(model, data)
    print(f"indexed {rows:,} rows in {time.perf_counter() - start:.0f} s")
    index.save(folder)


def seconds(fn: Callable[[], Any]) -> tuple[float, float]:
    """Of the clock, and of the processor, that of processes which ``fn`` starts included."""
    start, before = time.perf_counter(), os.times()
    fn()
    after = os.times()
    return time.perf_counter() - start, sum(after[:4]) - sum(before[:4])


def in_tens(queries: np.ndarray) -> list[np.ndarray]:
    """Ten at a time, since the processor's time is told in hundredths of a second."""
    return np.split(queries[: len(queries) // 10 * 10], len(queries) // 10)


def in_full(index: SearchIndex, x: np.ndarray) -> list[list[int]]:
    """The rows that sorting all float64 cosines finds."""
    found = []
    views = [(index.embeddings, index.model.encode(x)), (index.inputs, x)]
    for number in range(len(x)):
        orders = []
        for rows, queries in views:
            query = queries[number].astype(np.float64)
            cosines = rows.astype(np.float64) @ (query / np.linalg.norm(query))
            orders.append(np.argsort(-cosines, kind="stable")[:TOP])
        found.append(interleaved(*orders, TOP))
    return found


def report(name: str, times: list[tuple[float, float]], of: int = 1) -> None:
    clock, processor = (1e3 * statistics.median(kind) / of for kind in zip(*times, strict=True))
    print(f"{name:32}{clock:8.1f} ms, {processor:8.1f} ms of the processor")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=50)
    parser.add_argument("--approximate", action="store_true", help="needs usearch")
    args = parser.parse_args()
    if not holds_index(args.folder / WEIGHTS):
        make(args.folder, args.rows)
    queries = vectors(max(args.queries, 32), seed=3)[0]
    command = [sys.executable, "-m", "dtgcnn", "search", str(args.folder), "--backend", "numpy"]
    with tempfile.TemporaryDirectory() as name:
        np.save(Path(name) / "q.npy", queries[:1])
        process = [*command, str(Path(name) / "q.npy")]
        run = lambda: subprocess.run(process, check=True, stdout=subprocess.DEVNULL)  # noqa: E731
        run()
        report("whole process, one query", [seconds(run) for _ in range(9)])
    load = lambda: SearchIndex.load(args.folder, backend="numpy")  # noqa: E731
    report("load", [seconds(load) for _ in range(5)])
    index = load()
    index.search(queries[:1], TOP)
    ten = [
        seconds(lambda q=q: [index.search(row[None], TOP) for row in q]) for q in in_tens(queries)
    ]
    report("a query, alone", ten, of=10)
    report(
        "a query, of 32",
        [seconds(lambda: index.search(queries[:32], TOP)) for _ in range(5)],
        of=32,
    )
    some = queries[:20]
    same = [[h.row for h in hits] for hits in index.search(some, TOP)] == in_full(index, some)
    alone = [[h.row for h in index.search(row[None], TOP)[0]] for row in some]
    print(f"found what a full search finds: {same}, alone: {alone == in_full(index, some)}")
    if args.approximate:
        approximate(index, args.folder / "rows.usearch", queries)


def approximate(index: SearchIndex, graph: Path, queries: np.ndarray) -> None:
    if not graph.exists():
        report("the graph is made", [seconds(lambda: index.export(graph))])
    exact = index.search(queries, TOP, "embedding")
    index.search(queries[:1], TOP)
    for kind in ("exactly", "approximately"):
        ten = [
            seconds(lambda q=q: [index.search(row[None], TOP, "embedding") for row in q])
            for q in in_tens(queries)
        ]
        report(f"by the embedding, {kind}", ten, of=10)
        index.approximate(graph)
    found = index.search(queries, TOP, "embedding")
    pairs = zip(exact, found, strict=True)
    hits = [len({h.row for h in a} & {h.row for h in b}) / TOP for a, b in pairs]
    print(f"recall of the {TOP} nearest: {100 * np.mean(hits):.1f}%")


if __name__ == "__main__":
    main()
