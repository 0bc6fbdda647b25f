#!/usr/bin/env bash
# graspologic's select_svd with algorithm="eigsh" loses the sign of the negative eigenvalues: the product
# of what it returns has edges within two groups that have them between each other.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "graspologic==3.4.4" "networkx==3.6.1" "scikit-learn==1.9.1" \
    "scipy==1.17.1" "numpy==1.26.4"; then
    echo "could not be tried: graspologic or numpy were not installed" >&2
    exit 2
fi

"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import numpy as np
import scipy
from graspologic.embed import select_svd
from sklearn.metrics import roc_auc_score

HALF = 100
group = np.repeat([0, 1], HALF)
pairs = np.triu_indices(2 * HALF, 1)
apart = group[pairs[0]] != group[pairs[1]]


def graph(within, between):
    """An undirected graph of two groups, with these shares of edges."""
    rng = np.random.default_rng(0)
    edges = np.zeros((2 * HALF, 2 * HALF))
    edges[pairs] = rng.random(len(apart)) < np.where(apart, between, within)
    return edges + edges.T


same = True
for name, within, between in (("most edges within the groups", 0.5, 0.05), ("most between them", 0.05, 0.5)):
    edges = graph(within, between)
    print(f"two groups, {name}: {edges[pairs][~apart].mean():.2f} within, {edges[pairs][apart].mean():.2f} between")
    best = np.linalg.svd(edges)
    best = best[0][:, :2] * best[1][:2] @ best[2][:2]
    for algorithm in ("full", "truncated", "randomized", "eigsh"):
        left, values, right = select_svd(edges, n_components=2, algorithm=algorithm)
        product = left * values @ right
        error = float(np.linalg.norm(product - best) / np.linalg.norm(best))
        ranked = float(roc_auc_score(edges[pairs], product[pairs]))
        print(
            f"  {algorithm:11} singular values {np.round(values, 1)}  product: {product[pairs][~apart].mean():.2f} within,"
            f" {product[pairs][apart].mean():.2f} between, AUC of the edges {ranked:.2f}, off NumPy's by {error:.0e}"
        )
        if algorithm == "eigsh" and between > within:
            same = same and error > 1 and ranked < 0.4
        else:
            same = same and error < 1e-3 and ranked > 0.7
print("graspologic 3.4.4, scipy", scipy.__version__, "- numpy", np.__version__)
print("expected: 'computes svd of a real, symmetric square matrix': left, values and right give the matrix")
print("cause: the singular values are the absolute eigenvalues, and the right vectors are the left ones")
print("also where the eigenvalue is negative, where they have to be the left ones times -1")
print("why it matters: graphs whose edges join unlike nodes, as words with documents or users with what they")
print("read, have a negative eigenvalue for each positive one: scores for edges are turned about, while the")
print("values and the left vectors, which are looked at first, are right")
sys.exit(0 if same else 1)
PYTHON
