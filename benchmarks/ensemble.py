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

from quality import closed, line

from dtgcnn import DTGCNN, DTGCNNConfig, Ensemble, TripletDataset
from dtgcnn.config.templates import suggest
from dtgcnn.training.ensemble import Mode


def encode_once(model: DTGCNN) -> None:
    """Keep what ``model`` gives: only its bank and all rows are encoded here, of two lengths."""
    embed, known = model.embed, dict[int, Any]()

    def remembered(x: Any, *rest: Any) -> Any:
        if len(x) not in known:
            known[len(x)] = embed(x, *rest)
        return known[len(x)]

    model.embed = remembered  # type: ignore[method-assign]


def row(name: str, runs: list[list[float]]) -> str:
    return line(name, runs, digits=2) + " |"


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
    config = config.replace(**suggest(len(loader.items), len(loader), started=config.has_start))
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
    members = [closed(data, model.encode(data.features)) for model in trained.models]
    for model, figures in zip(trained.models, members, strict=True):
        print(row(f"seed {model.config.seed}", [figures]), flush=True)
    print(row("mean member", members), flush=True)
    for size in dict.fromkeys((options.size, options.seeds)):
        groups = list(combinations(trained.models, size))
        for mode in get_args(Mode):
            runs = [closed(data, Ensemble(group, mode).encode(data.features)) for group in groups]
            print(row(f"{size} members, {mode}", runs), flush=True)
    print(f"\ntrained in {seconds:.0f} s a member")


if __name__ == "__main__":
    main()
