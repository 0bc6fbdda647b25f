#!/usr/bin/env bash
# anomatools' ClusterBasedAD counts the rows of a cluster in the order in which clusters appear and looks them up by the
# clusters' numbers: a group of 12 among groups of hundreds is told by an AUC of 0.30 to 1.00, by the order of the rows,
# by hand of 0.98 to 1.00.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "numpy==1.23.5" "scipy==1.10.1" "scikit-learn==1.2.2" ||
    ! "$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps "anomatools==3.0.3"; then
    echo "could not be tried: anomatools was not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata
import sys

import numpy as np
from anomatools.models import ClusterBasedAD
from sklearn.cluster import KMeans
from sklearn.metrics import roc_auc_score

SIZES, RARE, ORDERS = [300, 250, 200, 150, 100], 12, 20


def draw(seed):
    """Five groups of hundreds of rows and one of twelve, all of one shape, far apart."""
    rng = np.random.default_rng(seed)
    middles = 12 * np.stack([np.arange(6) % 3, np.arange(6) // 3], 1) + rng.normal(size=(6, 2))
    rows = np.concatenate([middle + rng.normal(size=(size, 2)) for middle, size in zip(middles, [*SIZES, RARE])])
    return rows, np.repeat([0, 1], [sum(SIZES), RARE]), middles


def by_hand(model, rows):
    """The same score, from the same clusters, with each cluster's own number of rows."""
    kind, distances = model.base_clusterer.predict(rows), model.base_clusterer.transform(rows)
    sizes = np.bincount(model.base_clusterer.labels_) / np.bincount(model.base_clusterer.labels_).max()
    own = distances[np.arange(len(rows)), kind]
    return own / model.max_intra_cluster[kind] * model.cluster_deviation[kind] / sizes[kind]


print(f"AUC of the rows of the group of {RARE}, the same rows in {ORDERS} orders")
print("groups   least   mean   most   by hand, least   most   sizes that are right")
seen = []
for seed in range(5):
    rows, rare, middles = draw(seed)
    lines = []
    for order_seed in range(ORDERS):
        order = np.random.default_rng(order_seed).permutation(len(rows))
        model = ClusterBasedAD(base_clusterer=KMeans(6, init=middles, n_init=1)).fit(rows[order])
        count = np.bincount(model.base_clusterer.labels_)
        lines.append([roc_auc_score(rare[order], score) for score in
                      (model.decision_function(rows[order]), by_hand(model, rows[order]))]
                     + [np.mean(np.isclose(model.cluster_sizes, count / count.max()))])
    here, hand, right = np.transpose(lines)
    seen.append((here.min(), here.mean(), here.max(), hand.min(), hand.max(), right.mean()))
    print("{:6}{:8.2f}{:7.2f}{:7.2f}{:17.2f}{:7.2f}{:23.2f}".format(seed, *seen[-1]))
print("anomatools", importlib.metadata.version("anomatools"), "and numpy", np.__version__)
print("expected: the same scores in any order of the rows, as the clusters are the same; a row of a small cluster has")
print("a larger one")
print("cause: a Counter tells how many rows each cluster has, in the order in which their first rows come. These")
print("numbers are made an array, and the one at the place of a cluster's number is taken for its own")
print("why it matters: it is the detector without labels of the paper that the package is for, and the rows' order is")
print("no part of the data")
wrong = [line for line in seen if line[2] - line[0] > 0.3]
sys.exit(0 if len(wrong) >= 4 and all(line[3] > 0.9 and line[4] - line[3] < 0.01 for line in seen) else 1)
PYTHON
