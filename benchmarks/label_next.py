"""What labelling the rows that ``next_rows`` chooses is worth, against rows drawn at random.

    python benchmarks/label_next.py banking77.minilm.npz --draws 3

Each draw trains, as ``dtgcnn train`` does, on five training rows a class, and adds a row a class of
the others: chosen by ``next_rows``, by the smallest margin of the model's probabilities, and at
random (the mean of five times). Accuracy on the test rows, in percent, of logistic regression
(C = 10) on the input vectors, and of a model trained anew on the rows and those added (random:
once).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from quality import chosen, labelled_vectors, line
from sklearn.linear_model import LogisticRegression

from dtgcnn.evaluation import next_rows, unit_rows

SHOTS, RANDOM = 5, 5


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--first", type=int, default=0)
    options = parser.parse_args()
    data, x, y, train, test = labelled_vectors(options.file)
    names = np.array(data.label_names)
    unit, classes = unit_rows(x), np.unique(y)

    def regression(rows: Any) -> float:
        fitted = LogisticRegression(C=10, max_iter=500).fit(unit[rows], y[rows])
        return float(fitted.score(unit[test], y[test]))

    def model_of(rows: Any, draw: int) -> Any:
        return chosen(x[rows], names[y[rows]], draw, False, {}, "numpy")

    def right(model: Any) -> float:
        return float((np.array(model.predict(x[test])) == names[y[test]]).mean())

    runs: dict[str, list[list[float]]] = {}
    for draw in range(options.first, options.first + options.draws):
        rng = np.random.default_rng(draw)
        own = [rng.permutation(train[y[train] == c])[:SHOTS] for c in classes]
        rows = np.concatenate(own)
        pool, count = np.setdiff1d(train, rows), len(classes)
        model = model_of(rows, draw)
        p = np.sort(model.predict_proba(x[pool]), axis=1)
        added = {
            "next_rows": pool[[one.row for one in next_rows(model, x[pool], count)]],
            "smallest margin": pool[np.argsort(p[:, -1] - p[:, -2], kind="stable")[:count]],
        }
        drawn = [rng.choice(pool, count, replace=False) for _ in range(RANDOM)]
        runs.setdefault("none", []).append([regression(rows), right(model)])
        for name, more in added.items():
            both = np.concatenate([rows, more])
            figures = [regression(both), right(model_of(both, draw))]
            runs.setdefault(name, []).append(figures)
        several = [np.concatenate([rows, more]) for more in drawn]
        mean = float(np.mean([regression(both) for both in several]))
        runs.setdefault("random", []).append([mean, right(model_of(several[0], draw))])
    print("| rows added | logistic regression | model |\n|---|---|---|")
    for name, run in runs.items():
        print(line(name, run) + " |")


if __name__ == "__main__":
    main()
