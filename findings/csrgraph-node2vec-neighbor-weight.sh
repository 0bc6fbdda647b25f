#!/usr/bin/env bash
# csrgraph's node2vec walks weigh the common neighbours of two nodes where the paper weighs the nodes beyond:
# neighbor_weight, "the inverse of q", moves a walk the other way.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "csrgraph==0.1.28" "numba==0.68.1" "pandas==3.1.1" "scipy==1.17.1" \
    "numpy==2.4.6"; then
    echo "could not be tried: csrgraph or numba were not installed" >&2
    exit 2
fi

NUMBA_NUM_THREADS=1 OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import csrgraph
import numpy as np
from scipy import sparse

GROUP, GROUPS, LENGTH, WALKS = 10, 20, 30, 10
NODES = GROUP * GROUPS
rng = np.random.default_rng(0)

# A ring of 20 groups: all ten nodes of a group are linked, and the last of each with the first of the next.
linked = np.kron(np.eye(GROUPS, dtype=bool), np.ones((GROUP, GROUP), bool))
np.fill_diagonal(linked, False)
last = np.arange(GROUP - 1, NODES, GROUP)
linked[last, (last + 1) % NODES] = linked[(last + 1) % NODES, last] = True


def by_paper(inverse_of_q):
    """Second-order walks with p = 1: a step to a node two edges from the previous one weighs 1 / q."""
    walks = np.zeros((NODES * WALKS, LENGTH), int)
    walks[:, 0] = np.tile(np.arange(NODES), WALKS)
    for walk in walks:
        walk[1] = rng.choice(np.flatnonzero(linked[walk[0]]))
        for step in range(2, LENGTH):
            before, here = walk[step - 2], walk[step - 1]
            ahead = np.flatnonzero(linked[here])
            weight = np.where(linked[before, ahead] | (ahead == before), 1.0, inverse_of_q)
            walk[step] = rng.choice(ahead, p=weight / weight.sum())
    return walks


def described(walks):
    """How many groups a walk sees, and how often a step goes out to a node two edges from the last but one."""
    before, after = walks[:, :-2].ravel(), walks[:, 2:].ravel()
    groups = np.mean([len(np.unique(walk // GROUP)) for walk in walks])
    return float(groups), float(np.mean(~linked[before, after] & (before != after)))


graph = csrgraph.csrgraph(sparse.csr_matrix(linked.astype(np.float32)))
print("             groups of 20 in a walk of 30   steps that lead out")
print("1 / q            paper     csrgraph           paper   csrgraph")
seen = {}
for inverse_of_q in (0.1, 1.0, 10.0):
    walks = graph.random_walks(walklen=LENGTH, epochs=WALKS, return_weight=1.0, neighbor_weight=inverse_of_q)
    walks = walks.astype(int)
    assert linked[walks[:, :-1], walks[:, 1:]].all()
    paper, found = described(by_paper(inverse_of_q)), described(walks)
    seen[inverse_of_q] = paper[0], found[0]
    print(f"{inverse_of_q:5}{paper[0]:17.2f}{found[0]:13.2f}{paper[1]:16.3f}{found[1]:11.3f}")
print("csrgraph 0.1.28, numpy", np.__version__)
print("expected: 'Having this very high makes search more outward. Having this very low makes search very")
print("local. Equal to the inverse of q in the Node2Vec paper'")
print("cause: neighbor_weight is put on the nodes that are linked to the previous node as well, which weigh")
print("1 in the paper; those two edges away, which weigh 1 / q there, are left at 1")
print("why it matters: nodevectors' Node2Vec walks by this. Whoever asks for communities gets walks between")
print("them, and a search over the values used for other implementations reads the wrong way round")
paper, found = zip(*seen.values())
same = paper[0] < paper[1] - 0.1 < paper[2] - 0.2 and found[0] > found[1] + 0.1 > found[2] + 0.2
sys.exit(0 if same else 1)
PYTHON
