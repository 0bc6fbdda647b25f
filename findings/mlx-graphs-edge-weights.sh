#!/usr/bin/env bash
# mlx-graphs' GCNConv takes edge weights for the degrees alone: a heavy edge passes on no more.
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

"$folder/venv/bin/python" - <<'PYTHON'
import sys

import mlx.core as mx
import numpy as np
from mlx_graphs.nn import GCNConv

mx.set_default_device(mx.cpu)
# Node 0 is like node 1 (.9) and hardly like node 2 (.1); every node is linked to itself.
sources = np.array([1, 2, 0, 0, 0, 1, 2])
targets = np.array([0, 0, 1, 2, 0, 1, 2])
weights = np.array([0.9, 0.1, 0.9, 0.1, 1.0, 1.0, 1.0], np.float32)

layer = GCNConv(3, 3, bias=False)
layer.linear.weight = mx.eye(3)  # column j of the result is how much of node j arrives
got = np.array(
    layer(mx.array(np.stack([sources, targets])), mx.eye(3), edge_weights=mx.array(weights))
)

adjacency = np.zeros((3, 3))
adjacency[targets, sources] = weights
degrees = adjacency.sum(axis=1)
expected = adjacency / np.sqrt(degrees[:, None] * degrees[None, :])

print("what arrives at node 0 from nodes 1 and 2, linked by weights of 0.9 and 0.1")
print(f"expected: {expected[0, 1]:.3f} and {expected[0, 2]:.3f}, of D^-1/2 A D^-1/2")
print(f"seen:     {got[0, 1]:.3f} and {got[0, 2]:.3f}, mlx-graphs 0.0.10 with mlx 0.32.4")
print("why it matters: over a graph of nearest texts the weights are the similarities; here the")
print("text that is hardly alike passes on more than the one that is nearly the same, and no")
print("shape or number looks wrong")
degrees_only = (adjacency > 0) / np.sqrt(degrees[:, None] * degrees[None, :])
same = got[0, 1] < got[0, 2] and np.allclose(got, degrees_only, atol=1e-5)
sys.exit(0 if same else 1)
PYTHON
