"""How many wrong labels are among those that ``suspect_labels`` ranks first.

    python benchmarks/wrong_labels.py --draws 5

Each draw gives 25 rows of the sample, or of a file of labels, another label at random. Precision at
25, in percent: of ``suspect_labels``, and of the rankings that it was chosen from, on the same
probabilities; and how many rows it suspects, and how many of those it is right of. ``--first``
numbers the draws: the ranking and C were chosen on draws 100 to 119.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from quality import line
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from dtgcnn import TripletDataset
from dtgcnn.data import TfidfEncoder, sample_path
from dtgcnn.evaluation import suspect_labels

WRONG = 25


def others(x: Any, given: Any, wrong: Any, c: float) -> dict[str, float]:
    """Precision of cleanlab's two rankings and of log-odds, each of one division into folds."""
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    model = LogisticRegression(C=c, max_iter=1000)
    p = cross_val_predict(model, x, given, cv=folds, method="predict_proba")
    at = np.arange(len(given))
    own, rest = p[at, given], p.copy()
    rest[at, given] = 0.0
    best = rest.max(axis=1)
    ranks = {"self-confidence": own, "margin": own - best, "log-odds": np.log(own / best)}
    return {f"{name}, C = {c:g}": hits(np.argsort(r), wrong) for name, r in ranks.items()}


def hits(order: Any, wrong: Any) -> float:
    """Precision of the first so many."""
    return float(np.isin(order[: len(wrong)], wrong).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("file", type=Path, nargs="?", default=sample_path())
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--first", type=int, default=0)
    options = parser.parse_args()
    data = TripletDataset(options.file)
    y, x = data.labels, data.features
    assert y is not None
    if data.texts is not None:
        x = TfidfEncoder(384).fit(data.texts).encode(data.texts)
    classes = int(y.max()) + 1
    runs: dict[str, list[list[float]]] = {}
    suspected = []
    for draw in range(options.first, options.first + options.draws):
        rng = np.random.default_rng(draw)
        wrong, given = rng.choice(len(y), WRONG, replace=False), y.copy()
        given[wrong] = (y[wrong] + rng.integers(1, classes, WRONG)) % classes
        found = suspect_labels(x, given)
        runs.setdefault("suspect_labels", []).append([hits(found.rows, wrong)])
        rows = found.rows[found.suspected]
        suspected.append([len(rows), np.isin(rows, wrong).sum()])
        for c in (1.0, 3.0, 10.0):
            for name, figure in others(x, given, wrong, c).items():
                runs.setdefault(name, []).append([figure])
    print("| ranking | precision at 25 |\n|---|---|")
    for name, run in runs.items():
        print(line(name, run) + " |")
    count, right = np.mean(suspected, axis=0)
    print(f"suspected: {count:.1f} rows, {right:.1f} of them wrong")


if __name__ == "__main__":
    main()
