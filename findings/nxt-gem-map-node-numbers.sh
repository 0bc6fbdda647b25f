#!/usr/bin/env bash
# nxt-gem's MAP of a reconstructed graph asks a node about the nodes with larger numbers alone, unless told that links
# have a direction, and counts those without such a neighbour as 0: an exact reconstruction of a star has 0.02 or 0.98,
# by the number of its middle, in place of 1.00.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "networkx==3.4.2" "numpy==2.2.6" "scipy==1.15.3" "scikit-learn==1.7.2" \
    "matplotlib==3.10.7" || ! "$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
    "nxt-gem==3.0.0"; then
    echo "could not be tried: nxt-gem was not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import networkx as nx
import numpy as np
from gem.evaluation.evaluate_graph_reconstruction import evaluateStaticGraphReconstruction
from sklearn.metrics import average_precision_score

NODES, NOISE = 50, 0.3


class Given:
    """An embedding whose reconstruction of the graph is what it is given."""

    def __init__(self, links):
        self.links = links

    def get_reconstructed_adj(self, embedding, nodes):
        return self.links


def number(graph, order):
    """The same graph, with its nodes numbered by their place in an order."""
    place = {int(node): number for number, node in enumerate(order)}
    new = nx.DiGraph()
    new.add_nodes_from(range(NODES))
    new.add_edges_from((place[a], place[b]) for a, b in graph.to_directed().edges)
    return new


def by_hand(links, scores):
    """The mean over the nodes of the average precision of all other nodes, for the nodes that have a link."""
    found = []
    for node in np.flatnonzero(links.sum(1)):
        others = np.arange(NODES) != node
        found.append(average_precision_score(links[node, others] > 0, scores[node, others]))
    return np.mean(found)


graphs = {"a star": nx.star_graph(NODES - 1), "a tree": nx.barabasi_albert_graph(NODES, 1, seed=0),
          "drawn by chance": nx.gnp_random_graph(NODES, 0.08, seed=0),
          "three groups": nx.planted_partition_graph(3, NODES // 3, 0.4, 0.02, seed=0)}
graphs["three groups"].add_nodes_from(range(NODES))
rng = np.random.default_rng(0)
print(f"MAP of {NODES} nodes, numbered by degree from the largest on, from the smallest on, and by chance")
print("                                       here, undirected          here, directed            by hand")
seen = {}
for name, graph in graphs.items():
    degree = np.array([graph.degree(node) for node in range(NODES)])
    orders = [np.argsort(-degree, kind="stable"), np.argsort(degree, kind="stable"), rng.permutation(NODES)]
    noise = NOISE * np.triu(rng.normal(size=(NODES, NODES)), 1)
    for kind, scores in (("exact", 0), ("noise", noise + noise.T)):
        lines = []
        for order in orders:
            numbered = number(graph, order)
            links = nx.to_numpy_array(numbered, nodelist=range(NODES))
            told = links + (scores[np.ix_(order, order)] if kind == "noise" else 0)
            found = [evaluateStaticGraphReconstruction(numbered, Given(told), None, is_undirected=way)[0]
                     for way in (True, False)]
            lines.append([*found, by_hand(links, told)])
        seen[name, kind] = np.array(lines)
        print(f"{name:17}{kind:11}" + "".join(f"{a:11.2f}{b:7.2f}{c:7.2f}" for a, b, c in seen[name, kind].T))
print("nxt-gem 3.0.0, networkx", nx.__version__, "and numpy", np.__version__)
print("expected: the mean over the nodes of how precise a node's list of neighbours is, 1 for what is exact, and the")
print("same however the nodes are numbered")
print("cause: of an undirected graph each pair is listed once, by the smaller of its two numbers, and a node is asked")
print("for what is listed by its own. A node whose neighbours all have smaller numbers has an empty list, which counts")
print("as 0")
print("why it matters: undirected is the default of it, and this is the figure that embeddings of a graph are compared")
print("by. Numbers often follow degree or time, as where nodes are numbered as they come")
right = all(np.allclose(lines[:, 1:], 1) if kind == "exact" else np.ptp(lines[:, 2]) < 1e-9
            for (_, kind), lines in seen.items())
sys.exit(0 if right and seen["a star", "exact"][0, 0] < 0.05 and seen["a star", "exact"][1, 0] > 0.95 else 1)
PYTHON
