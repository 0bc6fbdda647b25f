"""Every loss and mining strategy at its best setting, on labelled vectors with a train/test split.

    python benchmarks/losses.py banking77.minilm.npz --seeds 3 --json losses.json
    python benchmarks/losses.py banking77.minilm.npz --only supcon --epochs 10

A setting is chosen by MAP@R of a fifth of the training rows looked up among the others, with a seed
that is not reported. The best then trains on all training rows, each step of it, and the test rows
are looked up among them. Mean and standard deviation over seeds, in percent; processor seconds of
one training on one thread.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import quality
from quality import CLOSED, chosen, closed, labelled_vectors, line

from dtgcnn import DTGCNN
from dtgcnn.evaluation.metrics import retrieval_metrics

SEARCH_SEED = 1000
Settings = dict[str, Any]


def grid(fixed: Settings, **choices: list[Any]) -> list[Settings]:
    """``fixed`` with every combination of ``choices``."""
    combined = [fixed]
    for name, values in choices.items():
        combined = [{**known, name: value} for known in combined for value in values]
    return combined


MARGINS, TEMPERATURES = [0.1, 0.2, 0.5], [0.05, 0.1, 0.2]
GRID: dict[str, list[Settings]] = {
    **{
        f"triplet, {mining}": grid({"mining_strategy": mining}, triplet_margin=MARGINS)
        for mining in ("auto", "batch_hard", "semi_hard", "easy_positive", "distance_weighted")
    },
    "triplet, batch_hard, soft margin": [{"mining_strategy": "batch_hard", "soft_margin": True}],
    "focal, auto": grid({"loss": "focal"}, triplet_margin=[0.2, 0.5]),
    "batch_all": grid(
        {"loss": "batch_all"}, loss_reduction=["mean", "mean_active"], triplet_margin=[0.2, 0.5]
    ),
    "supcon": grid({"loss": "supcon"}, temperature=TEMPERATURES),
    "info_nce": grid({"loss": "info_nce"}, temperature=TEMPERATURES),
    "multi_similarity": grid({"loss": "multi_similarity"}, samples_per_class=[4, 8]),
    "circle": grid({"loss": "circle"}, samples_per_class=[4, 8]),
    "supcon + uniformity": grid(
        {"loss": "supcon", "temperature": 0.1}, uniformity_weight=[0.1, 0.5]
    ),
}


def trained(x: Any, labels: Any, seed: int, changes: Settings, backend: str) -> tuple[DTGCNN, Any]:
    """A model trained on one thread, and the metrics of each epoch."""
    return quality.trained(x, labels, seed, {"num_threads": 1, **changes}, backend)


def held_out(labels: Any) -> Any:
    """Whether each row is in the fifth of its class that settings are chosen by."""
    chosen, rng = np.zeros(len(labels), bool), np.random.default_rng(0)
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        chosen[rows[: len(rows) // 5]] = True
    return chosen


def best_of(candidates: list[Settings], x: Any, y: Any, more: Settings, backend: str) -> Settings:
    if len(candidates) == 1:
        return candidates[0]
    out, scores = held_out(y), []
    for changes in candidates:
        model, _ = trained(x[~out], y[~out], SEARCH_SEED, {**changes, **more}, backend)
        view = model.encode(x)
        scores.append(retrieval_metrics(view[out], y[out], view[~out], y[~out])["map@r"])
    return candidates[int(np.argmax(scores))]


def shown(setting: Settings, candidates: list[Settings]) -> str:
    """The values that were chosen among several."""
    varied = [k for k in setting if len({str(c.get(k)) for c in candidates}) > 1]
    return ", ".join(f"{k} {setting[k]}" for k in varied)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, help="in place of those suggested for the data")
    parser.add_argument("--only", choices=list(GRID), help="one row of the table")
    parser.add_argument("--backend", default="numpy")
    parser.add_argument("--json", type=Path, help="write all figures here")
    options = parser.parse_args()
    data, x, y, train, _ = labelled_vectors(options.file)
    more = {} if options.epochs is None else {"num_epochs": options.epochs}

    names = " | ".join(["loss, mining", "setting", *CLOSED, "seconds", "active"])
    print(f"| {names} |\n|---|---" + "|---" * 5 + "|", flush=True)
    print(line("input vectors | ", [closed(data, x)]) + " | | |", flush=True)
    backend, seeds = options.backend, range(options.seeds)
    starts = [chosen(x[train], y[train], seed, True, {}, backend).encode(x) for seed in seeds]
    print(line("the start alone | ", [closed(data, z) for z in starts]) + " | | |", flush=True)
    results = {}
    for name, candidates in GRID.items():
        if options.only not in (None, name):
            continue
        setting = best_of(candidates, x[train], y[train], more, backend)
        runs, seconds, active = [], [], []
        for seed in seeds:
            begin = time.process_time()
            model, history = trained(x[train], y[train], seed, {**setting, **more}, backend)
            seconds.append(time.process_time() - begin)
            active.append(history[-1].get("active_fraction", float("nan")))
            runs.append(closed(data, model.encode(x)))
        share = "" if np.isnan(active).any() else f"{100 * np.mean(active):.0f}%"
        row = line(f"{name} | {shown(setting, candidates)}", runs)
        print(f"{row} | {np.mean(seconds):.0f} | {share} |", flush=True)
        results[name] = {"setting": setting, "runs": runs, "seconds": seconds, "active": active}
        if options.json is not None:
            options.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
