#!/usr/bin/env bash
# PyGSP's NNGraph of rows that are not to be centred scales the caller's own array.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "pygsp==0.6.1" "scipy==1.17.1" "numpy==2.4.6"; then
    echo "could not be tried: pygsp or scipy were not installed" >&2
    exit 2
fi

"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import numpy as np
from pygsp.graphs import NNGraph

# Unit rows in clusters: pairs with a cosine of at least 0.8 are counted before and after.
rng = np.random.default_rng(0)
rows = rng.normal(size=(20, 16))[np.arange(400) % 20] + 0.3 * rng.normal(size=(400, 16))
rows /= np.linalg.norm(rows, axis=1, keepdims=True)


def pairs(x):
    return int((np.triu(x @ x.T, 1) >= 0.8).sum())


wanted = pairs(rows)
same = True
print("400 unit rows, pairs with an inner product of at least 0.8:", wanted)
print("NNGraph(x, k=5, ...)            rows as before  length of a row  pairs at 0.8")
for center in (True, False):
    for rescale in (True, False):
        x = rows.copy()
        NNGraph(x, k=5, center=center, rescale=rescale)
        kept = np.array_equal(x, rows)
        radius = np.linalg.norm(np.ptp(rows, axis=0)) / 2
        length = np.linalg.norm(x, axis=1)
        told = 400 ** (1 / 3) / 10 / radius if rescale and not center else 1
        name = f"center={center}, rescale={rescale}"
        print(f"{name:32}{str(kept):>14}{length.mean():17.4f}{pairs(x):14}")
        same = same and np.allclose(length, told) and kept == (center or not rescale)
        same = same and (pairs(x) == wanted) == kept
print("pygsp 0.6.1, numpy", np.__version__)
print("expected: a graph is built of the rows, and they stay as they were: so they do with the other")
print("three settings; that rescale puts 'the data' into a sphere is documented, not that it is the array")
print("cause: centring makes a new array; without it the scaling is done in place on the one given")
print("why it matters: unit embeddings are what one leaves uncentred, and they are used after the graph")
print("as features or for search: a threshold on their cosines then no longer finds the pairs it found")
sys.exit(0 if same else 1)
PYTHON
