#!/usr/bin/env bash
# cdlib's significance takes the graph's density with the number of its edges for that of its nodes: one
# community of all nodes, which has none, has more of it than the halves of the planted ones.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "cdlib==0.4.1" "leidenalg==0.12.0" "networkx==3.6" "scipy==1.17.1"; then
    echo "could not be tried: cdlib or leidenalg were not installed" >&2
    exit 2
fi

"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys
from math import comb, log

import cdlib
import igraph
import leidenalg
import networkx as nx
import numpy as np
from cdlib import NodeClustering, evaluation

GROUPS, SIZE = 6, 20
graph = nx.planted_partition_graph(GROUPS, SIZE, 0.5, 0.02, seed=0)
nodes, edges = graph.number_of_nodes(), graph.number_of_edges()
planted = np.arange(nodes) // SIZE
partitions = {
    "planted groups": planted,
    "their pairs": planted // 2,
    "their halves": np.arange(nodes) // (SIZE // 2),
    "all nodes as one": np.zeros(nodes, dtype=int),
}


def divergence(q, p):
    return (q * log(q / p) if q > 0 else 0) + ((1 - q) * log((1 - q) / (1 - p)) if q < 1 else 0)


def by_hand(communities, density):
    """The sum of the pairs within, each time the divergence of their density from the graph's."""
    total = 0.0
    for community in communities:
        pairs = comb(len(community), 2)
        total += pairs * divergence(graph.subgraph(community).number_of_edges() / pairs, density)
    return total


same = True
seen = {}
print(f"{nodes} nodes and {edges} edges; the density is {edges / comb(nodes, 2):.3f}")
print("communities are     by hand   leidenalg    cdlib   by hand with the density 2 / (edges - 1)")
for name, label in partitions.items():
    communities = [np.flatnonzero(label == one).tolist() for one in np.unique(label)]
    hand = by_hand(communities, edges / comb(nodes, 2))
    other = leidenalg.SignificanceVertexPartition(igraph.Graph.from_networkx(graph), label.tolist()).quality()
    score = float(evaluation.significance(graph, NodeClustering(communities, graph, name)).score)
    wrong = by_hand(communities, 2 / (edges - 1))
    seen[name] = hand, score
    print(f"{name:18}{hand:9.1f}{other:12.1f}{score:9.1f}{wrong:12.1f}")
    same = same and abs(hand - other) < 0.01 * nodes and abs(score - wrong) < 0.01
print("cdlib", cdlib.__version__, "- leidenalg", leidenalg.__version__, "- networkx", nx.__version__)
print("expected: the significance of the paper that the documentation names, as its author's leidenalg has")
print("it: how much denser the communities are than the graph, so 0 for all nodes as one community")
print("cause: the number of possible edges is taken of the number of edges, m(m - 1)/2, where a graph of n")
print("nodes has n(n - 1)/2: the more edges, the less dense the graph is taken to be")
print("why it matters: it is one of few measures for communities of a k-NN graph without labels, and it")
print("prefers one that holds everything to the halves of the right ones, and the more so the more edges")
same = same and seen["all nodes as one"][0] < 1e-6 < seen["their halves"][0]
same = same and seen["all nodes as one"][1] > seen["their halves"][1]
sys.exit(0 if same else 1)
PYTHON
