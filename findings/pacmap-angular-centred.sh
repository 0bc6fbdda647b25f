#!/usr/bin/env bash
# PaCMAP's distance="angular" is measured after the rows are centred: it is another angle.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "pacmap==0.9.1" "faiss-cpu==1.15.1" "numba==0.68.1" \
    "scikit-learn==1.9.1" "numpy==2.4.6"; then
    echo "could not be tried: pacmap, faiss or numba were not installed" >&2
    exit 2
fi

NUMBA_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import logging
import sys

import numpy as np
import pacmap

logging.disable(logging.WARNING)
K = 10
rng = np.random.default_rng(0)


def pairs(x):
    """The ten neighbours of each row that PaCMAP draws together; the layout itself is cut short."""
    reducer = pacmap.PaCMAP(n_neighbors=K, distance="angular", random_state=0, num_iters=(1, 1, 1))
    reducer.fit(x, init="random")
    return reducer.pair_neighbors.reshape(len(x), K, 2)[:, :, 1]


def expected(x):
    """PaCMAP's neighbours by its paper, over exact angular distances in float64."""
    x = x.astype(np.float64)
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    distances = np.sqrt(np.maximum(2 - 2 * x @ x.T, 0))
    np.fill_diagonal(distances, np.inf)
    near = np.argsort(distances, axis=1, kind="stable")[:, : K + 50]
    distances = np.take_along_axis(distances, near, axis=1)
    scale = distances[:, 3:6].mean(axis=1)
    scaled = distances**2 / (scale[:, None] * scale[near])
    return np.take_along_axis(near, np.argsort(scaled, axis=1, kind="stable")[:, :K], axis=1)


def shared(a, b):
    return float(np.mean([len(set(p) & set(q)) / K for p, q in zip(a, b)]))


same = True
for columns in (32, 128):
    # Twenty classes on a common direction, as embeddings have one; rows differ in length.
    centres = 2 * rng.normal(size=columns) + 0.5 * rng.normal(size=(20, columns))
    x = centres[rng.integers(20, size=1000)] + 0.3 * rng.normal(size=(1000, columns))
    x = (x * rng.uniform(0.2, 5, size=(1000, 1))).astype(np.float32)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    got = pairs(x)
    of_unit = pairs(unit)
    right, lengths = shared(got, expected(x)), shared(got, of_unit)
    centred = shared(got, expected(x - x.mean(axis=0)))
    print(f"1,000 rows of {columns} columns: of PaCMAP's ten neighbours of a row")
    print(f"  {100 * right:.0f}% are the nearest by angle, {100 * centred:.0f}% those about the mean of all rows;")
    print(f"  {100 * lengths:.0f}% stay when each row is divided by its length, which changes no angle;")
    print(f"  of those of the divided rows {100 * shared(of_unit, expected(x)):.0f}% are the nearest by angle")
    same = same and right < 0.5 and lengths < 0.5 and centred > 0.8
print("pacmap 0.9.1, faiss-cpu 1.15.1, numpy", np.__version__)
print("expected: the angle between two rows as given, whatever their length, as in other libraries")
print("cause: every distance but hamming is measured after the mean is subtracted; init='random',")
print("as here, or apply_pca=False change nothing of that")
print("why it matters: a map of embeddings shows as neighbours what their cosine does not; dividing")
print("rows by their length first is the way round, and still is not the angle")
sys.exit(0 if same else 1)
PYTHON
