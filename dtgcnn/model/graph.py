"""The k-nearest-neighbour graph and one step of propagation over it.

A graph is lists of static shape: ``neighbors`` (N, K) int32 and ``weights`` (N, K), weight 0 where
there is no edge. It is built from detached rows; no gradient flows through the choice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from ..array import Array, ArrayOps, numerics

__all__ = ["EfficientGraphConstructor", "Graph", "graph_figures", "knn", "propagate"]

BLOCK_ROWS = 4096
"""Most rows compared at a time."""

PRODUCTS = 1 << 24
"""Most products held at a time. What is made of them beside takes as much three times at most, so
it all takes 256 MiB, however many rows there are."""

CHOSEN_ROWS = 64
"""Rows at a time whose candidates are compared exactly: few, which stay in a cache."""

SPARE = 8
"""Candidates beyond those that are asked for."""

MOST_SPARE = 512
"""Most candidates where rows are so alike that a product cannot tell which are nearest."""

ROUNDING = 4e-6
"""More than two roundings of one cosine, by products of different shapes or by a sum, differ."""


class Graph(NamedTuple):
    """A propagation matrix ``Â`` in lists.

    ``(Â h)_i = own_i h_i + Σ_k weights_ik s[neighbors_ik]``, where ``s`` is the source (the nodes
    themselves, or a bank), plus ``Σ_{jk: neighbors_jk = i} reverse_jk h_j`` where ``reverse`` is
    not None.
    """

    neighbors: Array
    """(N, K) int32 rows of the source."""
    weights: Array
    """(N, K) coefficients; 0 where there is no edge."""
    own: Array
    """(N, 1) coefficients of the nodes themselves."""
    reverse: Array | None
    """(N, K) coefficients of the edges taken backwards: those that are not mutual."""

    def rows(self, ops: ArrayOps, indices: Array) -> Graph:
        """The links of some of the nodes, of a graph from nodes to a source."""
        neighbors, weights = ops.take(self.neighbors, indices), ops.take(self.weights, indices)
        return Graph(neighbors, weights, ops.take(self.own, indices), None)


def propagate(ops: ArrayOps, graph: Graph, h: Array, source: Array | None = None) -> Array:
    """``Â h``, with neighbours taken from ``source`` (M, D), or from ``h`` (N, D) itself."""
    lists = (graph.own, graph.neighbors, graph.weights, graph.reverse)
    return numerics.aggregate(ops, h, source, *lists)


def graph_figures(
    ops: ArrayOps, graph: Graph, labels: Array, source_labels: Array
) -> dict[str, Array]:
    """How well a graph fits its classes.

    ``graph_homophily``: the share of links that join two nodes of one class (Zhu et al. 2020,
    arXiv:2006.11468); 0 without links. ``isolated_nodes``: the share of nodes without a link.
    """
    linked = graph.weights > 0
    same = ops.take(source_labels, graph.neighbors) == labels[:, None]
    links = ops.astype(ops.sum(linked), ops.dtype)
    within = ops.astype(ops.sum(linked & same), ops.dtype)
    alone = ops.sum(linked, axis=1) == 0
    if graph.reverse is not None:  # a link that only the other node chose
        ones = ops.zeros((graph.weights.shape[0], 1)) + 1.0
        chosen = ops.scatter_sum(ones, graph.neighbors, graph.weights, ones.shape[0])
        alone = alone & (chosen[:, 0] <= 0)
    return {
        "graph_homophily": within / ops.maximum(links, 1.0),
        "isolated_nodes": numerics.mean(ops, ops.astype(alone, ops.dtype)),
    }


def knn(
    ops: ArrayOps,
    queries: Array,
    source: Array,
    k: int,
    threshold: float,
    exclude: Array,
    *,
    by_rows: bool = False,
) -> tuple[Array, Array]:
    """The ``k`` most similar rows of ``source`` for each row of ``queries``, by cosine.

    A matrix product rounds equal cosines apart by the places of both rows. With ``by_rows`` it
    finds candidates alone, and these are ranked by sums over their own products, which depend on
    nothing but the two rows.

    Args:
        queries: (N, D) rows at unit length or zero.
        source: (M, D) rows at unit length or zero.
        k: neighbours per row, at most M − 1.
        threshold: a neighbour's least cosine similarity; at −1 there is none, even where rounding
            leaves a cosine below −1.
        exclude: (N,) int32, the row of ``source`` that is the query itself; −1 for none.
        by_rows: rank candidates exactly.

    Returns:
        Indices (N, k) int32 and similarities (N, k), −2 where there is no neighbour. Among equal
        similarities the lowest index comes first.
    """
    find = _nearest_by_rows if by_rows else _nearest
    fit = BLOCK_ROWS if by_rows else PRODUCTS // max(source.shape[0], 1)
    rows = max(1, min(BLOCK_ROWS, fit))
    parts = []
    for start in range(0, max(queries.shape[0], 1), rows):
        block = slice(start, start + rows)
        parts.append(find(ops, queries[block], source, k, exclude[block]))
    values = ops.concat([v for v, _ in parts])
    indices = ops.concat([i for _, i in parts])
    least = threshold if threshold > -1.0 else -2.0
    return indices, ops.where(values >= least, values, -2.0)


def _nearest(
    ops: ArrayOps, queries: Array, source: Array, k: int, exclude: Array
) -> tuple[Array, Array]:
    """Cosines (N, k) by one product, and rows of the source."""
    products = numerics.matmul(ops, queries, ops.permute_dims(source, (1, 0)))
    found = numerics.top_k(ops, products, min(k + 1, source.shape[0]))
    return _without_itself(ops, *found, k, exclude)


def _nearest_by_rows(
    ops: ArrayOps, queries: Array, source: Array, k: int, exclude: Array, candidates: int = 0
) -> tuple[Array, Array]:
    """Cosines (N, k) by sums of their own, and rows of the source, sought among ``candidates``;
    where these may not hold the nearest of a row, among four times as many."""
    most = source.shape[0]
    wanted = min(max(candidates, k + 1 + SPARE), most)
    similarity, near = numerics.top_products(ops, queries, source, wanted, PRODUCTS)
    exact, ascending = _exactly(ops, queries, source, near)
    found = _without_itself(ops, exact, ascending, k, exclude)
    unsure = _unsure(ops, similarity, k) if wanted < min(MOST_SPARE, most) else []
    if not unsure:
        return found
    rows, count = ops.asarray(unsure, "int32"), queries.shape[0]
    more = (ops.take(queries, rows), source, k, ops.take(exclude, rows), 4 * wanted)
    again = _nearest_by_rows(ops, *more)
    place = {row: count + i for i, row in enumerate(unsure)}
    order = ops.asarray([place.get(row, row) for row in range(count)], "int32")
    values, indices = (ops.take(ops.concat(pair), order) for pair in zip(found, again, strict=True))
    return values, indices


def _without_itself(
    ops: ArrayOps, similarity: Array, near: Array, k: int, exclude: Array
) -> tuple[Array, Array]:
    """The ``k`` of greatest similarity but for the query itself, or else the last."""
    is_self = near == exclude[:, None]
    kept, places = numerics.top_k(ops, ops.where(is_self, -2.0, similarity), k)
    return kept, ops.take_along_axis(near, places, axis=1)


def _unsure(ops: ArrayOps, similarity: Array, k: int) -> list[int]:
    """Rows of which a product of another shape might find other candidates for the ``k`` nearest
    and the query itself than these, of descending ``similarity``. Where products are always of one
    shape they find the same again."""
    if not numerics.alike_at_any_height(ops) or similarity.shape[0] == 0:
        return []
    close = ops.to_numpy(similarity[:, k] - similarity[:, -1] < ROUNDING)
    return [row for row, unsure in enumerate(close.tolist()) if unsure]


def _exactly(ops: ArrayOps, queries: Array, source: Array, near: Array) -> tuple[Array, Array]:
    """The cosines of queries (N, D) with the rows of ``source`` in their lists ``near`` (N, K), and
    the lists, in ascending order."""
    near = ops.take_along_axis(near, ops.argsort(near, axis=1), axis=1)
    height = max(1, min(CHOSEN_ROWS, PRODUCTS // max(near.shape[1] * source.shape[1], 1)))
    blocks = []
    for start in range(0, max(queries.shape[0], 1), height):
        rows = slice(start, start + height)
        products = queries[rows][:, None] * ops.take(source, near[rows])
        blocks.append(ops.sum(products, axis=2))
    return ops.concat(blocks), near


@dataclass(frozen=True)
class EfficientGraphConstructor:
    """Builds graphs by matrix multiplication and top-k selection, in blocks of bounded size.

    Args:
        k: nearest other nodes that each node links to.
        threshold: the least cosine similarity of a link, in [−1, 1]; at −1 the nearest are linked
            however far they are. Fewer than ``k`` links, or none, are legal: a node without links
            keeps only itself.
        self_weight: α in ``Â = α I + (1 − α) D^{-1/2} A D^{-1/2}``, a node's own share. None is
            Kipf & Welling's ``D̃^{-1/2} (A + I) D̃^{-1/2}``, whose own share is 1 / (degree + 1).
            ``"adaptive"`` is the same with links weighed by their squared similarity (where
            positive), so that a node listens where its neighbours are near.
        weighted: weigh links by their similarity (where positive) rather than by 1.
    """

    k: int = 10
    threshold: float = 0.0
    self_weight: float | Literal["adaptive"] | None = None
    weighted: bool = False

    def __post_init__(self) -> None:
        if self.k < 1:
            raise ValueError(f"k must be at least 1, received {self.k}")
        if not -1.0 <= self.threshold <= 1.0:
            raise ValueError(f"threshold must be in [-1, 1], received {self.threshold}")
        own = self.self_weight
        if own is not None and own != "adaptive" and not 0.0 < own <= 1.0:
            raise ValueError(f"self_weight must be in (0, 1], 'adaptive' or None, received {own}")

    def check_size(self, nodes: int, what: str) -> None:
        """Refuse a set of nodes that is too small for ``k`` neighbours each."""
        if nodes < 2:
            raise ValueError(f"{what} has {nodes} distinct nodes; a graph needs 2 at least")
        if self.k > nodes - 1:
            raise ValueError(
                f"k must be below the number of nodes: {what} has {nodes} nodes, received k = "
                f"{self.k}; take k (graph_k_neighbors) at most {nodes - 1}"
            )

    def construct_graph_batch(self, ops: ArrayOps, embeddings: Array) -> Graph:
        """The graph of the rows of ``embeddings`` (N, D) among themselves.

        ``A = max(M, Mᵀ)``, the symmetric union of the directed lists ``M``, a mutual edge counted
        once (Kipf & Welling 2017, arXiv:1609.02907, for the normalisation).
        """
        rows = numerics.l2_normalize(ops, ops.stop_gradient(embeddings))
        n = rows.shape[0]
        self.check_size(n, "the batch")
        neighbors, similarity = knn(ops, rows, rows, self.k, self.threshold, ops.arange(n))
        weights = self._weigh(ops, similarity)
        # Edge (i, j) is mutual where i stands, with a weight, in the list of j.
        lists = ops.take(neighbors, neighbors)
        own_row = ops.arange(n)[:, None, None]
        back = (lists == own_row) & (ops.take(weights, neighbors) > 0)
        one_way = ops.where(ops.sum(back, axis=-1) > 0, 0.0, weights)
        ones = ops.zeros((n, 1)) + 1.0
        degree = ops.sum(weights, axis=1, keepdims=True)
        degree = degree + ops.scatter_sum(ones, neighbors, one_way, n)
        own, scale = self._shares(ops, degree)
        root = ops.sqrt(scale)
        pair = root * ops.reshape(ops.take(ops.reshape(root, (n,)), neighbors), neighbors.shape)
        return Graph(neighbors, weights * pair, own, one_way * pair)

    def attach(self, ops: ArrayOps, queries: Array, source: Array, exclude: Array) -> Graph:
        """Directed links from each query to its nearest rows of ``source``, all at unit length.

        Row-normalised, ``Â_ij = (1 − α) w_ij / Σ_j w_ij``: the source's own degrees do not change
        by being linked to, so a query's result depends on nothing but itself and the source.
        ``exclude`` (N,) names the row of the source that is the query itself, −1 for none.
        """
        self.check_size(source.shape[0], "the bank")
        queries, source = ops.stop_gradient(queries), ops.stop_gradient(source)
        neighbors, similarity = knn(
            ops, queries, source, self.k, self.threshold, exclude, by_rows=True
        )
        weights = self._weigh(ops, similarity)
        own, scale = self._shares(ops, ops.sum(weights, axis=1, keepdims=True))
        return Graph(neighbors, weights * scale, own, None)

    def _weigh(self, ops: ArrayOps, similarity: Array) -> Array:
        linked = similarity > -2.0
        if self.weighted or self.self_weight == "adaptive":
            linked = similarity > 0.0
            power = similarity if self.self_weight != "adaptive" else similarity * similarity
            return ops.where(linked, power, 0.0)
        return ops.astype(linked, ops.dtype)

    def _shares(self, ops: ArrayOps, degree: Array) -> tuple[Array, Array]:
        """A node's own coefficient, and what a link's weight is divided by, from (N, 1) degrees."""
        alpha = self.self_weight
        if alpha is None or alpha == "adaptive":
            scale = 1.0 / (degree + 1.0)
            return scale, scale
        alone = degree <= 0.0
        own = ops.where(alone, 1.0, ops.zeros(degree.shape) + alpha)
        scale = (1.0 - alpha) / ops.where(alone, 1.0, degree)
        return own, ops.where(alone, 0.0, scale)
