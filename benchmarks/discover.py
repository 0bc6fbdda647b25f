"""Groups that ``discover`` finds where the model knows three classes in four, on labelled vectors.

    python benchmarks/discover.py banking77.minilm.npz --draws 3

Each draw takes three quarters of the classes and a tenth of their training rows with their labels,
and trains on these as ``dtgcnn train`` does. The test rows, of all classes, are then put into the
true number of groups: by k-means on the input vectors, on the model's embeddings, on those of the
model indexed over the test rows or over all rows of the file, and by ``discover`` of the test rows
or of all rows. NMI, ARI and accuracy (one group a class, by the best assignment) in percent, mean
and deviation; then what number ``discover`` chooses by itself, and how many groups have the right
name, also where the rows are of few of the classes.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from quality import chosen, labelled_vectors, line
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from dtgcnn.evaluation import discover, unit_rows

KNOWN, LABELLED = 0.75, 0.1


def scores(labels: Any, groups: Any) -> list[float]:
    """NMI, ARI and accuracy."""
    table = np.zeros((labels.max() + 1, groups.max() + 1))
    np.add.at(table, (labels, groups), 1)
    right = table[linear_sum_assignment(-table)].sum() / len(labels)
    nmi = normalized_mutual_info_score(labels, groups)
    return [nmi, adjusted_rand_score(labels, groups), right]


def few_labels(labels: Any, train: Any, draw: int) -> Any:
    """A tenth of the training rows of three classes in four."""
    rng = np.random.default_rng(draw)
    classes = np.unique(labels)
    rows = []
    for known in np.sort(rng.permutation(classes)[: round(KNOWN * len(classes))]):
        own = rng.permutation(train[labels[train] == known])
        rows += own[: max(1, round(LABELLED * len(own)))].tolist()
    return np.sort(rows)


def naming(found: Any, labels: Any, names: list[str], known: Any) -> str:
    """How the names of groups stand to the class of most of their rows."""
    true = [names[np.bincount(labels[group.rows]).argmax()] for group in found.groups]
    classes = {names[label] for label in known}
    pairs = list(zip(found.groups, true, strict=True))
    of_known = [group.name == name for group, name in pairs if name in classes]
    of_new = [not group.known for group, name in pairs if name not in classes]
    return (
        f"{sum(of_known)} of {len(of_known)} groups of known classes have their name, "
        f"{sum(of_new)} of {len(of_new)} others are new"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--draws", type=int, default=3)
    options = parser.parse_args()
    data, x, y, train, test = labelled_vectors(options.file)
    names = data.label_names
    number = len(np.unique(y[test]))
    runs: dict[str, list[list[float]]] = {}
    said = []
    for draw in range(options.draws):
        rows = few_labels(y, train, draw)
        model = chosen(x[rows], np.array(names)[y[rows]], draw, False, {}, "numpy")
        views = {
            "input vectors": x[test],
            "embeddings": model.encode(x[test]),
            "indexed over test rows": model.index(x[test]).encode(x[test]),
            "indexed over all rows": model.index(x).encode(x[test]),
        }
        for name, view in views.items():
            groups = KMeans(number, n_init=10, random_state=draw).fit_predict(unit_rows(view))
            runs.setdefault(f"k-means, {name}", []).append(scores(y[test], groups))
        found = discover(model, x[test], number, draw)
        runs.setdefault("discover, test rows", []).append(scores(y[test], found.assigned))
        whole = discover(model, x, number, draw).assigned[test]
        runs.setdefault("discover, all rows", []).append(scores(y[test], whole))
        own = discover(model, x[test], seed=draw)
        said.append(f"draw {draw}, {number} groups: {naming(found, y[test], names, set(y[rows]))}")
        nmi, ari, right = (100 * score for score in scores(y[test], own.assigned))
        said.append(
            f"draw {draw}, by silhouette {len(own.groups)} groups: NMI {nmi:.1f}, ARI {ari:.1f}, "
            f"accuracy {right:.1f}; {naming(own, y[test], names, set(y[rows]))}"
        )
        known = np.unique(y[rows])
        new = np.setdiff1d(np.arange(len(names)), known)
        fewer = {
            "without every second known class": [*known[1::2], *new],
            "five known classes and five new ones": [*known[::11][:5], *new[:5]],
            "five known classes": known[::11][:5],
        }
        for what, present in fewer.items():
            part = test[np.isin(y[test], present)]
            of_part = np.unique(y[part], return_inverse=True)[1]
            some = discover(model, x[part], len(present), draw)
            nmi, ari, right = (100 * score for score in scores(of_part, some.assigned))
            said.append(
                f"draw {draw}, {what}, {len(present)} groups: NMI {nmi:.1f}, ARI {ari:.1f}, "
                f"accuracy {right:.1f}; {naming(some, y[part], names, set(y[rows]))}"
            )
    print("| groups | NMI | ARI | accuracy |\n|---|---|---|---|")
    for name, run in runs.items():
        print(line(name, run) + " |")
    print("\n".join(said))


if __name__ == "__main__":
    main()
