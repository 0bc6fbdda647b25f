#!/usr/bin/env bash
# clusteval's Davies-Bouldin index is the worst pair of clusters divided by how many clusters there are, in place of
# a mean over the clusters: in rows of two, three or five groups told apart it finds 24 clusters, its most.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "clusteval==2.2.7" "matplotlib==3.11.2" "pandas==2.3.3" "scikit-learn==1.9.1" \
    "scipy==1.17.1" "numpy==2.4.6"; then
    echo "could not be tried: clusteval was not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 MPLBACKEND=agg "$folder/venv/bin/python" -W ignore - 2> /dev/null <<'PYTHON'
import logging
import sys

import numpy as np
import sklearn.metrics
from clusteval import clusteval
from scipy.cluster.hierarchy import fcluster, linkage

logging.disable()
ROWS, COLUMNS = 500, 8
rng = np.random.default_rng(0)
print(f"{ROWS} rows in groups: Davies-Bouldin index of clusters by Ward's method, from 2 to 24, the least the best")
print("           of the groups               of 24 clusters              clusters with the least")
print("groups     scikit-learn   clusteval    scikit-learn   clusteval    scikit-learn   clusteval")
same = True
for groups in (2, 3, 5):
    x = 6 * np.eye(groups, COLUMNS)[np.arange(ROWS) % groups] + rng.normal(size=(ROWS, COLUMNS))
    tree = linkage(x, method="ward")
    found = clusteval(cluster="agglomerative", evaluate="dbindex", metric="euclidean", linkage="ward").fit(x)
    scores = dict(zip(found["score"]["clusters"], found["score"]["score"]))
    index, worst = {}, {}
    for clusters in scores:
        labels = fcluster(tree, clusters, criterion="maxclust")
        index[clusters] = float(sklearn.metrics.davies_bouldin_score(x, labels))
        pairs = [
            sklearn.metrics.davies_bouldin_score(x[two], labels[two])
            for i in range(1, clusters)
            for two in (np.isin(labels, (i, j)) for j in range(i + 1, clusters + 1))
        ]
        worst[clusters] = max(pairs) / clusters
    best, chosen = min(index, key=index.get), len(np.unique(found["labx"]))
    print(
        f"{groups:6}{index[groups]:17.3f}{scores[groups]:12.3f}{index[24]:16.3f}{scores[24]:12.3f}"
        f"{best:16}{chosen:12}"
    )
    same = same and best == groups and chosen == 24 and all(abs(scores[k] - worst[k]) < 1e-9 for k in scores)
print("clusteval 2.2.7, scikit-learn", sklearn.__version__, "- numpy", np.__version__)
print("expected: the index of Davies and Bouldin (1979), the mean over the clusters of how alike each is with the one")
print("that it is most alike with")
print("cause: it takes the largest over all pairs before it divides by the number of clusters: one pair counts")
print("for the sum over all, and what is divided does not grow with the number that it is divided by")
print("why it matters: the index is there to choose the number of clusters, and this one chooses as many as allowed")
sys.exit(0 if same else 1)
PYTHON
