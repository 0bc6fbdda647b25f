"""The graph, against dense matrices built in plain NumPy.

Neighbours are compared as sets up to a similarity tolerance: near-ties may fall either way.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import numpy as np

from dtgcnn.array.ops import ArrayOps, HostArray
from dtgcnn.model.graph import EfficientGraphConstructor, Graph, knn, propagate

from ..comparison import require
from ..probe import Probe, integers, normal
from ..registry import check

OwnShare: TypeAlias = float | Literal["adaptive"] | None
"""A node's own share, as the constructor takes it."""

NODES = normal(14, 6, seed=1)
BANK = normal(20, 6, seed=2)
ISOLATED = np.concatenate([normal(8, 5, seed=3) * [1, 1, 1, 0, 0], np.eye(5)[3:], np.zeros((1, 5))])
"""Eight rows in three dimensions, two at right angles to all others, and a row of zeros."""
DUPLICATES = np.concatenate([NODES[:5], NODES[:5], NODES[:3]])


def unit(x: HostArray) -> HostArray:
    """Rows at unit length; a zero row stays zero."""
    length = np.linalg.norm(x, axis=1, keepdims=True)
    return x / np.where(length > 0, length, 1.0)


def nearest(similarity: HostArray, k: int, threshold: float, exclude: HostArray) -> list[list[int]]:
    """The neighbours of each row by definition, one row at a time."""
    lists = []
    for i, row in enumerate(similarity):
        others = [j for j in range(len(row)) if j != exclude[i] and row[j] >= threshold]
        lists.append(sorted(others, key=lambda j, row=row: (-row[j], j))[:k])  # type: ignore[misc]
    return lists


def link_weights(similarity: HostArray, constructor: EfficientGraphConstructor) -> HostArray:
    """What links of these similarities weigh: 1, the similarity or its square where positive."""
    power = 2 if constructor.self_weight == "adaptive" else int(constructor.weighted)
    weights: HostArray = np.maximum(similarity, 0.0) ** power
    return weights


def dense_lists(
    similarity: HostArray, constructor: EfficientGraphConstructor, exclude: HostArray
) -> HostArray:
    """The directed lists ``M`` of nearest rows, as a matrix of weights."""
    m, weights = np.zeros(similarity.shape), link_weights(similarity, constructor)
    for i, row in enumerate(nearest(similarity, constructor.k, constructor.threshold, exclude)):
        m[i, row] = weights[i, row]
    return m


def dense_adjacency(x: HostArray, constructor: EfficientGraphConstructor) -> HostArray:
    """``A = max(M, Mᵀ)`` of the directed lists ``M``."""
    m = dense_lists(unit(x) @ unit(x).T, constructor, np.arange(len(x)))
    union: HostArray = np.maximum(m, m.T)
    return union


def dense_propagation(a: HostArray, self_weight: OwnShare) -> HostArray:
    """``D̃^{-1/2} (A + I) D̃^{-1/2}``, or ``α I + (1 − α) D^{-1/2} A D^{-1/2}``."""
    if self_weight is None or self_weight == "adaptive":
        a = a + np.eye(len(a))
        root = np.diag(1.0 / np.sqrt(a.sum(axis=1)))
        return root @ a @ root
    degree = a.sum(axis=1)
    root = np.diag(1.0 / np.sqrt(np.where(degree > 0, degree, 1.0)))
    own = np.where(degree > 0, self_weight, 1.0)
    return np.diag(own) + (1.0 - self_weight) * (root @ a @ root)


def dense_attachment(links: HostArray, self_weight: OwnShare) -> tuple[HostArray, HostArray]:
    """Rows of links that are brought to sum to 1 with the (N, 1) shares of the nodes, and these."""
    degree = links.sum(axis=1, keepdims=True)
    if self_weight is None or self_weight == "adaptive":
        own: HostArray = 1.0 / (degree + 1.0)
    else:
        own = np.where(degree > 0, self_weight, 1.0)
    return links / np.where(degree > 0, degree, 1.0) * (1.0 - own), own


def dense_of(ops: ArrayOps, graph: Graph, sources: int) -> tuple[HostArray, HostArray]:
    """The matrix of the lists, and the (N, 1) coefficients of the nodes themselves."""
    neighbors = ops.to_numpy(graph.neighbors)
    forward = np.zeros((len(neighbors), sources))
    rows = np.arange(len(neighbors))[:, None]
    np.add.at(forward, (rows, neighbors), ops.to_numpy(graph.weights))
    if graph.reverse is not None:
        np.add.at(forward, (neighbors, rows), ops.to_numpy(graph.reverse))
    return forward.astype(ops.to_numpy(graph.weights).dtype), ops.to_numpy(graph.own)


