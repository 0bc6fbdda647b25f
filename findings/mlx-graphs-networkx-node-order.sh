#!/usr/bin/env bash
# mlx-graphs' from_networkx writes links by the nodes' numbers and features by the order in which the nodes came: of a
# graph read from a list of links 0.00 of the nodes have their own features, and 0.10 of the links join one group.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "mlx[cpu]==0.32.4" "mlx-graphs==0.0.10" "networkx==3.6.1" "numpy==2.2.6"; then
    echo "could not be tried: mlx, mlx-graphs or networkx were not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import mlx.core as mx
import networkx as nx
import numpy as np
from mlx_graphs.utils import scatter, to_undirected
from mlx_graphs.utils.convert import from_networkx

mx.set_default_device(mx.cpu)
NODES, GROUPS, INSIDE, OUTSIDE = 400, 10, 0.3, 0.004
rng = np.random.default_rng(0)
groups = rng.permutation(np.arange(NODES) % GROUPS)
features = np.eye(GROUPS)[groups] + rng.normal(size=(NODES, GROUPS))
same = groups[:, None] == groups[None]
links = np.argwhere(np.triu(rng.random((NODES, NODES)) < np.where(same, INSIDE, OUTSIDE), 1))


def describe(graph):
    """Sets what the nodes have, by their numbers."""
    nx.set_node_attributes(graph, {node: features[node].tolist() for node in graph}, "features")
    nx.set_node_attributes(graph, {node: int(groups[node]) for node in graph}, "label")
    return graph


def counted():
    graph = nx.Graph()
    graph.add_nodes_from(range(NODES))
    graph.add_edges_from(links.tolist())
    return describe(graph)


def read(order):
    lines = [f"{a} {b}" for a, b in order.tolist()]
    return describe(nx.parse_edgelist(lines, nodetype=int))


def numbered(graph):
    """The same, but that the nodes are called as they come."""
    return nx.convert_node_labels_to_integers(graph, ordering="default")


def tell(graph):
    """Of what was made: nodes with their own features, links within a group, and groups told by the neighbours."""
    data = from_networkx(graph)
    rows, labels = np.array(data.node_features), np.array(data.node_label)
    names = list(graph)
    own = np.mean([np.allclose(rows[node], graph.nodes[node]["features"]) for node in names])
    ends = np.array(data.edge_index)
    source, target = to_undirected(data.edge_index)
    near = np.array(scatter(data.node_features[source], target, len(names), "mean"))
    return own, (labels[ends[0]] == labels[ends[1]]).mean(), (near.argmax(1) == labels).mean()


graphs = {
    "nodes added from 0 on": counted(),
    "links read, sorted": read(links),
    "links read, as they come": read(links[rng.permutation(len(links))]),
    "the last, nodes renumbered": numbered(read(links[rng.permutation(len(links))])),
}
print(f"{NODES} nodes in {GROUPS} groups, {len(links)} links, most of them within a group")
print("                              nodes with their    links within    right group by the")
print("networkx graph                    own features         a group       neighbours' mean")
seen = {}
for name, graph in graphs.items():
    seen[name] = tell(graph)
    print(f"{name:30}{seen[name][0]:16.2f}{seen[name][1]:16.2f}{seen[name][2]:23.2f}")
print("mlx-graphs 0.0.10, mlx", mx.__version__, "and networkx", nx.__version__)
print("expected: the same of all of them, which are the same graph with the same features")
print("cause: the links are the names of the nodes as they are, the features a list in the order of graph.nodes, which")
print("is that in which they were first named. Row i is node i only where 0, 1, 2 and so on came in this order")
print("why it matters: a graph is mostly read from its links. Features and labels agree with each other, so that")
print("nothing is to be seen: a network learns, and its links are those of other nodes")
first, *_, last = seen.values()
right = min(first[0], last[0]) > 0.99 and min(first[1], last[1]) > 0.8
sys.exit(0 if right and seen["links read, as they come"][0] < 0.1 and seen["links read, as they come"][1] < 0.2 else 1)
PYTHON
