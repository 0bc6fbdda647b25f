#!/usr/bin/env bash
# pynndescent's cosine distance ends at 1: among rows beyond a right angle it finds any, at distance 1.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "pynndescent==0.7.0" "numba==0.68.1" "scikit-learn==1.9.1" \
    "scipy==1.17.1" "numpy==2.4.6"; then
    echo "could not be tried: pynndescent or numba were not installed" >&2
    exit 2
fi

NUMBA_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import numpy as np
from pynndescent import NNDescent

# Embeddings in a cone, as most are, and queries from the other side of it.
rng = np.random.default_rng(0)
axis = rng.normal(size=16)
rows = axis + 0.4 * rng.normal(size=(2000, 16))
queries = -axis + 0.4 * rng.normal(size=(200, 16))
rows, queries = (
    (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32) for x in (rows, queries)
)

index = NNDescent(rows, metric="cosine", n_neighbors=15, random_state=0)
found = {}
for side, asked in (("near", -queries), ("far", queries)):
    cosine = 1.0 - asked.astype(np.float64) @ rows.astype(np.float64).T
    best = np.argsort(cosine, axis=1, kind="stable")[:, :10]
    true = np.take_along_axis(cosine, best, axis=1)
    keys, distances = index.query(asked, k=10)
    recall = float(np.mean([len(set(a) & set(b)) / 10 for a, b in zip(keys, best)]))
    found[side] = recall, float(distances.min()), float(distances.max())
    # How many of all rows are nearer than the one that is named as the nearest.
    nearer = float(np.mean(cosine < np.take_along_axis(cosine, keys[:, :1], axis=1)))
    print(f"{side} queries: expected the ten nearest, at {true.min():.2f} to {true.max():.2f}")
    print(
        f"  seen {100 * recall:.0f}% of them, at {found[side][1]:.2f} to {found[side][2]:.2f}; "
        f"{100 * nearer:.0f}% of all rows are nearer than the first"
    )
print("pynndescent 0.7.0, numba 0.68.1, numpy", np.__version__)
print("expected: one minus the cosine, which goes from 0 to 2, and the nearest by it")
print("cause: the search goes by the logarithm of the cosine, and takes one of 0 or less for infinite")
print("why it matters: a text unlike all others gets arbitrary neighbours, all equally far; a")
print("threshold above 1, a test for outliers or a graph of such rows is made of them, without a word")
near, far = found["near"], found["far"]
same = near[0] > 0.7 and near[2] < 0.5 and far[0] < 0.2 and far[1] == far[2] == 1.0
sys.exit(0 if same else 1)
PYTHON
