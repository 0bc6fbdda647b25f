#!/usr/bin/env bash
# fast_pytorch_kmeans with minibatch moves a centre that has no row in a batch a tenth of its way to the origin and
# further: of 50 clusters 15 have rows in the end, an adjusted Rand index of 0.37 in place of 0.82, with batches of 64.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "fast-pytorch-kmeans==0.2.2" "torch==2.13.0" "scikit-learn==1.9.1" "scipy==1.17.1" \
    "numpy==2.4.6" "psutil==7.2.2"; then
    echo "could not be tried: fast_pytorch_kmeans or PyTorch were not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import numpy as np
import torch
from fast_pytorch_kmeans import KMeans
from sklearn.cluster import MiniBatchKMeans
from sklearn.metrics import adjusted_rand_score

GROUPS, EACH, COLUMNS, BATCH, SEEDS = 50, 100, 16, 64, 4


def draw(seed, shift):
    random = torch.Generator().manual_seed(seed)
    groups = torch.arange(GROUPS).repeat_interleave(EACH)
    means = torch.randn(GROUPS, COLUMNS, generator=random)
    return means[groups] + 0.3 * torch.randn(len(groups), COLUMNS, generator=random) + shift, groups


def tell(rows, groups, labels, centres):
    """The agreement with the groups, how many clusters have a row, and how long the centres are next to the rows."""
    labels = np.asarray(labels)
    longer = np.linalg.norm(np.asarray(centres), axis=1).mean() / float(rows.norm(dim=1).mean())
    return adjusted_rand_score(groups, labels), len(np.unique(labels)), longer


def library(rows, groups, seed, **options):
    torch.manual_seed(seed)
    np.random.seed(seed)
    model = KMeans(GROUPS, init_method="kmeans++", **options)
    model.fit_predict(rows)
    return tell(rows, groups, model.predict(rows), model.centroids)


def by_hand(rows, groups, seed):
    """Its own steps, but that a centre stays where it is while a batch has no row of it."""
    torch.manual_seed(seed)
    np.random.seed(seed)
    centres = KMeans(GROUPS, init_method="kmeans++", max_iter=1)
    centres.fit_predict(rows)
    centres, counts = centres.centroids, torch.ones(GROUPS)
    for _ in range(100):
        batch = rows[torch.from_numpy(np.random.choice(len(rows), BATCH, replace=False))]
        nearest = torch.cdist(batch, centres).argmin(1)
        for cluster in nearest.unique():
            step = 0.9 / counts[cluster] + 0.1
            centres[cluster] += step * (batch[nearest == cluster].mean(0) - centres[cluster])
            counts[cluster] += int((nearest == cluster).sum())
    return tell(rows, groups, torch.cdist(rows, centres).argmin(1), centres)


def scikit_learn(rows, groups, seed):
    model = MiniBatchKMeans(GROUPS, batch_size=BATCH, n_init=1, random_state=seed).fit(rows.numpy())
    return tell(rows, groups, model.labels_, model.cluster_centers_)


ways = {
    "without minibatch": library,
    f"minibatch={BATCH}": lambda *given: library(*given, minibatch=BATCH),
    "the same by hand": by_hand,
    "MiniBatchKMeans": scikit_learn,
}
print(f"{GROUPS} groups of {EACH} rows about a point that is so far from the origin in each column; mean of {SEEDS}")
print("          " + "".join(f"{name:>27}" for name in ways))
print("distance  " + "  adjusted Rand used length" * len(ways))
seen = {}
for shift in (0.0, 1.0, 3.0):
    seen[shift] = np.array([[way(*draw(seed, shift), seed) for seed in range(SEEDS)] for way in ways.values()]).mean(1)
    print(f"{shift:8.1f}  " + "".join(f"{rand:15.2f}{used:5.0f}{long:7.2f}" for rand, used, long in seen[shift]))
print("fast_pytorch_kmeans 0.2.2, torch", torch.__version__.split("+")[0])
print("expected: centres among the rows, of about their length, as k-means has of all rows or of batches elsewhere")
print("cause: the mean of no rows is NaN, which is made 0, and every centre goes a tenth of the way or more to that")
print("why it matters: minibatch is for many rows and many clusters, where most of these have no row in a batch. They")
print("meet at the origin, and nothing tells so. Rows that are not centred, as embeddings seldom are, lose the most")
right = all(value[0][0] > 0.7 and value[2][0] > 0.6 for value in seen.values())
sys.exit(0 if right and seen[3.0][1][0] < 0.5 and seen[3.0][1][1] < 30 and seen[0.0][1][2] < 0.8 else 1)
PYTHON
