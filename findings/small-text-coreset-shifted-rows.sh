#!/usr/bin/env bash
# small-text's greedy coreset keeps away from other rows than those that it chose, unless the labelled
# rows are the last of all: of twenty clusters without a label twenty further rows reach four.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "small-text==1.4.1" "scikit-learn==1.9.1" "scipy==1.17.1" \
    "numpy==2.4.6"; then
    echo "could not be tried: small-text or scikit-learn were not installed" >&2
    exit 2
fi

"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import numpy as np
from small_text.query_strategies import GreedyCoreset, greedy_coreset

# Forty clusters of unit rows, in any order; every label so far is of the first twenty clusters.
rng = np.random.default_rng(0)
clusters = np.arange(40).repeat(25)
rng.shuffle(clusters)
x = rng.normal(size=(40, 32))[clusters] + 0.1 * rng.normal(size=(1000, 32))
x /= np.linalg.norm(x, axis=1, keepdims=True)
rows_of_old = rng.permutation(np.flatnonzero(clusters < 20))[:100]


def farthest_first(x, unlabelled, labelled, n):
    """The paper's greedy choice in NumPy: each time the row farthest from all labelled and chosen."""
    nearest = np.linalg.norm(x[unlabelled][:, None] - x[labelled][None], axis=2).min(axis=1)
    chosen = []
    for _ in range(n):
        chosen.append(int(unlabelled[np.argmax(nearest)]))
        nearest = np.minimum(nearest, np.linalg.norm(x[unlabelled] - x[chosen[-1]], axis=1))
    return np.array(chosen)


def reached(chosen, clusters):
    return len(set(clusters[chosen]) - set(range(20)))


same = True
print("of 20 clusters without a label, those that 20 further rows reach")
print("labelled rows        expected  greedy_coreset  GreedyCoreset  the same, rows put in its order")
for where in ("the last of all", "the first of all", "anywhere"):
    order = np.arange(1000)
    if where != "anywhere":
        others = np.setdiff1d(order, rows_of_old)
        order = np.concatenate([others, rows_of_old] if "last" in where else [rows_of_old, others])
    vectors, own = x[order], clusters[order]
    labelled = np.flatnonzero(np.isin(order, rows_of_old))
    unlabelled = np.setdiff1d(np.arange(1000), labelled)
    expected = reached(farthest_first(vectors, unlabelled, labelled, 20), own)
    # What the function returns counts among the unlabelled rows.
    by_function = greedy_coreset(vectors, unlabelled, labelled, 20, "euclidean")
    counts = [reached(unlabelled[by_function], own)]
    for embeddings in (vectors, vectors[np.concatenate([unlabelled, labelled])]):
        chosen = GreedyCoreset().query(
            None, vectors, unlabelled, labelled, own[labelled], n=20, embeddings=embeddings
        )
        counts.append(reached(chosen, own))
    print(f"{where:20}{expected:9}{counts[0]:16}{counts[1]:15}{counts[2]:15}")
    same = same and expected == 20 and counts[2] == 20
    same = same and (counts[:2] == [20, 20] if "last" in where else max(counts[:2]) < 17)
print("small-text 1.4.1, numpy", np.__version__)
print("expected: each row taken is far from all labelled and taken before, as in the paper that the")
print("documentation names; it takes indices_unlabeled and indices_labeled 'relative to dataset'")
print("cause: places among the unlabelled rows are used as rows of x. GreedyCoreset calls the function")
print("with the unlabelled rows first, which is right for vectors that it computes itself; those")
print("given as query(..., embeddings=...) stay in the order of the data set, and all are mixed up")
print("why it matters: active learning over vectors computed once labels the same clusters again, and")
print("leaves out classes that nobody has seen yet; the rows returned look like any others")
sys.exit(0 if same else 1)
PYTHON
