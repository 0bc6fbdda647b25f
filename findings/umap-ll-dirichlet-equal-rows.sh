#!/usr/bin/env bash
# UMAP's ll_dirichlet distance of two equal rows is NaN, and of every fifth pair of texts of five words: no text has its
# own copy among its neighbours, and those of ten words have 0.61 of the same topic where hellinger finds 0.97.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "umap-learn==0.5.12" "pynndescent==0.7.0" "numba==0.68.1" "scikit-learn==1.9.1" \
    "scipy==1.17.1" "numpy==2.4.6"; then
    echo "could not be tried: umap-learn was not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import numpy as np
import umap
from sklearn.metrics import pairwise_distances
from umap.distances import ll_dirichlet

TEXTS, TOPICS, WORDS, NEAR = 200, 20, 300, 10
rng = np.random.default_rng(0)


def neighbours(counts, topics, metric):
    """The share of texts whose copy is linked to them, and of links to texts of the same topic."""
    graph = umap.UMAP(n_neighbors=NEAR, metric=metric, n_epochs=10, random_state=0).fit(counts).graph_.toarray() > 0
    size = len(counts)
    copies = graph[np.arange(size), (np.arange(size) + size // 2) % size].mean()
    same = np.mean([(topics[row] == topic).mean() for row, topic in zip(graph, topics) if row.any()])
    return copies, same


print(f"counts of words of {TEXTS} texts of {TOPICS} topics and a copy of each; their {NEAR} nearest in UMAP's graph")
print("              distance NaN of       copy is a neighbour      neighbours of the topic")
print("words    equal texts    others    ll_dirichlet  hellinger    ll_dirichlet  hellinger")
seen = {}
for length in (5, 10, 20, 50, 200):
    shares = rng.dirichlet(np.full(WORDS, 0.05), size=TOPICS)
    topics = np.tile(rng.integers(TOPICS, size=TEXTS), 2)
    counts = np.stack([rng.multinomial(length, shares[topic]) for topic in topics[:TEXTS]]).astype(np.float32)
    counts = np.concatenate([counts, counts])
    missing = np.isnan(pairwise_distances(counts, metric=ll_dirichlet, ensure_all_finite=False))
    equal = (counts[:, None] == counts[None]).all(2)
    found = [neighbours(counts, topics, metric) for metric in ("ll_dirichlet", "hellinger")]
    seen[length] = (missing[equal].mean(), missing[~equal].mean(), *np.transpose(found).flatten())
    values = zip(seen[length], (12, 13, 15, 12, 15, 12))
    print(f"{length:5}" + "".join(f"{value:{width}.2f}" for value, width in values))
print("umap-learn 0.5.12, numpy", np.__version__)
print("expected: 0 for equal rows, as with any distance, and what is most alike among the nearest")
print("cause: the square root of a sum of logarithms that are approximated, and that for what is nearly alike comes")
print("out below 0; NaN is sorted last")
print("why it matters: it is offered for counts such as those of words, where repeated and short texts are what one")
print("has. The nearest of all are those that are taken for the farthest")
right = all(values[0] == 1 and values[2] == 0 and values[3] > 0.99 for values in seen.values())
sys.exit(0 if right and seen[5][1] > 0.1 and seen[10][4] < seen[10][5] - 0.2 else 1)
PYTHON
