#!/usr/bin/env bash
# PerMetrics' density-based validation (DBCV) takes a row's distance from the farthest rows of its cluster for
# how dense it lies: two stripes told apart have -0.44, and cut across 0.26, in place of 0.38 and -0.61.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "permetrics==2.1.0" "hdbscan==0.8.44" "scikit-learn==1.9.1" "scipy==1.17.1" \
    "numpy==2.4.6"; then
    echo "could not be tried: permetrics or hdbscan were not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import numpy as np
from hdbscan.validity import validity_index
from permetrics import ClusteringMetric
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans
from sklearn.datasets import make_moons

ROWS = 400
rng = np.random.default_rng(0)


def dbcv(x, labels, power):
    """The index by the paper of Moulavi et al., whose core distances have the power of minus the columns."""
    inside = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    apart, core = cdist(x, x), np.empty(len(x))
    for places in inside:
        others = apart[np.ix_(places, places)][~np.eye(len(places), dtype=bool)].reshape(len(places), -1)
        core[places] = (others**power).mean(axis=1) ** (1 / power)
    reach = np.maximum(apart, np.maximum(core[:, None], core))
    trees, inner, sparse = [], [], []
    for places in inside:
        tree = minimum_spanning_tree(reach[np.ix_(places, places)]).toarray()
        tree = tree + tree.T
        knots = (tree > 0).sum(0) > 1
        inner.append(places[knots])
        sparse.append(tree[np.ix_(knots, knots)].max() or tree.max())
    index = 0.0
    for i, places in enumerate(inside):
        between = min(reach[np.ix_(inner[i], inner[j])].min() for j in range(len(inside)) if j != i)
        index += len(places) / len(x) * (between - sparse[i]) / max(between, sparse[i])
    return index


angle, two = rng.uniform(0, 2 * np.pi, ROWS), np.arange(ROWS) % 2
shapes = {
    "stripes": (np.stack([rng.uniform(0, 20, ROWS), 2 * two], axis=1) + 0.05 * rng.normal(size=(ROWS, 2)), two),
    "rings": (
        (1 + 2 * two)[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1) + 0.05 * rng.normal(size=(ROWS, 2)),
        two,
    ),
    "moons": make_moons(ROWS, noise=0.05, random_state=0),
}
same = True
print(f"{ROWS} rows of two shapes: DBCV of the shapes, and of clusters by k-means, which cut through them")
print("                       by the paper   hdbscan   permetrics   with the power turned around")
seen = {}
for shape, (x, truth) in shapes.items():
    for name, labels in (
        ("the shapes", truth),
        ("2 by k-means", KMeans(2, n_init=10, random_state=0).fit_predict(x)),
        ("8 by k-means", KMeans(8, n_init=10, random_state=0).fit_predict(x)),
    ):
        hand, turned = dbcv(x, labels, -2), dbcv(x, labels, 2)
        library = validity_index(x, labels)
        found = seen[shape, name] = float(ClusteringMetric(X=x, y_pred=labels).DBCVI())
        print(f"{shape:9}{name:14}{hand:12.3f}{library:10.3f}{found:13.3f}{turned:18.3f}")
        same = same and abs(found - turned) < 1e-6 and abs(hand - library) < 1e-6
print("permetrics 2.1.0, hdbscan 0.8.44, numpy", np.__version__)
print("expected: 'Moulavi et al. (2014). Valid for arbitrarily shaped clusters'")
print("cause: a row's core distance is a mean of its distances from the others of its cluster, to the power of minus")
print("the columns, so that the nearest count most. Without the minus the farthest do: rows lie the denser the")
print("smaller their cluster is, whatever lies between them")
print("why it matters: the index is there to choose between clusterings that are not round, and with this it")
print("chooses round ones, and more of them")
same = same and seen["stripes", "the shapes"] < 0 < seen["stripes", "2 by k-means"]
same = same and seen["moons", "the shapes"] < seen["moons", "8 by k-means"]
sys.exit(0 if same else 1)
PYTHON
