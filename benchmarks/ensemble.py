"""An ensemble beside its members, on labelled vectors with a train and a test split.

    python benchmarks/ensemble.py banking77.minilm.npz --seeds 5

Test rows looked up among the training rows, in percent. All groups of ``--size`` members
are measured, and all members together. Mean and standard deviation are over members, and over
groups: these overlap, so theirs spread less than ensembles of new seeds would.
"""

from __future__ import annotations

import argparse
import time
from itertools import combinations
from pathlib import Path
from typing import Any, get_args

import numpy as np

from dtgcnn import DTGCNN, DTGCNNConfig, Ensemble, TripletDataset
from dtgcnn.ensemble import Mode
from dtgcnn.evaluate import retrieval_metrics
from dtgcnn.templates import suggest

FIGURES = ("map@r", "recall@1", "knn@10")


def measure(data: TripletDataset, embedder: Any) -> list[float]:
    test, train = data.split_items("test"), data.split_items("train")
    y, view = data.labels, embedder.encode(data.features)
    assert y is not None
    figures = retrieval_metrics(view[test], y[test], view[train], y[train])
    return [figures[name] for name in FIGURES]


def encode_once(model: DTGCNN) -> None:
    """Keep what ``model`` gives: only its bank and all rows are encoded here, of two lengths."""
    encode, known = model.encode, dict[int, Any]()

    def remembered(x: Any) -> Any:
        if len(x) not in known:
            known[len(x)] = encode(x)
        return known[len(x)]

    model.encode = remembered  # type: ignore[method-assign]


def line(name: str, runs: list[list[float]]) -> str:
    cells = []
    for column in zip(*runs, strict=True):
        spread = f" ± {100 * np.std(column, ddof=1):.2f}" if len(column) > 1 else ""
        cells.append(f"{100 * np.mean(column):.2f}{spread}")
    return f"| {name} | " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--seeds", type=int, default=5, help="members to train")
    parser.add_argument("--size", type=int, default=3, help="members of an ensemble")
    parser.add_argument("--backend", default="numpy")
    options = parser.parse_args()

    data = TripletDataset(options.file)
    assert data.features is not None
    config = DTGCNNConfig(input_dim=data.features.shape[1], num_threads=1)
    loader, _ = data.create_dataloaders(config.batch_size, 1.0, 0, config.samples_per_class)
    config = config.replace(**suggest(len(loader.items), len(loader)))
    begin = time.perf_counter()
    trained = Ensemble.train(
        config,
        loader,
        seeds=range(options.seeds),
        mode="mean",
        backend=options.backend,
        progress=False,
    )
    seconds = (time.perf_counter() - begin) / options.seeds

    for model in trained.models:
        encode_once(model)
    print("| | MAP@R | recall@1 | 10-NN |\n|---|---|---|---|", flush=True)
    members = [measure(data, model) for model in trained.models]
    for model, figures in zip(trained.models, members, strict=True):
        print(line(f"seed {model.config.seed}", [figures]), flush=True)
    print(line("mean member", members), flush=True)
    for size in dict.fromkeys((options.size, options.seeds)):
        groups = list(combinations(trained.models, size))
        for mode in get_args(Mode):
            runs = [measure(data, Ensemble(group, mode)) for group in groups]
            print(line(f"{size} members, {mode}", runs), flush=True)
    print(f"\ntrained in {seconds:.0f} s a member")


if __name__ == "__main__":
    main()
