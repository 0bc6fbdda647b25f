#!/usr/bin/env bash
# torchmetrics' davies_bouldin_score of more than 25 clusters is hundreds of times too large: it takes
# the rounding error of a centroid's distance to itself for the distance to another.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "torch==2.13.0" "torchmetrics==1.9.0" "numpy==2.4.6"; then
    echo "could not be tried: torchmetrics or PyTorch were not installed" >&2
    exit 2
fi

"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import numpy as np
import torch
from torchmetrics.clustering import DaviesBouldinScore

rng = np.random.default_rng(0)


def davies_bouldin(x, labels):
    """The paper's index in NumPy: differences of the centroids, and no cluster against itself."""
    x = x.astype(np.float64)
    names = np.unique(labels)
    centroids = np.stack([x[labels == name].mean(axis=0) for name in names])
    spread = np.array(
        [np.linalg.norm(x[labels == name] - c, axis=1).mean() for name, c in zip(names, centroids)]
    )
    apart = np.linalg.norm(centroids[:, None] - centroids[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    return float(((spread[:, None] + spread[None]) / apart).max(axis=1).mean())


def embeddings(clusters):
    """Unit rows close around the centres of their clusters, twenty of each."""
    labels = np.repeat(np.arange(clusters), 20)
    x = rng.normal(size=(clusters, 128))[labels] + 0.3 * rng.normal(size=(len(labels), 128))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32), labels


same = True
print("clusters  expected  seen: float32    float64")
for clusters in (10, 25, 26, 50, 100):
    x, labels = embeddings(clusters)
    expected = davies_bouldin(x, labels)
    seen = [
        DaviesBouldinScore()(torch.tensor(x, dtype=dtype), torch.tensor(labels)).item()
        for dtype in (torch.float32, torch.float64)
    ]
    print(f"{clusters:8}{expected:10.3f}{seen[0]:15.3f}{seen[1]:11.3f}")
    if clusters <= 25:
        same = same and all(abs(value - expected) < 1e-4 for value in seen)
    else:
        same = same and all(value > 100 * expected for value in seen)
print("torchmetrics 1.9.0, torch", torch.__version__)
print("expected: about the same index, 0.5, for clusters that are as dense and as far apart")
print("cause: only a distance that is exactly 0 is left out of the maximum. torch.cdist of more than")
print("25 rows goes through a matrix product, so that a centroid is 0.001 away from itself; so it is")
print("for rows in float64, since the centroids are float32")
print("why it matters: the index tells how well the classes of embeddings lie apart, and how many")
print("clusters to take, lower being better: no number of clusters above 25 is ever the best")
sys.exit(0 if same else 1)
PYTHON
