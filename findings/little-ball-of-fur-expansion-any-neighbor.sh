#!/usr/bin/env bash
# Little Ball of Fur's CommunityStructureExpansionSampler takes any node nearby in place of the one that reaches
# the most new ones: 40 of them come from 6.2 of 20 communities, as with chance, in place of 18.2.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# --no-deps leaves out cmake and the pandas of before 2.0, which the sampler does not need.
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check --no-deps "littleballoffur==2.3.1" || ! "$folder/venv/bin/python" -m pip \
    install --quiet --disable-pip-version-check "networkx==3.6.1" "networkit==11.3" "python-louvain==0.16" \
    "pandas==2.3.3" "six==1.17.0" "scipy==1.17.1" "numpy==2.4.6" 2> /dev/null; then
    echo "could not be tried: littleballoffur, networkx or networkit were not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import networkx as nx
import numpy as np
from littleballoffur import CommunityStructureExpansionSampler

COMMUNITIES, SIZE, STARTS = 20, 50, 20
graph = nx.planted_partition_graph(COMMUNITIES, SIZE, 0.3, 0.001, seed=0)
community = np.arange(COMMUNITIES * SIZE) // SIZE
rng = np.random.default_rng(0)
starts = rng.choice(COMMUNITIES * SIZE, STARTS, replace=False)


def sample(start, nodes, score):
    """Nodes from a first one on: each time that of the neighbors of those taken which has the highest score."""
    taken = {start}
    while len(taken) < nodes:
        near = {v for u in taken for v in graph[u]} - taken
        taken.add(max(sorted(near), key=lambda v: (score(set(graph[v]), taken, near), rng.random())))
    return taken


def by_library(start, nodes):
    return CommunityStructureExpansionSampler(nodes, seed=int(start)).sample(graph, start_node=int(start)).nodes


ways = {
    "by the paper: neighbors beyond the sample and its own": lambda start, nodes: sample(
        start, nodes, lambda its, taken, near: len(its - taken - near)
    ),
    "by hand as it is written: neighbors beyond the sample": lambda start, nodes: sample(
        start, nodes, lambda its, taken, near: len(its - taken)
    ),
    "by littleballoffur": by_library,
    "any neighbor": lambda start, nodes: sample(start, nodes, lambda its, taken, near: 0),
}
sizes = (20, 40, 80)
print(f"{COMMUNITIES} communities of {SIZE} nodes, {graph.number_of_edges()} edges, samples from {STARTS} nodes on")
print("communities in a sample of                            " + "".join(f"{size:>7}" for size in sizes) + " nodes")
seen = {}
for name, way in ways.items():
    seen[name] = [float(np.mean([len(set(community[list(way(start, size))])) for start in starts])) for size in sizes]
    print(f"{name:54}" + "".join(f"{mean:7.1f}" for mean in seen[name]))
print("littleballoffur 2.3.1, networkx", nx.__version__, "- numpy", np.__version__)
print("expected: 'This node is the one with the largest community expansion score' (Maiya and Berger-Wolf, 2010)")
print("cause: the largest score so far, which each is held against, stays 0: the last of the shuffled neighbors is")
print("the one that is taken")
print("why it matters: the sampler is chosen so that a small part of a graph has nodes of all communities to embed")
print("or to label. With this it stays where it started, as plain walks do")
paper, plain, library, chance = seen.values()
near = all(abs(a - b) < 1.5 for a, b in zip(library, chance))
sys.exit(0 if near and all(a > 1.3 * c and b > 1.1 * c for a, b, c in zip(paper, plain, library)) else 1)
PYTHON
