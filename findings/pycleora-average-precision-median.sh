#!/usr/bin/env bash
# pycleora's link_prediction_scores tells as average precision the share of links above the median of what is none, 0.96
# in place of 0.15, and ranks a link among the negatives of all: the more links are tested the lower is the MRR.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "pycleora==3.2.1" "scikit-learn==1.9.1" "scipy==1.17.1" "numpy==2.4.6"; then
    echo "could not be tried: pycleora or scikit-learn were not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import numpy as np
import pycleora
from pycleora.metrics import link_prediction_scores
from sklearn.metrics import average_precision_score, roc_auc_score

NODES, COLUMNS, NEGATIVES = 2000, 32, 50
rng = np.random.default_rng(0)
names = [f"n{i}" for i in range(NODES)]
links = [f"n{i} n{(i + 1) % NODES}" for i in range(NODES)]
graph = pycleora.SparseMatrix.from_iterator(iter(links), "complex::reflexive::node")
order = [int(name[1:]) for name in graph.entity_ids]
groups = rng.integers(20, size=NODES)
rows = rng.normal(size=(20, COLUMNS))[groups] + 1.5 * rng.normal(size=(NODES, COLUMNS))
unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)


def pairs(count, same):
    """Pairs of nodes of one group, or of any nodes."""
    first = rng.integers(NODES, size=count)
    second = [rng.choice(np.flatnonzero(groups == groups[i])) if same else rng.integers(NODES) for i in first]
    return np.array([first, second]).T


def cosines(indices):
    return (unit[indices[:, 0]] * unit[indices[:, 1]]).sum(1)


print(f"links within groups and {NEGATIVES} pairs drawn by chance for each, one set of embeddings, the same cosines")
print("                 scikit-learn                      pycleora                        by hand")
print("links      AUC   average precision      AUC   average precision    MRR      MRR among its own")
seen = {}
for count in (20, 100, 500, 2000):
    positive, negative = pairs(count, True), pairs(count * NEGATIVES, False)
    scores = np.concatenate([cosines(positive), cosines(negative)])
    labels = np.arange(len(scores)) < count
    edges = [[(names[i], names[j]) for i, j in indices] for indices in (positive, negative)]
    theirs = link_prediction_scores(graph, rows[order], *edges)
    ranks = 1 + (scores[count:].reshape(count, NEGATIVES) >= scores[:count, None]).sum(1)
    seen[count] = (
        roc_auc_score(labels, scores),
        average_precision_score(labels, scores),
        theirs["auc"],
        theirs["average_precision"],
        theirs["mrr"],
        (1 / ranks).mean(),
    )
    print(f"{count:5}" + "".join(f"{x:{width}.2f}" for x, width in zip(seen[count], (10, 16, 13, 16, 11, 20))))
print("pycleora 3.2.1, scikit-learn 1.9.1, numpy", np.__version__)
print("expected: the area under precision by recall, and an MRR that does not depend on how many other links are")
print("tested")
print("cause: 'average_precision' is the mean of positive > median(negative), and each link is ranked among all the")
print("negatives there are, 50 for every link by default")
print("why it matters: an average precision is told that is near 1 as soon as most links are above the middle, where")
print("the real one asks for few false ones on top. MRR and hits of two test sets, or of a sample and the whole,")
print("cannot be compared")
apart = all(values[3] > values[1] + 0.3 and abs(values[0] - values[2]) < 0.01 for values in seen.values())
sys.exit(0 if apart and seen[20][4] > 5 * seen[2000][4] and abs(seen[100][5] - seen[2000][5]) < 0.1 else 1)
PYTHON
