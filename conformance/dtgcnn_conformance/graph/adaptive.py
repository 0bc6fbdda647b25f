"""A node's own share that adapts: the nearer its neighbours are, the more it listens to them."""

from __future__ import annotations

import numpy as np

from dtgcnn.model.graph import EfficientGraphConstructor

from ..probe import Probe, integers
from ..registry import check
from .construction import BANK, ISOLATED, NODES, dense_of, hold_attachment, hold_graph, unit

NOBODY = np.full(len(NODES), -1, np.int32)


@check("graph")
def adaptive_share(probe: Probe) -> None:
    """``Â = D̃^{-1/2} (A + I) D̃^{-1/2}`` of links that weigh their squared cosine."""
    for k, least in ((1, -1.0), (3, -1.0), (4, 0.4), (len(NODES) - 1, -1.0)):
        hold_graph(probe, NODES, EfficientGraphConstructor(k, least, "adaptive"))


@check("graph")
def adaptive_share_over_a_bank(probe: Probe) -> None:
    """``w_ij = s_ij² / (1 + Σ s²)`` of links to a bank, and ``1 / (1 + Σ s²)`` of the node."""
    some = integers([i if i % 2 else -1 for i in range(len(NODES))])
    for k, least, exclude in ((4, -1.0, NOBODY), (4, 0.3, some), (len(BANK) - 1, -1.0, some)):
        constructor = EfficientGraphConstructor(k, least, "adaptive")
        hold_attachment(probe, unit(NODES), unit(BANK), constructor, exclude)


@check("graph")
def adaptive_share_without_links(probe: Probe) -> None:
    """A node that is at right angles to all others, or beyond, keeps itself alone."""
    constructor = EfficientGraphConstructor(3, -1.0, "adaptive")
    graph = hold_graph(probe, np.round(ISOLATED), constructor)
    probe.values("own share of isolated nodes", graph.own[8:], np.ones((3, 1)))
    probe.values("links of isolated nodes", graph.weights[8:], np.zeros((3, 3)))
    opposite = np.array([[1.0, 0.0], [-1.0, 0.0], [-0.6, 0.8]])
    q, source, nobody = probe.array(opposite[:1]), probe.array(opposite[1:]), NOBODY[:1]
    constructor = EfficientGraphConstructor(1, -1.0, "adaptive")
    links, own = dense_of(
        probe.ops, constructor.attach(probe.ops, q, source, probe.array(nobody)), 2
    )
    probe.values("own share of a node on the other side", probe.array(own), np.ones((1, 1)))
    probe.values("links of a node on the other side", probe.array(links), np.zeros((1, 2)))
