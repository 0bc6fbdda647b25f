"""More of the graph: links on the edge of the threshold, its figures, and that it is a constant."""

from __future__ import annotations

import numpy as np

from dtgcnn.array.ops import Array, ArrayOps, HostArray, Tree
from dtgcnn.model.graph import EfficientGraphConstructor, Graph, graph_figures, knn

from ..probe import Probe, integers, normal, to_device
from ..registry import check
from .construction import ISOLATED, NODES, dense_adjacency, hold_neighbours


@check("graph")
def similarity_at_the_threshold(probe: Probe) -> None:
    """What is exactly as similar as the threshold is a neighbour."""
    axes = np.concatenate([np.eye(4), np.eye(4)[:2]])
    for least in (0.0, 1.0):
        hold_neighbours(probe, axes, axes, 3, least, np.arange(6, dtype=np.int32))


@check("graph")
def opposite_rows(probe: Probe) -> None:
    """With a threshold of −1 the nearest are linked however far, also where −1 is rounded down."""
    half = normal(32, 64, seed=7)
    both = np.concatenate([half, -half])
    rows = probe.array(both / np.linalg.norm(both, axis=1, keepdims=True))
    itself = probe.array(np.arange(64, dtype=np.int32))
    _, similarity = knn(probe.ops, rows, rows, 63, -1.0, itself)
    probe.values("which rows are linked", similarity > -2.0, np.ones((64, 63), bool))


@check("graph")
def figures_of_a_graph(probe: Probe) -> None:
    """Homophily is the share of links within a class, ``isolated_nodes`` that of nodes without."""
    for x, least in ((ISOLATED, 0.05), (NODES, 0.6), (NODES, 1.0)):
        constructor = EfficientGraphConstructor(3, least)
        graph = constructor.construct_graph_batch(probe.ops, probe.array(x))
        labels = integers([i % 2 for i in range(len(x))])
        given = probe.array(labels), probe.array(labels)
        weights, neighbors = (probe.ops.to_numpy(g) for g in (graph.weights, graph.neighbors))
        same, linked = labels[neighbors] == labels[:, None], weights > 0
        alone = dense_adjacency(x, constructor).sum(axis=1) == 0
        expected = {
            "graph_homophily": np.array((same & linked).sum() / max(linked.sum(), 1)),
            "isolated_nodes": np.array(alone.mean()),
        }
        what = f"figures of a graph with the threshold {least}"
        probe.values(what, graph_figures(probe.ops, graph, *given), expected)


def _slope(ops: ArrayOps, x: HostArray, graph_of: str) -> Array:
    """The gradient of the weights of a graph of rows in the rows."""
    constructor = EfficientGraphConstructor(3, -1.0, 0.5, weighted=True)
    nobody = to_device(ops, np.full(len(x), -1, np.int32))

    def total(p: Tree) -> tuple[Array, Tree]:
        if graph_of == "a batch":
            graph: Graph = constructor.construct_graph_batch(ops, p["x"])
        else:
            graph = constructor.attach(ops, p["x"], p["x"], nobody)
        return ops.sum(graph.weights * graph.weights) + ops.sum(p["x"]), {}

    gradient: Array = ops.value_and_grad(total)({"x": to_device(ops, x)})[2]["x"]
    return gradient


@check("graph")
def graph_is_a_constant(probe: Probe) -> None:
    """No gradient flows through the links, not even through weights that are similarities."""
    x = normal(9, 4, seed=5)
    x = (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32).astype(np.float64)
    for graph_of in ("a batch", "a bank"):
        what = f"the gradient of the links of {graph_of}"
        probe.values(what, _slope(probe.ops, x, graph_of), np.ones(x.shape))
