"""Quality of variants on labelled vectors with a train and a test split, over several seeds.

    python benchmarks/quality.py banking77.minilm.npz --seeds 3
    python benchmarks/quality.py banking77.minilm.npz --variant "graph_k_neighbors=20"

Closed: test rows looked up among the training rows. Unseen: trained on two thirds of the classes,
the test rows of the others looked up among each other. Mean and standard deviation, in percent.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from dtgcnn import DTGCNN, DTGCNNConfig, Trainer, TripletDataset
from dtgcnn.config.templates import suggest
from dtgcnn.evaluation.metrics import retrieval_metrics

VARIANTS = {
    "default": {},
    "no graph (own share 1)": {"graph_self_weight": 1.0},
    "own share 0.6": {"graph_self_weight": 0.6},
    "Kipf & Welling": {"graph_self_weight": None},
    "batch graph in training": {"graph_scope": "batch"},
    "batch-hard alone": {"mining_strategy": "batch_hard"},
}
CLOSED = ("map@r", "recall@1", "knn@10")


def trained(
    x: Any, labels: Any, seed: int, changes: dict[str, Any], backend: str
) -> tuple[DTGCNN, Any]:
    """A model trained on the rows, and the metrics of each epoch."""
    dataset = TripletDataset.from_arrays(x, labels)
    named = {"input_dim": x.shape[1], "seed": seed, **changes}
    config = DTGCNNConfig.from_dict(named)
    loader, _ = dataset.create_dataloaders(config.batch_size, 1.0, seed, config.samples_per_class)
    config = config.replace(**(suggest(len(dataset), len(loader)) | named))
    model = DTGCNN(config, backend=backend)
    return model, Trainer(model, train_loader=loader, progress=False).train()


def closed(data: TripletDataset, view: Any) -> list[float]:
    test, train = data.split_items("test"), data.split_items("train")
    y = data.labels
    assert y is not None
    figures = retrieval_metrics(view[test], y[test], view[train], y[train])
    return [figures[name] for name in CLOSED]


def unseen(view: Any, labels: Any) -> list[float]:
    figures = retrieval_metrics(view, labels)
    return [figures["map@r"], figures["knn@10"]]


def line(name: str, runs: list[list[float]], digits: int = 1) -> str:
    cells = []
    for column in zip(*runs, strict=True):
        spread = f" ± {100 * np.std(column, ddof=1):.{digits}f}" if len(column) > 1 else ""
        cells.append(f"{100 * np.mean(column):.{digits}f}{spread}")
    return f"| {name} | " + " | ".join(cells)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--backend", default="numpy")
    parser.add_argument("--variant", action="append", help="settings as NAME=JSON, comma-separated")
    options = parser.parse_args()
    variants: dict[str, dict[str, Any]] = dict(VARIANTS)
    if options.variant:
        pairs = {text: [p.split("=") for p in text.split(",")] for text in options.variant}
        variants = {t: {k: json.loads(v) for k, v in p} for t, p in pairs.items()}

    data = TripletDataset(options.file)
    assert data.features is not None
    assert data.labels is not None
    test, train = data.split_items("test"), data.split_items("train")
    x, y = data.features, data.labels
    shuffled = np.random.default_rng(0).permutation(len(data.label_names or []))
    known = np.isin(y, shuffled[: 2 * len(shuffled) // 3])
    seen, rest = train[known[train]], test[~known[test]]

    names = " | ".join(["variant", *CLOSED, "unseen map@r", "unseen knn@10", "seconds"])
    print(f"| {names} |\n|---" + "|---" * 6 + "|", flush=True)
    print(line("input vectors", [closed(data, x) + unseen(x[rest], y[rest])]) + " | |", flush=True)
    for name, changes in variants.items():
        runs, seconds = [], []
        for seed in range(options.seeds):
            begin = time.perf_counter()
            model, _ = trained(x[train], y[train], seed, changes, options.backend)
            seconds.append(time.perf_counter() - begin)
            partial, _ = trained(x[seen], y[seen], seed, changes, options.backend)
            figures = unseen(partial.encode(x[rest]), y[rest])
            runs.append(closed(data, model.encode(x)) + figures)
        print(line(name, runs) + f" | {np.mean(seconds):.0f} |", flush=True)


if __name__ == "__main__":
    main()
