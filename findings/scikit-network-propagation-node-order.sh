#!/usr/bin/env bash
# scikit-network's label Propagation with an order by degree leaves nodes without a label and relabels
# nodes whose label was given.
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

# A graph of the ten nearest of 400 unit rows in eight classes, made symmetric; every other label given.
rng = np.random.default_rng(0)
classes = np.arange(400) % 8
rng.shuffle(classes)
x = rng.normal(size=(8, 16))[classes] + 0.5 * rng.normal(size=(400, 16))
x /= np.linalg.norm(x, axis=1, keepdims=True)
near = np.argsort(-(x @ x.T) + 9 * np.eye(400), axis=1)[:, :10]
graph = sparse.csr_matrix((np.ones(4000), (np.arange(400).repeat(10), near.ravel())), shape=(400, 400))
graph = graph.maximum(graph.T).tocsr()
given = rng.permutation(400) < 200
noisy = np.where(rng.random(400) < 0.2, (classes + 1) % 8, classes)
labels = np.where(given, noisy, -1)
degrees = graph.T.dot(np.ones(400))

same = True
print("400 nodes, 200 with a label; ten neighbours each")
print("node_order    without a label  given labels changed  right of the other 200")
for order in (None, "random", "decreasing", "increasing"):
    np.random.seed(0)
    found = Propagation(node_order=order).fit_predict(graph, labels)
    left, changed = int((found < 0).sum()), int((found != labels)[given].sum())
    right = float((found == classes)[~given].mean())
    print(f"{order!s:14}{left:15}{changed:22}{right:24.3f}")
    if order in (None, "random"):
        same = same and left == 0 and changed == 0 and right > 0.9
        continue
    # By the cause below: places of unlabelled nodes are looked up in the order of all nodes.
    visited = np.argsort(-degrees if order == "decreasing" else degrees)[np.flatnonzero(~given)]
    never = np.setdiff1d(np.flatnonzero(~given), visited)
    same = same and left == len(never) > 50 and bool((found[never] < 0).all())
    same = same and changed > 0 and not (found != labels)[np.setdiff1d(np.flatnonzero(given), visited)].any()
print("scikit-network 0.33.5, numpy", np.__version__)
print("expected: the order says when a node is updated: the same nodes in each, those without a label")
print("cause: the numbers of the nodes without a label are used as places in the list of all nodes by")
print("degree: as many nodes are updated, but any ones, labelled or not, and the others never")
print("why it matters: labels are spread over k-NN graphs of embeddings; here the label is -1 for about")
print("half of the nodes that were to get one, and labels that a person gave are overwritten")
sys.exit(0 if same else 1)
PYTHON