def hold_graph(probe: Probe, x: HostArray, constructor: EfficientGraphConstructor) -> Graph:
    """Hold a batch graph to the dense matrix."""
    graph = constructor.construct_graph_batch(probe.ops, probe.array(x))
    actual, own = dense_of(probe.ops, graph, len(x))
    actual = actual + np.diag(own[:, 0])
    expected = dense_propagation(dense_adjacency(x, constructor), constructor.self_weight)
    probe.values(f"Â of {constructor}", probe.array(actual), expected)
    h = normal(len(x), 3, seed=9)
    out = propagate(probe.ops, graph, probe.array(h))
    probe.values(f"Â h of {constructor}", out, expected @ h)
    require(
        probe.ops.to_numpy(graph.neighbors).dtype == np.int32, "neighbours of a graph must be int32"
    )
    return graph


def hold_attachment(
    probe: Probe,
    queries: HostArray,
    source: HostArray,
    constructor: EfficientGraphConstructor,
    exclude: HostArray,
) -> Graph:
    """Hold links to a bank to the dense matrix; queries and source are at unit length."""
    graph = constructor.attach(probe.ops, *map(probe.array, (queries, source, exclude)))
    require(graph.reverse is None, "links to a bank are directed, reverse must be None")
    links = dense_lists(queries @ source.T, constructor, exclude)
    expected, share = dense_attachment(links, constructor.self_weight)
    actual, own = dense_of(probe.ops, graph, len(source))
    probe.values(f"links of {constructor}", probe.array(actual), expected)
    probe.values(f"own share of {constructor}", probe.array(own), share)
    x, h = normal(len(queries), 4, seed=7), normal(len(source), 4, seed=8)
    out = propagate(probe.ops, graph, probe.array(x), probe.array(h))
    probe.values(f"Â h of {constructor}", out, share * x + expected @ h)
    return graph


def hold_neighbours(
    probe: Probe, queries: HostArray, source: HostArray, k: int, threshold: float, exclude: Any
) -> None:
    """Hold ``knn`` to the definition: as many neighbours, as similar, none twice, none excluded."""
    q, s = unit(queries), unit(source)
    out = knn(probe.ops, probe.array(q), probe.array(s), k, threshold, probe.array(exclude))
    indices, similarity = map(probe.ops.to_numpy, out)
    exact = q @ s.T
    wanted = np.full((len(q), k), -2.0)
    for i, row in enumerate(nearest(exact, k, threshold, exclude)):
        wanted[i, : len(row)] = exact[i, row]
    what = f"knn of {q.shape} in {s.shape}, k={k}, threshold={threshold}"
    probe.values(f"similarities of {what}", out[1], wanted)
    require(indices.dtype == np.int32, f"{what}: indices are {indices.dtype}, expected int32")
    require(indices.shape == (len(q), k), f"{what}: the shape is {indices.shape}")
    for i, row in enumerate(indices):
        listed = [int(j) for j, v in zip(row, similarity[i]) if v > -2.0]
        require(len(set(listed)) == len(listed), f"{what}: row {i} lists {listed}")
        require(exclude[i] not in listed, f"{what}: row {i} lists {exclude[i]}, which is excluded")
        held = np.full(k, -2.0)
        held[: len(listed)] = exact[i, listed]
        probe.values(f"similarities at the indices of {what}", probe.array(held), wanted[i])


@check("graph")
def nearest_neighbours(probe: Probe) -> None:
    """``knn`` finds the k most similar rows, for k up to all others, without the row itself."""
    everyone = np.arange(len(NODES), dtype=np.int32)
    nobody = np.full(len(NODES), -1, np.int32)
    for k in (1, 4, len(NODES) - 1):
        hold_neighbours(probe, NODES, NODES, k, -1.0, everyone)
    for k in (3, len(BANK) - 1):
        hold_neighbours(probe, NODES, BANK, k, -1.0, nobody)
    hold_neighbours(probe, NODES[:1], BANK, 3, -1.0, nobody[:1])


@check("graph")
def threshold(probe: Probe) -> None:
    """A threshold leaves a row fewer neighbours, or none."""
    everyone = np.arange(len(NODES), dtype=np.int32)
    for least in (0.3, 0.7, 1.0):
        hold_neighbours(probe, NODES, NODES, 5, least, everyone)
    hold_neighbours(probe, ISOLATED, ISOLATED, 4, 0.1, np.arange(11, dtype=np.int32))


@check("graph")
def duplicate_rows(probe: Probe) -> None:
    """Equal rows are each other's neighbours, and no row is its own."""
    everyone = np.arange(len(DUPLICATES), dtype=np.int32)
    for k in (1, 2, 6):
        hold_neighbours(probe, DUPLICATES, DUPLICATES, k, -1.0, everyone)
    graph = EfficientGraphConstructor(2).construct_graph_batch(probe.ops, probe.array(DUPLICATES))
    neighbors = probe.ops.to_numpy(graph.neighbors)
    for i in range(3):
        copies = {i, i + 5, i + 10} - {i}
        listed = {int(j) for j in neighbors[i]}
        require(listed == copies, f"row {i} has the copies {copies}, and the neighbours {listed}")


