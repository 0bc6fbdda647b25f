#!/usr/bin/env bash
# scikit-network's label Propagation counts a neighbour's vote with the weight of another edge.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "scikit-network==0.33.5" "scipy==1.17.1" "numpy==2.4.6"; then
    echo "could not be tried: scikit-network or scipy were not installed" >&2
    exit 2
fi

"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import numpy as np
from scipy import sparse
from sknetwork.classification import Propagation

# Each of 200 nodes has one edge to each of three labelled nodes, of weights 0.9, 0.5 and 0.1 in any
# order: one update, and the heaviest edge decides, since no two neighbours have the same label.
same = True
for seed in range(5):
    rng = np.random.default_rng(seed)
    weights = rng.permuted(np.tile([0.9, 0.5, 0.1], (200, 1)), axis=1)
    upper = np.zeros((203, 203))
    upper[3:, :3] = weights
    graph = sparse.csr_matrix(upper + upper.T)
    labels = np.full(203, -1)
    labels[:3] = [0, 1, 2]
    found = Propagation(weighted=True).fit_predict(graph, labels)[3:]
    expected = weights.argmax(axis=1)
    # By the cause below: the votes are the first three weights of the whole matrix, for every node.
    told = int(np.argmax(graph.data[:3]))
    right = float((found == expected).mean())
    print("seed", seed, "- nodes with the label of their heaviest edge:", round(right, 3), "- expected 1.0")
    print("the labels found:", np.unique(found), "- by the cause below:", told, "for all")
    same = same and right < 0.6 and bool((found == told).all())
print("scikit-network 0.33.5, numpy", np.__version__)
print("expected: with weighted=True 'the vote of each neighbor is proportional to the edge weight'")
print("cause: the array of the edges' weights is read at the number of the neighbouring node, not at")
print("that of the edge; and the list of votes is not emptied between nodes, so that those of the")
print("first node are used for all")
print("why it matters: in a k-NN graph of embeddings the weight is the similarity: a far neighbour")
print("decides a label against a near one, and weights can be left out or shuffled with no error")
sys.exit(0 if same else 1)
PYTHON
