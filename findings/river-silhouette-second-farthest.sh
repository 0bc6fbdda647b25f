#!/usr/bin/env bash
# River's Silhouette measures to the second farthest centroid in place of the second closest: of two clusters it
# is 1.00 whatever they are, and of more it falls with each further one, past the five that are there.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "river==0.26.1" "scikit-learn==1.9.1" "scipy==1.17.1" "numpy==2.4.6"; then
    echo "could not be tried: river or scikit-learn were not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import numpy as np
import sklearn.metrics
from river.metrics import Silhouette
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans

GROUPS, ROWS, COLUMNS = 5, 500, 8
rng = np.random.default_rng(0)
x = 6 * np.eye(GROUPS, COLUMNS)[np.arange(ROWS) % GROUPS] + rng.normal(size=(ROWS, COLUMNS))


def by_river(centers, labels):
    metric = Silhouette()
    named = {i: dict(enumerate(center)) for i, center in enumerate(centers)}
    for row, label in zip(x, labels):
        metric.update(dict(enumerate(row)), label, named)
    return metric.get()


print(f"{ROWS} rows in {GROUPS} groups: k-means with more and more clusters, and two clusters drawn by chance")
print("clusters        second closest   second farthest   by river   scikit-learn's own silhouette")
seen = {}
for clusters in ("chance", *range(2, 11)):
    if clusters == "chance":
        labels = rng.integers(2, size=ROWS)
        centers = np.stack([x[labels == label].mean(0) for label in (0, 1)])
        labels = cdist(x, centers).argmin(1)
    else:
        model = KMeans(clusters, n_init=10, random_state=0).fit(x)
        labels, centers = model.labels_, model.cluster_centers_
    apart = np.sort(cdist(x, centers), axis=1)
    closest, farthest = (float(apart[:, 0].sum() / apart[:, place].sum()) for place in (1, -2))
    seen[clusters] = closest, farthest, by_river(centers, labels)
    usual = sklearn.metrics.silhouette_score(x, labels)
    print(f"{clusters!s:8}{closest:21.3f}{farthest:18.3f}{seen[clusters][2]:11.3f}{usual:19.3f}")
print("river 0.26.1, scikit-learn", sklearn.__version__, "- numpy", np.__version__)
print("expected: 'the ratio between cohesion and the average distances from the points to their second-closest")
print("centroid', the smaller the better: the least with", GROUPS, "clusters")
print("cause: of the sorted distances it takes the last but one. Of three centroids that is the second closest, as in")
print("its example; of two the closest, the numerator again; of more one that lies across the others")
print("why it matters: what a stream's clusters are compared by does not see whether two of them lie in one place,")
print("and the more of them there are the better they look")
best = [min(range(2, 11), key=lambda k, way=way: seen[k][way]) for way in range(3)]
same = all(abs(values[1] - values[2]) < 1e-9 for values in seen.values()) and seen["chance"][2] == seen[2][2] == 1
sys.exit(0 if same and best == [GROUPS, 10, 10] and seen["chance"][0] > 0.8 > seen[2][0] else 1)
PYTHON
