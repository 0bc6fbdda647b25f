#!/usr/bin/env bash
# mlx-graphs' Node2Vec leaves a node without links out of its table of neighbours, so that all nodes after it have those
# of the next one: with one such node among 500, at their start, none is left with neighbours of its own.
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
import types

import mlx.core as mx
import numpy as np

# A stand-in for what takes the walks from the table and is made for Apple's devices alone; the table is looked at here.
sys.modules["mlx_cluster"] = types.ModuleType("mlx_cluster")
sys.modules["mlx_cluster"].random_walk = sys.modules["mlx_cluster"].rejection_sampling = None
from mlx_graphs.algorithms import Node2Vec  # noqa: E402

mx.set_default_device(mx.cpu)
NODES, GROUPS, LINKS = 500, 10, 8
rng = np.random.default_rng(0)


def graph(alone):
    """Nodes of groups in any order, linked within a group, but for those that are alone."""
    groups = rng.integers(GROUPS, size=NODES)
    rest = np.setdiff1d(np.arange(NODES), alone)
    links = {(i, j) for i in rest for j in rng.choice(rest[groups[rest] == groups[i]], LINKS)}
    return groups, np.array(sorted(links | {(j, i) for i, j in links})).T


print(f"{NODES} nodes of {GROUPS} groups, linked within them; by the table of neighbours that walks are taken from")
print("nodes without    nodes with their   neighbours of      nodes beyond")
print("links            own neighbours     the same group     its end")
seen = {}
cases = {"none": [], "the last": [NODES - 1], "the first": [0], "25 of them": rng.choice(NODES - 1, 25, replace=False)}
for name, alone in cases.items():
    groups, links = graph(alone)
    model = Node2Vec(mx.array(links), 16, 5, 3, NODES, use_gpu=False)
    start, column = np.array(model.rowptr), np.array(model.col)
    listed = [column[start[i] : start[i + 1]] for i in range(len(start) - 1)]
    own = [set(found) == set(links[1][links[0] == i]) for i, found in enumerate(listed)]
    same = np.concatenate([groups[found] == groups[i] for i, found in enumerate(listed)])
    seen[name] = sum(own) / NODES, same.mean(), NODES - len(listed)
    print(f"{name:17}{seen[name][0]:10.2f}{seen[name][1]:20.2f}{seen[name][2]:16}")
print("mlx-graphs 0.0.10, mlx", mx.__version__, "on the CPU, numpy", np.__version__)
print("expected: a node's neighbours, of which a node without links has none")
print("cause: the table's starts are the numbers of links summed up, of the nodes that np.unique finds in the links. A")
print("node without links is not among them, and the rest moves up")
print("why it matters: one text that is like no other is enough, or where links are directed a paper without")
print("references. Every walk goes on from the neighbours of another node, and embeddings of groups are those of")
print("chance")
same = seen["none"] == seen["none"][:2] + (0,) and seen["none"][:2] == (1, 1) and seen["the last"][1] == 1
sys.exit(0 if same and seen["the first"][0] == 0 and max(seen["the first"][1], seen["25 of them"][1]) < 0.3 else 1)
PYTHON
