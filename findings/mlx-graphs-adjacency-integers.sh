#!/usr/bin/env bash
# mlx-graphs' to_adjacency_matrix keeps weights in the type of the nodes' numbers: similarities below 1 are 0, all of
# them, and a matrix that to_sparse_adjacency_matrix took apart does not come back.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "mlx[cpu]==0.32.4" "mlx-graphs==0.0.10" "numpy==2.2.6"; then
    echo "could not be tried: mlx, mlx-graphs or numpy were not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import mlx.core as mx
import numpy as np
from mlx_graphs.utils import to_adjacency_matrix, to_sparse_adjacency_matrix

mx.set_default_device(mx.cpu)
TEXTS, COLUMNS, NEAR = 200, 32, 10
rng = np.random.default_rng(0)
groups = rng.integers(10, size=TEXTS)
rows = rng.normal(size=(10, COLUMNS))[groups] + rng.normal(size=(TEXTS, COLUMNS))
rows /= np.linalg.norm(rows, axis=1, keepdims=True)
cosine = rows @ rows.T - 2 * np.eye(TEXTS)
linked = cosine >= np.sort(cosine, axis=1)[:, -NEAR, None]
linked |= linked.T
print(f"a graph of {TEXTS} texts, each linked to the {NEAR} nearest; its weights taken apart and put together again")
print("weights                          mean weight               same as   largest")
print("                              before      after             before     error")
seen = {}
weights = {
    "cosine": cosine,
    "distance": np.sqrt(np.maximum(2 - 2 * cosine, 0)),
    "3 times the cosine": 3 * cosine,
    "1": np.ones((TEXTS, TEXTS)),
}
for name, values in weights.items():
    matrix = np.where(linked, values, 0).astype(np.float32)
    links, features = to_sparse_adjacency_matrix(mx.array(matrix))
    back = np.array(to_adjacency_matrix(links, features[:, 0], TEXTS)).astype(np.float64)
    found, right = back[matrix != 0], matrix[matrix != 0].astype(np.float64)
    seen[name] = right.mean(), found.mean(), np.isclose(found, right).mean(), abs(found - right).max()
    print(f"{name:25}" + "".join(f"{x:{width}.2f}" for x, width in zip(seen[name], (11, 11, 19, 10))))
print("mlx-graphs 0.0.10, mlx", mx.__version__, "on the CPU, numpy", np.__version__)
print("expected: a matrix with the weights that were given, 'the features corresponding to the edges'")
print("cause: the matrix is made of zeros with dtype=edge_index.dtype, and what is put into it is cut to an integer")
print("why it matters: a similarity graph is one without links then, for a Laplacian or a propagation as for a plot,")
print("and distances of 1.2 and 1.4 are one. Where all weights are 1, as in a test, nothing shows")
same = seen["1"][2] == 1 and seen["cosine"][0] > 0.4 and seen["cosine"][1] == 0 == seen["cosine"][2]
sys.exit(0 if same and seen["distance"][2] == 0 else 1)
PYTHON
