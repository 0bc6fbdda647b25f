"""Graphs of any rows, with any number of neighbours, threshold and share of a node itself."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from dtgcnn.array.ops import HostArray
from dtgcnn.model.graph import EfficientGraphConstructor, Graph, propagate

from ..comparison import require
from ..probe import Probe, normal
from ..properties_strategies import SEEDS
from ..registry import check
from .construction import (
    OwnShare,
    dense_attachment,
    dense_of,
    dense_propagation,
    hold_neighbours,
    link_weights,
    nearest,
    unit,
)


def rows_of(n: int, width: int, seed: int) -> HostArray:
    """Rows of which some are equal to another, some parallel to it, and some zero."""
    drawn = np.random.default_rng(seed)
    rows = normal(n, width, seed=seed)
    kinds = drawn.integers(0, 6, n)
    for i in range(1, n):
        if kinds[i] < 2:
            rows[i] = rows[drawn.integers(0, i)] * (1.0, 2.0)[kinds[i]]
    rows[kinds == 5] = 0.0
    return rows


def apart(similarity: HostArray, threshold: float) -> bool:
    """Whether rounding leaves every similarity on its side of the threshold."""
    return bool((np.abs(similarity - threshold) > 1e-5).all())


SIZES = (2, 6)
THRESHOLDS = (-1.0, -0.3, 0.1, 0.77, 0.9999)
EXACT = np.array([[1.0, 0.0], [0.0, 0.0], [0.0, -1.0], [1.0, 0.0], [0.0, 0.0], [0.0, 1.0]])
"""Rows whose similarities are computed exactly: −1, 0 and 1."""


@check("graph")
def neighbours_of_any_rows(probe: Probe) -> None:
    """``knn`` of any rows, equal and zero ones too, for any k, threshold and exclusions."""

    def body(queries: HostArray, source: HostArray, part: float, least: float, seed: int) -> None:
        m = len(source)
        k = 1 + round(part * (m - 2))
        exclude = np.random.default_rng(seed).integers(-1, m, len(queries)).astype(np.int32)
        hold_neighbours(probe, queries, source, k, least, exclude)
        if queries is source:
            hold_neighbours(probe, source, source, k, least, np.arange(m, dtype=np.int32))

    for least in (-1.0, 0.0, 1.0):
        for part in (0.0, 0.5, 1.0):
            body(EXACT, EXACT, part, least, 0)
            body(EXACT[:1], EXACT, part, least, 0)

    def drawn(n: int, m: int, width: int, part: float, least: float, seed: int) -> None:
        source = rows_of(m, width, seed)
        queries = source if n == 0 else rows_of(n, width, seed + 1)
        assume(apart(unit(queries) @ unit(source).T, least))
        body(queries, source, part, least, seed)

    sizes = {"n": st.sampled_from([0, 1]), "m": st.sampled_from(SIZES)}
    rest = {
        "width": st.sampled_from([1, 3]),
        "part": st.sampled_from([0.0, 0.4, 1.0]),
        "seed": SEEDS,
    }
    probe.for_all(drawn, **sizes, **rest, least=st.sampled_from(THRESHOLDS))


SHARES = st.sampled_from([None, "adaptive", 0.25, 0.8, 1.0])


def _links(
    probe: Probe, graph: Graph, similarity: HostArray, constructor: EfficientGraphConstructor
) -> HostArray:
    """The directed lists that the backend chose, as a matrix: near-ties may fall either way."""
    m, held = np.zeros(similarity.shape), link_weights(similarity, constructor)
    neighbors, weights = probe.ops.to_numpy(graph.neighbors), probe.ops.to_numpy(graph.weights)
    for i, (places, row) in enumerate(zip(neighbors, weights)):
        listed = places[row > 0.0]
        require(len(set(listed.tolist())) == len(listed), f"row {i} of a graph lists {listed}")
        m[i, listed] = held[i, listed]
    return m


def _hold_links(
    m: HostArray, similarity: HostArray, graph: EfficientGraphConstructor, exclude: HostArray
) -> None:
    """As many neighbours, as similar as the nearest, and none of those excluded."""
    if graph.self_weight == 1.0:  # a node keeps itself alone
        return
    every = not graph.weighted and graph.self_weight != "adaptive"
    for i, places in enumerate(nearest(similarity, graph.k, graph.threshold, exclude)):
        wanted = [s for s in similarity[i, places].tolist() if s > 0.0 or every]
        found = similarity[i, np.flatnonzero(m[i])].tolist()
        close = len(found) == len(wanted) and np.allclose(sorted(found), sorted(wanted), atol=1e-5)
        require(close, f"row {i} of {graph} has links of {found}, expected {wanted}")
        require(exclude[i] < 0 or m[i, exclude[i]] == 0.0, f"row {i} of {graph} links to itself")


@check("graph")
def graph_of_any_rows(probe: Probe) -> None:
    """``Â`` and ``Â h`` of any rows, k, threshold and share, from the lists that were chosen."""

    def body(x: HostArray, constructor: EfficientGraphConstructor) -> None:
        similarity, n = unit(x) @ unit(x).T, len(x)
        graph = constructor.construct_graph_batch(probe.ops, probe.array(x))
        m = _links(probe, graph, similarity, constructor)
        _hold_links(m, similarity, constructor, np.arange(n))
        expected = dense_propagation(np.maximum(m, m.T), constructor.self_weight)
        actual, own = dense_of(probe.ops, graph, n)
        probe.values(f"Â of {constructor}", probe.array(actual + np.diag(own[:, 0])), expected)
        h = normal(n, 3, seed=9)
        out = propagate(probe.ops, graph, probe.array(h))
        probe.values(f"Â h of {constructor}", out, expected @ h)

    edges: tuple[OwnShare, ...] = (None, "adaptive", 0.25)
    for share in edges:
        for least in (-1.0, 0.0, 1.0):
            for k in (1, 2, 5):
                body(EXACT, EfficientGraphConstructor(k, least, share, least > 0.0))

    def drawn(n: int, width: int, k: int, least: float, seed: int, **kind: Any) -> None:
        x = rows_of(n, width, seed)
        similarity = unit(x) @ unit(x).T
        assume(apart(similarity, least) and apart(similarity[similarity != 0.0], 0.0))
        body(x, EfficientGraphConstructor(min(k, n - 1), least, **kind))

    sizes = {"n": st.sampled_from(SIZES), "width": st.sampled_from([1, 3])}
    rest = {"k": st.sampled_from([1, 2, 5]), "least": st.sampled_from(THRESHOLDS), "seed": SEEDS}
    probe.for_all(drawn, **sizes, **rest, self_weight=SHARES, weighted=st.booleans())


@check("graph")
def attachment_of_any_rows(probe: Probe) -> None:
    """Links of any rows to any bank, whose rows sum to 1, without what is excluded."""

    def body(
        queries: HostArray, source: HostArray, constructor: EfficientGraphConstructor, seed: int
    ) -> None:
        (q, s), m = (unit(queries), unit(source)), len(source)
        exclude = np.random.default_rng(seed).integers(-1, m, len(q)).astype(np.int32)
        graph = constructor.attach(probe.ops, *map(probe.array, (q, s, exclude)))
        links = _links(probe, graph, q @ s.T, constructor)
        _hold_links(links, q @ s.T, constructor, exclude)
        expected, own = dense_attachment(links, constructor.self_weight)
        actual, share = dense_of(probe.ops, graph, m)
        probe.values(f"links of {constructor}", probe.array(actual), expected)
        probe.values(f"own share of {constructor}", probe.array(share), own)
        x, h = normal(len(q), 3, seed=8), normal(m, 3, seed=9)
        out = propagate(probe.ops, graph, probe.array(x), probe.array(h))
        probe.values(f"Â h of {constructor}", out, own * x + expected @ h)

    edges: tuple[OwnShare, ...] = (None, "adaptive", 0.25, 1.0)
    for share in edges:
        for least in (-1.0, 0.0, 1.0):
            body(EXACT, EXACT, EfficientGraphConstructor(2, least, share, least > 0.0), 1)
            body(EXACT[1:2], EXACT, EfficientGraphConstructor(5, least, share), 0)

    def drawn(n: int, m: int, width: int, k: int, least: float, seed: int, **kind: Any) -> None:
        queries, source = rows_of(n, width, seed + 1), rows_of(m, width, seed)
        similarity = unit(queries) @ unit(source).T
        assume(apart(similarity, least) and apart(similarity[similarity != 0.0], 0.0))
        body(queries, source, EfficientGraphConstructor(min(k, m - 1), least, **kind), seed)

    sizes = {"n": st.sampled_from([1, 6]), "m": st.sampled_from(SIZES)}
    rest = {"width": st.sampled_from([1, 3]), "k": st.sampled_from([1, 2, 5]), "seed": SEEDS}
    kind = {"self_weight": SHARES, "weighted": st.booleans()}
    probe.for_all(drawn, **sizes, **rest, **kind, least=st.sampled_from(THRESHOLDS))
