#!/usr/bin/env bash
# metric-learn's RCA_Supervised draws no chunk of the last class while another has rows left: of two
# classes it learns from the first alone.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "metric-learn==0.7.0" "scikit-learn==1.5.2" "scipy==1.15.3" \
    "numpy==2.2.6"; then
    echo "could not be tried: metric-learn or scikit-learn were not installed" >&2
    exit 2
fi

"$folder/venv/bin/python" - <<'PYTHON'
import sys

import numpy as np
from metric_learn import RCA_Supervised
from metric_learn.constraints import Constraints

SEEDS = 200
shares = {}
print(f"chunks of two rows by class, the mean of {SEEDS} seeds; each class has 100 rows")
for classes, chunks in ((2, 20), (3, 30), (5, 50)):
    labels = np.repeat(np.arange(classes), 100)
    drawn = np.zeros(classes)
    for seed in range(SEEDS):
        of = Constraints(labels).chunks(n_chunks=chunks, chunk_size=2, random_state=seed)
        drawn += np.bincount(labels[of >= 0], minlength=classes) / 2 / SEEDS
    shares[classes] = drawn
    print(f"  {chunks} of {classes} classes: expected {chunks / classes:.0f} each, seen", np.round(drawn, 1))

# Class 0 varies along the first axis, class 1 along the second.
rng = np.random.default_rng(0)
labels = np.repeat([0, 1], 100)
x = rng.normal(size=(200, 2)) * np.where(labels == 0, [[5.0], [1.0]], [[1.0], [5.0]]).T


def lengths(name, components):
    along = np.linalg.norm(components, axis=0)
    print(f"  {name}: {along[0]:.2f} and {along[1]:.2f}")
    return float(along[0] / along[1])


def rca(labels):
    return RCA_Supervised(n_chunks=40, chunk_size=2, random_state=0).fit(x, labels).components_


print("what it multiplies two axes by, the first wide in one class, the second in the other:")
ratio = lengths("RCA_Supervised, 40 chunks", rca(labels))
turned = lengths("the same rows, the names of the classes swapped", rca(1 - labels))
# The same of twenty pairs of each class: the covariance about the middle of each pair.
pairs = [rng.permutation(np.flatnonzero(labels == c))[:40].reshape(20, 2) for c in (0, 1)]
halves = x[np.concatenate(pairs)] - x[np.concatenate(pairs)].mean(axis=1, keepdims=True)
values, vectors = np.linalg.eigh(np.cov(halves.reshape(-1, 2), rowvar=False, bias=True))
even = lengths("expected, of twenty chunks of each class", (vectors / np.sqrt(values)) @ vectors.T)
print("metric-learn 0.7.0, scikit-learn 1.5.2, numpy", np.__version__)
print("cause: the class is drawn below the number of classes less one, and the bound is exclusive")
print("why it matters: a metric for all classes is learned from all but one, which is the one whose")
print("name sorts last; only a request that uses up every other class reaches it, and nothing tells")
same = all(drawn[-1] == 0 and min(drawn[:-1]) > 5 for drawn in shares.values())
sys.exit(0 if same and ratio < 0.4 < even < 2.5 < turned else 1)
PYTHON
