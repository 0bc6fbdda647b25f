#!/usr/bin/env bash
# pycleora's PQIndex makes each part of a row one long before it compares it with the query: of the ten nearest by cosine
# among digits it finds 0.60 where its own codes have 0.90, and tells similarities of 3.6 where the largest is 1.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "pycleora==3.2.1" "scikit-learn==1.9.1" "scipy==1.17.1" "numpy==2.4.6"; then
    echo "could not be tried: pycleora was not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import numpy as np
from pycleora.compress import product_quantize
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

QUERIES, NEAR = 200, 10
rng = np.random.default_rng(0)


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def share(scores, right):
    """How many of the nearest are among those that the scores put first, the row itself left out."""
    scores = scores.copy()
    scores[np.arange(QUERIES), np.arange(QUERIES)] = -np.inf
    found = np.argsort(-scores, axis=1, kind="stable")[:, :NEAR]
    return np.mean([len(set(a) & set(b)) / NEAR for a, b in zip(found, right)])


def compare(rows, parts):
    """The library's search and the cosines with the rows as its codes have them, and its largest scores."""
    cosines = rows[:QUERIES] @ rows.T
    np.fill_diagonal(cosines, -np.inf)
    right = np.argsort(-cosines, axis=1)[:, :NEAR]
    index = product_quantize(rows, num_subspaces=parts, num_centroids=128, max_iter=10, seed=0)
    scores = np.empty((QUERIES, len(rows)))
    for query in range(QUERIES):
        found = index.search(rows[query], top_k=len(rows))
        scores[query, found["indices"]] = found["scores"]
    decoded = rows[:QUERIES] @ unit(index.reconstruct()).T
    return share(scores, right), share(decoded, right), scores.max(1).mean(), decoded.max(1).mean()


decay = np.arange(1, 65) ** -0.7
sets = {
    "Gaussian": rng.normal(size=(4000, 64)),
    "Gaussian, later columns smaller": rng.normal(size=(4000, 64)) * decay,
    "digits": load_digits().data,
    "digits, principal components": PCA(48).fit_transform(load_digits().data),
}
print(f"{NEAR} nearest by cosine of {QUERIES} rows, of unit length, in codes of 128 centres a part")
print("                                          of them found           largest score, mean")
print("rows                             parts    search   by its codes    search   by its codes")
seen = {}
for name, rows in sets.items():
    for parts in (8, 16):
        seen[name, parts] = compare(unit(rows), parts)
        found, coded, high, right = seen[name, parts]
        print(f"{name:33}{parts:5}{found:10.2f}{coded:15.2f}{high:10.2f}{right:15.2f}")
print("pycleora 3.2.1, numpy", np.__version__)
print("expected: the search by the codes to find what the codes have kept, and cosines, which end at 1")
print("cause: the table of a part has the products of the query with centres that were made one long. What a part of a")
print("row weighs in it is lost, and the sum over the parts is of as many lengths")
print("why it matters: most of an embedding's length lies in few of its columns, above all after PCA. The parts with")
print("hardly anything in them count as much as the others, and no threshold for a cosine holds")
right = all(value[1] > value[0] and value[2] > 1.5 > 1.01 > value[3] for value in seen.values())
sys.exit(0 if right and all(value[1] > value[0] + 0.08 for (_, parts), value in seen.items() if parts == 16) else 1)
PYTHON
