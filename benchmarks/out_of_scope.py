"""How well scores tell rows of classes that training did not see, on labelled rows with a split.

    python benchmarks/out_of_scope.py banking77.minilm.npz --classes 2 --draws 3

Each draw leaves classes out of the training rows, and trains on the others as ``dtgcnn train``
does. AUROC, in percent, of test rows of known classes against those of the classes left out: by the
mean cosine of the five nearest training rows, as vectors that go in and as embeddings, and by the
score that ``predict --reject`` looks at. Mean and deviation. Without a file: the bundled sample, by
``--encoder``.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from quality import chosen, line
from sklearn.metrics import roc_auc_score

from dtgcnn import TripletDataset
from dtgcnn.data import sample_path
from dtgcnn.evaluation import unit_rows
from dtgcnn.training.fitting import fit_rows


def nearest_five(rows: Any, gallery: Any) -> Any:
    """The mean cosine of each row with the five nearest of a gallery."""
    cosines = unit_rows(rows) @ unit_rows(gallery).T
    return np.sort(np.partition(cosines, -5, axis=1)[:, -5:], axis=1).mean(axis=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("file", type=Path, nargs="?", default=sample_path())
    parser.add_argument("--encoder", default="tfidf", help="what makes vectors of texts")
    parser.add_argument("--classes", type=int, default=2, help="left out in each draw")
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--first", type=int, default=0)
    options = parser.parse_args()
    data = TripletDataset(options.file)
    y, x = data.labels, data.features
    assert y is not None
    train, test = data.split_items("train"), data.split_items("test")
    runs: list[list[float]] = []
    for draw in range(options.first, options.first + options.draws):
        out = np.random.default_rng(draw).permutation(y.max() + 1)[: options.classes]
        rows = train[~np.isin(y[train], out)]
        if data.texts is None:
            assert x is not None
            model = chosen(x[rows], y[rows], draw, False, {}, "numpy")
        else:
            some = TripletDataset.from_labelled([data.texts[row] for row in rows], y[rows])
            model, _ = fit_rows(some, {"seed": draw}, encoder=options.encoder, backend="numpy")
            x = model.vectors(data.texts)
        known = ~np.isin(y[test], out)
        z, gallery = model.encode(x[test]), model.encode(x[rows])
        views = nearest_five(x[test], x[rows]), nearest_five(z, gallery)
        scores = model.answers(x[test]).scores
        runs.append([float(roc_auc_score(known, view)) for view in (*views, scores)])
        print(f"draw {draw}: {', '.join(f'{100 * auc:.1f}' for auc in runs[-1])}", flush=True)
    print(
        "| left out | 5 nearest input vectors | 5 nearest embeddings | score |\n|---|---|---|---|"
    )
    print(line(f"{options.classes} of {y.max() + 1}", runs) + " |")


if __name__ == "__main__":
    main()
