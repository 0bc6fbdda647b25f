#!/usr/bin/env bash
# pyDRMetrics' trustworthiness and continuity sum over one neighbour less than they say: a map that has nothing
# to do with its rows has 1.00 at one neighbour and 0.77 at two, where it is 0.54.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "pyDRMetrics==0.0.8" "pandas==3.1.1" "matplotlib==3.11.2" "tqdm==4.70.1" \
    "scikit-learn==1.9.1" "scipy==1.17.1" "numpy==2.4.6"; then
    echo "could not be tried: pyDRMetrics or scikit-learn were not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 MPLBACKEND=Agg "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import numpy as np
from pyDRMetrics.pyDRMetrics import DRMetrics
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness

ROWS, NUMBERS = 200, (1, 2, 3, 5, 10, 20, 50)
rng = np.random.default_rng(0)


def by_hand(rows, flat, number):
    """1 minus what the ranks of wrong neighbours are beyond the number, as a share of the most it can be."""
    apart, drawn = (np.linalg.norm(x[:, None] - x[None], axis=2) for x in (rows, flat))
    ranks = np.argsort(np.argsort(apart, axis=1), axis=1)  # 0 is the row itself
    nearest = np.argsort(drawn, axis=1)[:, 1 : number + 1]
    beyond = np.maximum(np.take_along_axis(ranks, nearest, axis=1) - number, 0).sum()
    return 1 - 2 * beyond / (ROWS * number * (2 * ROWS - 3 * number - 1))


def by_the_cause(rows, flat, number):
    """The value that is shown for a number of neighbours."""
    k, n = number - 1, ROWS
    apart, drawn = (np.linalg.norm(x[:, None] - x[None], axis=2) for x in (rows, flat))
    ranks = np.argsort(np.argsort(apart, axis=1), axis=1)
    nearest = np.argsort(drawn, axis=1)[:, 1 : k + 1]
    beyond = np.maximum(np.take_along_axis(ranks, nearest, axis=1) - k - 1, 0).sum()
    return 1 - beyond / ((k + 1) * (n - 1) * (n - 2 - k))


def show(name, values):
    print(f"  {name:26}" + "".join(f"{value:8.3f}" for value in values))


rows = rng.normal(size=(ROWS, 10))
same = True
seen = {}
print("neighbours                  " + "".join(f"{number:8}" for number in NUMBERS))
for name, flat in (("rows drawn anew", rng.normal(size=(ROWS, 2))), ("two columns of PCA", PCA(2).fit_transform(rows))):
    metrics = DRMetrics(rows, flat)
    print(f"{name}, trustworthiness and continuity")
    for title, curve, first, second in (("T", metrics.T, rows, flat), ("C", metrics.C, flat, rows)):
        hand = [by_hand(first, second, number) for number in NUMBERS]
        library = [trustworthiness(first, second, n_neighbors=number) for number in NUMBERS]
        # report() draws the first of the curve's values above 1, as it does with QNN, which is right.
        seen[name, title] = [float(curve[number - 1]) for number in NUMBERS]
        show(f"{title} by hand", hand)
        show(f"{title} by scikit-learn", library)
        show(f"{title} by pyDRMetrics", seen[name, title])
        same = same and np.allclose(hand, library) and seen[name, title][0] == 1
        same = same and np.allclose(seen[name, title], [by_the_cause(first, second, number) for number in NUMBERS])
        same = same and all(found > wanted + 0.02 for found, wanted in zip(seen[name, title], hand))

print("pyDRMetrics 0.0.8, numpy", np.__version__)
print("expected: scikit-learn's values, about a half for a map that is drawn anew")
print("cause: the value drawn at k neighbours sums over k - 1 of them, counts how far a rank is beyond them from")
print("0 where that is 1, and divides by k (n - 1) (n - 1 - k) in place of k n (2 n - 3 k - 1) / 2")
print("why it matters: with few neighbours, where maps of embeddings are compared, a map looks the better the")
print("fewer they are, and its values do not compare with those of other libraries")
sys.exit(0 if same else 1)
PYTHON
