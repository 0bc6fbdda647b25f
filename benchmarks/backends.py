"""One saved model on two backends: the same embeddings of a whole set, to rounding.

    dtgcnn train banking77.minilm.npz --output model
    python benchmarks/backends.py model banking77.minilm.npz

Test rows are encoded by the model, and by one that is indexed over the training rows, both as they
are saved. Where a row's tenth and eleventh neighbour are equally near but for rounding, backends
may link it to either; such rows are counted, and all others must agree to 5e-5.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("MLX_ENABLE_TF32", "0")

import numpy as np

from dtgcnn import DTGCNN, TripletDataset

LIMIT = 5e-5


def encoded(model: DTGCNN, rows: Any) -> tuple[Any, Any]:
    """Embeddings, and the numbers of the neighbours that each row has had, in ascending order."""
    attach, seen = model._attach, list[Any]()

    def watched(*arguments: Any) -> Any:
        graph = attach(*arguments)
        seen.append(np.sort(model.ops.to_numpy(graph.neighbors), axis=1))
        return graph

    model._attach = watched  # type: ignore
    z = model.encode(rows)
    kinds = 2 if model.trained_bank().hop_states else 1  # the network's links, and those of hops
    joined = [np.concatenate(seen[kind::kinds])[: len(rows)] for kind in range(kinds)]
    return z, np.concatenate(joined, axis=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("file", type=Path)
    parser.add_argument("--backend", default="mlx")
    options = parser.parse_args()
    data = TripletDataset(options.file)
    x: Any = data.inputs
    test, train = data.split_items("test"), data.split_items("train")
    heads = ("largest difference", "of rows with other links", "how many of these", "other classes")
    print(f"| {len(test):,} test rows | {' | '.join(heads)} |\n|---{'|---' * len(heads)}|")
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        first = DTGCNN.load(options.model, backend="numpy")
        rows = first.vectors(x)
        first.index(rows[train]).save(folder)
        for name, place in (("saved", options.model), ("indexed", folder)):
            models = [DTGCNN.load(place, backend=b) for b in ("numpy", options.backend)]
            (a, ours), (b, theirs) = (encoded(model, rows[test]) for model in models)
            gap, moved = np.abs(a - b).max(axis=1), (ours != theirs).any(axis=1)
            same = float(gap[~moved].max(initial=0.0))
            cells = [f"{same:.1e}", f"{gap[moved].max(initial=0.0):.1e}", f"{moved.sum():,}", ""]
            if name == "saved":
                pairs = zip(*(model.predict(rows[test]) for model in models), strict=True)
                cells[3] = f"{sum(one != other for one, other in pairs):,}"
            print(f"| {name} | {' | '.join(cells)} |", flush=True)
            worst = max(worst, same)
    if worst > LIMIT:
        sys.exit(f"the backends differ by {worst:.1e}, more than {LIMIT:.0e}")


if __name__ == "__main__":
    main()
