#!/usr/bin/env bash
# clusterval's bootstrap compares the clusters of all rows with those of a sample whose rows it has numbered anew:
# groups that each sample finds again agree by 0.00 in place of 1.00, and of four or six groups it says that there are
# two.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "scikit-learn==1.5.2" "scipy==1.13.1" "numpy==1.26.4" "pandas==2.2.3" \
    "matplotlib==3.9.4" "sympy==1.13.3" "fastcluster==1.2.6" "setuptools==80.9.0" "wheel==0.45.1" ||
    ! "$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation \
        "clusterval==1.0.5"; then
    echo "could not be tried: clusterval was not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import random
import sys

import numpy as np
from clusterval import Clusterval, calculate_external
from scipy.cluster.hierarchy import cut_tree, linkage
from sklearn.metrics import adjusted_rand_score

ROWS, COLUMNS, SAMPLES, MOST, TOLD = 120, 5, 20, 8, ("H", "J", "FM", "F")
print(f"{ROWS} rows of some groups far from each other, {SAMPLES} samples of three quarters, clusters by Ward's method")


def draw(groups):
    rng = np.random.default_rng(0)
    means = 4 * rng.normal(size=(groups, COLUMNS))
    return means[np.arange(ROWS) % groups] + 0.5 * rng.normal(size=(ROWS, COLUMNS)), np.arange(ROWS) % groups


def parts(labels, rows):
    return [list(rows[labels == label]) for label in np.unique(labels)]


def by_hand(rows):
    """The library's own indices of such samples, but that a row keeps its number, and the adjusted Rand index."""
    found = {}
    for count in range(2, MOST + 1):
        every = cut_tree(linkage(rows, "ward"), count).ravel()
        values = []
        for _ in range(SAMPLES):
            chosen = np.array(random.sample(range(ROWS), int(3 / 4 * ROWS)))
            labels = cut_tree(linkage(rows[chosen], "ward"), count).ravel()
            both = calculate_external(parts(every, np.arange(ROWS)), parts(labels, chosen), indices=list(TOLD))
            values.append([*(both[name] for name in TOLD), adjusted_rand_score(every[chosen], labels)])
        found[count] = np.mean(values, axis=0)
    return found


seen = {}
for groups in (2, 4, 6):
    rows, group = draw(groups)
    random.seed(0)
    np.random.seed(0)
    model = Clusterval(min_k=2, max_k=MOST, algorithm="ward", bootstrap_samples=SAMPLES, index=list(TOLD))
    model.evaluate(rows)
    hand = by_hand(rows)
    whole = adjusted_rand_score(group, cut_tree(linkage(rows, "ward"), groups).ravel())
    here = model.output_df
    best = max(count for count, values in hand.items() if values[0] > 0.99)
    seen[groups] = here.loc[groups].to_numpy(), hand[groups], model.final_k, best, whole
    print(f"{groups} groups, which the method finds (adjusted Rand {whole:.2f}): it says {model.final_k} clusters, "
          f"and by hand {best} are the most that come again")
    print("  clusters:             " + "".join(f"{count:7}" for count in range(2, MOST + 1)))
    print("  Hubert's, here        " + "".join(f"{here.loc[count, 'H']:7.2f}" for count in hand))
    print("  Hubert's, by hand     " + "".join(f"{values[0]:7.2f}" for values in hand.values()))
    print("  Jaccard's, here       " + "".join(f"{here.loc[count, 'J']:7.2f}" for count in hand))
    print("  Jaccard's, by hand    " + "".join(f"{values[1]:7.2f}" for values in hand.values()))
    print("  adjusted Rand, by hand" + "".join(f"{values[-1]:7.2f}" for values in hand.values()))
print("clusterval 1.0.5, numpy", np.__version__)
print("expected: how far the clusters of a sample's rows are those that the same rows have among all")
print("cause: rows are drawn in another order, and what comes of them is numbered by its place in the sample, while")
print("the clusters of all rows are numbered by theirs. Row 5 of the sample is compared with row 5 of all")
print("why it matters: twelve of its twenty indices are of this kind and vote for the number of clusters. What is left")
print("of them is chance, which is the largest for the fewest clusters")
right = all(value[4] == 1 and value[1][0] > 0.99 and value[3] == groups for groups, value in seen.items())
wrong = all(abs(value[0][0]) < 0.05 for value in seen.values())
sys.exit(0 if right and wrong and seen[4][2] == seen[6][2] == 2 else 1)
PYTHON
