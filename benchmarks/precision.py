"""Quality of training with matrix products in half precision, on labelled vectors with a split.

    python benchmarks/precision.py banking77.minilm.npz --seeds 3
    python benchmarks/precision.py banking77.minilm.npz --loss supcon

The same seeds train in float32, in float16 with a loss scale that adapts, and in bfloat16; each
then embeds all rows in float32, and the test rows are looked up among the training rows. Mean and
standard deviation over seeds, in percent; then the mean of each seed's difference from float32 and
its standard error. ``skipped`` are steps whose float16 gradients were not finite, a training;
``scale`` is the loss scale's mean over the last epoch. Processor seconds of one training on one
thread.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
from losses import trained
from quality import CLOSED, closed, labelled_vectors, line

PRECISIONS = {"float32": False, "float16": "float16", "bfloat16": "bfloat16"}


def differences(runs: list[list[float]], reference: list[list[float]]) -> str:
    """Mean ± standard error of each figure's difference from the same seed's reference."""
    cells = []
    for column in 100 * (np.array(runs) - np.array(reference)).T:
        error = f" ± {column.std(ddof=1) / math.sqrt(len(column)):.2f}" if len(column) > 1 else ""
        cells.append(f"{column.mean():+.2f}{error}")
    return " | ".join(cells)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, help="in place of those suggested for the data")
    parser.add_argument("--loss", help="in place of the default one")
    parser.add_argument("--backend", default="numpy")
    options = parser.parse_args()
    data, x, y, train, _ = labelled_vectors(options.file)
    named = {"num_epochs": options.epochs, "loss": options.loss}
    given = {name: value for name, value in named.items() if value is not None}

    runs: dict[str, list[list[float]]] = {name: [] for name in PRECISIONS}
    histories: dict[str, list[Any]] = {name: [] for name in PRECISIONS}
    seconds: dict[str, list[float]] = {name: [] for name in PRECISIONS}
    for seed in range(options.seeds):
        for name, precision in PRECISIONS.items():
            begin, changes = time.process_time(), {**given, "mixed_precision": precision}
            model, history = trained(x[train], y[train], seed, changes, options.backend)
            seconds[name].append(time.process_time() - begin)
            histories[name].append(history)
            runs[name].append(closed(data, model.encode(x)))

    against = [f"{name} − float32" for name in CLOSED]
    names = " | ".join(["precision", *CLOSED, *against, "skipped", "scale", "seconds"])
    print(f"| {names} |\n|---" + "|---" * (len(CLOSED) * 2 + 3) + "|")
    for name in PRECISIONS:
        skipped = sum(epoch.get("skipped_steps", 0.0) for h in histories[name] for epoch in h)
        scale = np.mean([h[-1].get("loss_scale", 1.0) for h in histories[name]])
        cells = f"{skipped / options.seeds:.1f} | {scale:,.0f} | {np.mean(seconds[name]):.0f}"
        print(f"{line(name, runs[name])} | {differences(runs[name], runs['float32'])} | {cells} |")


if __name__ == "__main__":
    main()
