"""One saved model on two backends: the same embeddings of a whole set, to rounding.

    dtgcnn train banking77.minilm.npz --output model
    python benchmarks/backends.py model banking77.minilm.npz

Prints the largest difference of a number between NumPy's embeddings and those of ``--backend``, of
the test rows and of all rows, as the model encodes them and as one that is indexed over the
training rows does; and how many test rows have another nearest training row or another class.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("MLX_ENABLE_TF32", "0")

import numpy as np

from dtgcnn import DTGCNN, TripletDataset

LIMIT = 1e-6


def nearest(queries: Any, rows: Any) -> Any:
    """The nearest row of each query."""
    return (queries.astype(np.float64) @ rows.T.astype(np.float64)).argmax(axis=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("file", type=Path)
    parser.add_argument("--backend", default="mlx")
    options = parser.parse_args()
    data = TripletDataset(options.file)
    x = data.features if data.features is not None else data.texts
    assert x is not None
    test, train = data.split_items("test"), data.split_items("train")
    models = [DTGCNN.load(options.model, backend=name) for name in ("numpy", options.backend)]
    rows = models[0].vectors(x)
    answers = [model.predict(rows[test]) for model in models]
    print("| | test rows | all rows | another nearest row | another class |\n|---|---|---|---|---|")
    worst = 0.0
    for name in ("saved", "indexed over the training rows"):
        first, second = (model.encode(rows) for model in models)
        gaps = [float(np.abs(first[own] - second[own]).max()) for own in (test, np.arange(len(x)))]
        moved = (nearest(first[test], first[train]) != nearest(second[test], second[train])).sum()
        cells = [f"{gaps[0]:.1e}", f"{gaps[1]:.1e}", f"{moved:,} of {len(test):,}"]
        if name == "saved":
            others = sum(a != b for a, b in zip(*answers, strict=True))
            cells.append(f"{others:,}")
            models = [model.index(rows[train]) for model in models]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)
        worst = max(worst, *gaps)
    if worst > LIMIT:
        sys.exit(f"the backends differ by {worst:.1e}, more than {LIMIT:.0e}")


if __name__ == "__main__":
    main()