@check("graph")
def kipf_normalisation(probe: Probe) -> None:
    """``Â = D̃^{-1/2} (A + I) D̃^{-1/2}``, mutual edges counted once; ``propagate`` is ``Â h``."""
    for k in (1, 3, len(NODES) - 1):
        hold_graph(probe, NODES, EfficientGraphConstructor(k, -1.0))
    hold_graph(probe, NODES, EfficientGraphConstructor(4, 0.4))
    hold_graph(probe, NODES[:2], EfficientGraphConstructor(1, -1.0))


@check("graph")
def self_weight(probe: Probe) -> None:
    """``Â = α I + (1 − α) D^{-1/2} A D^{-1/2}`` where a node's own share is given."""
    for alpha in (0.3, 0.7, 1.0):
        hold_graph(probe, NODES, EfficientGraphConstructor(3, -1.0, alpha))
    hold_graph(probe, NODES, EfficientGraphConstructor(4, 0.4, 0.7))


@check("graph")
def weighted_links(probe: Probe) -> None:
    """Links weighed by similarity, where it is positive."""
    hold_graph(probe, NODES, EfficientGraphConstructor(4, -1.0, weighted=True))
    hold_graph(probe, NODES, EfficientGraphConstructor(4, 0.2, 0.6, weighted=True))


@check("graph")
def isolated_nodes(probe: Probe) -> None:
    """A node without links keeps itself alone, with the coefficient 1."""
    for alpha in (None, 0.7):
        graph = hold_graph(probe, ISOLATED, EfficientGraphConstructor(3, 0.05, alpha))
        probe.values("own share of isolated nodes", graph.own[8:], np.ones((3, 1)))
        probe.values("links of isolated nodes", graph.weights[8:], np.zeros((3, 3)))


@check("graph")
def attach(probe: Probe) -> None:
    """Links to a bank are directed and row-normalised: each row of ``Â`` sums to 1."""
    q, s = unit(NODES), unit(BANK)
    nobody = np.full(len(q), -1, np.int32)
    some = np.where(np.arange(len(q)) % 3 == 1, -1, np.argmax(q @ s.T, axis=1)).astype(np.int32)
    for alpha, least, exclude in ((None, -1.0, nobody), (0.7, 0.3, some), (0.7, 0.999, nobody)):
        hold_attachment(probe, q, s, EfficientGraphConstructor(4, least, alpha), exclude)


@check("graph")
def crowds(probe: Probe) -> None:
    """Links to a bank of rows too alike for a product to rank, beside others that are not."""
    m = 64
    angles = np.arange(m) * 3e-7  # cosines that differ in their last bits
    crowd = np.stack([np.cos(angles), np.sin(angles), np.zeros(m)], axis=1)
    source = np.concatenate([unit(normal(20, 3, seed=3)), crowd])
    queries = np.concatenate([source[:3], crowd[40:42], source[3:5]])
    exclude = integers([0, 1, 2, 60, 61, 3, 4])
    q, s = probe.array(queries), probe.array(source)
    found = knn(probe.ops, q, s, 5, -1.0, probe.array(exclude), by_rows=True)
    near, similarity = map(probe.ops.to_numpy, found)
    ranked = knn(probe.ops, q[:, :], s, m + 19, -1.0, probe.array(exclude), by_rows=True)
    probe.values("rows of a crowd", probe.array(near), probe.ops.to_numpy(ranked[0])[:, :5])
    probe.values("cosines of a crowd", found[1], probe.ops.to_numpy(ranked[1])[:, :5])
    exact = np.sort(np.where(np.arange(len(source)) == exclude[:, None], -2, queries @ source.T))
    probe.values("cosines of a crowd", probe.array(similarity), exact[:, :-6:-1])


@check("graph")
def some_rows_of_a_graph(probe: Probe) -> None:
    """``Graph.rows`` gives the links of some nodes, in the order asked for."""
    constructor = EfficientGraphConstructor(3, 0.6, 0.5)  # some nodes have no link
    nobody = probe.array(np.full(len(NODES), -1, np.int32))
    graph = constructor.attach(probe.ops, probe.array(unit(NODES)), probe.array(unit(BANK)), nobody)
    rows = integers([4, 0, 4, *range(len(NODES))])
    part = graph.rows(probe.ops, probe.array(rows))
    for name in ("neighbors", "weights", "own"):
        whole = probe.ops.to_numpy(getattr(graph, name))
        probe.values(f"{name} of some rows", getattr(part, name), whole[rows])
