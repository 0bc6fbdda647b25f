#!/usr/bin/env bash
# s_dbw's index by Halkidi's method, of standard deviations where the paper has variances, changes with the rows' unit:
# of five groups it finds five clusters, ten where all numbers are a tenth as large and seven where a hundredth.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "s-dbw==0.4.0" "scikit-learn==1.9.1" "scipy==1.17.1" "numpy==2.4.6"; then
    echo "could not be tried: s-dbw or scikit-learn were not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import numpy as np
import sklearn
from s_dbw import S_Dbw
from sklearn.cluster import KMeans

GROUPS, ROWS, CLUSTERS = 5, 1000, range(2, 11)
rng = np.random.default_rng(0)
angles = 2 * np.pi * (np.arange(ROWS) % GROUPS) / GROUPS
x = np.stack([np.cos(angles), np.sin(angles)], axis=1) + 0.15 * rng.normal(size=(ROWS, 2))
labels = {k: KMeans(k, n_init=10, random_state=0).fit_predict(x) for k in CLUSTERS}


def by_paper(x, labels):
    """Halkidi and Vazirgiannis (2001): of the variances' vectors, in each cluster and in all rows."""
    parts = [x[labels == label] for label in np.unique(labels)]
    spread = [np.linalg.norm(part.var(axis=0)) for part in parts]
    radius = np.sqrt(sum(spread)) / len(parts)

    def density(rows, center):
        return (np.linalg.norm(rows - center, axis=1) <= radius).sum()

    between = 0.0
    for i, one in enumerate(parts):
        for other in parts[:i]:
            middle = (one.mean(0) + other.mean(0)) / 2
            most = max(density(part, part.mean(0)) for part in (one, other))
            between += 2 * density(np.concatenate([one, other]), middle) / most
    return np.mean(spread) / np.linalg.norm(x.var(axis=0)) + between / (len(parts) * (len(parts) - 1))


def index(unit, method):
    if method == "paper":
        return [float(by_paper(unit * x, labels[k])) for k in CLUSTERS]
    return [float(S_Dbw(unit * x, labels[k], method=method, nearest_centr=method == "Tong")) for k in CLUSTERS]


print(f"{ROWS} rows in {GROUPS} groups, k-means with more and more clusters; the less, the better")
print(f"{'clusters':28}" + "".join(f"{k:7}" for k in CLUSTERS) + "   best")
best = {}
for name, method in (("by the paper", "paper"), ("s_dbw, 'Halkidi'", "Halkidi"), ("s_dbw, 'Tong', the default", "Tong")):
    print(name)
    for unit in (0.01, 0.1, 1.0, 3.0):
        values = index(unit, method)
        best[method, unit] = CLUSTERS[int(np.argmin(values))]
        print(f"  rows times {unit:<15g}" + "".join(f"{x:7.2f}" for x in values) + f"{best[method, unit]:7}")
print("s_dbw 0.4.0, scikit-learn", sklearn.__version__, "- numpy", np.__version__)
print("expected: the index of the 'original paper', which is the same in each unit: it counts the rows within a radius")
print("that is the root of variances, in the rows' own unit")
print("cause: the radius is the root of standard deviations. Rows that are ten times as long are counted within a")
print("radius that is 3.2 times as long")
print("why it matters: the smaller the numbers the larger is the radius beside them, until all of a cluster and of the")
print("next lie within it: rows that are scaled to another length have another best number of clusters")
found = [best["Halkidi", unit] for unit in (0.01, 0.1, 1.0)]
same = all(best[method, unit] == best[method, 1.0] for method, unit in best if method != "Halkidi")
sys.exit(0 if same and best["paper", 1.0] == GROUPS == found[2] and min(found[:2]) > GROUPS else 1)
PYTHON
