"""Faults in random numbers, in numerics and in the graph."""

from __future__ import annotations

from .core import in_the_core

in_the_core(
    {
        "dtgcnn.array.random:uniform": [
            ("31 bits, so that 1 can come out", "bits >> 8", "bits >> 1", "random/uniform"),
        ],
        "dtgcnn.array.random:bernoulli": [
            (
                "a draw at the limit does not count",
                "(words >> 16) >= limit",
                "(words >> 16) > limit",
                "random/bernoulli",
            ),
            (
                "both halves are the same",
                "(words >> 16) >=",
                "(words & 0xFFFF) >=",
                "random/bernoulli",
            ),
        ],
        "dtgcnn.array.random:split": [
            ("words of a longer draw", "key, 2 * n)", "key, 2 * n + 2)", "random/split"),
        ],
        "dtgcnn.array.numerics:mean": [
            (
                "divided by rows and columns",
                "else x.shape[axis]",
                "else math.prod(x.shape)",
                "ops/long_means",
            ),
        ],
        "dtgcnn.array.numerics:var": [
            (
                "the mean square",
                "x - mean(ops, x, axis, keepdims=True)",
                "x",
                "gradients/numerics_functions",
            ),
        ],
        "dtgcnn.array.numerics:relu": [
            ("the gradient at 0 is 1", "x <= 0", "x < 0", "gradients/ties_and_kinks"),
        ],
        "dtgcnn.array.numerics:layer_norm": [
            (
                "eps outside of the root",
                "ops.sqrt(variance + eps)",
                "(ops.sqrt(variance) + eps)",
                "gradients/numerics_functions",
            ),
            ("no bias", "* weight + bias\n", "* weight\n", "gradients/numerics_functions"),
        ],
        "dtgcnn.array.numerics:l2_normalize": [
            (
                "eps added to the length",
                "1.0 / ops.sqrt(ops.where(zero, 1.0, squares))",
                "1.0 / (ops.sqrt(ops.where(zero, 1.0, squares)) + 1e-6)",
                "gradients/zero_rows",
            ),
            (
                "divided by the squared length",
                "ops.sqrt(ops.where(zero, 1.0, squares))",
                "ops.where(zero, 1.0, squares)",
                "gradients/numerics_functions",
            ),
            (
                "a zero row divides by 0",
                "ops.where(zero, 1.0, squares)",
                "squares",
                "gradients/zero_rows",
            ),
        ],
        "dtgcnn.array.numerics:matmul_by_rows": [
            (
                "filled up at the front",
                "ops.concat([x, ops.zeros((missing, width))])",
                "ops.concat([ops.zeros((missing, width)), x])",
                "gradients/numerics_functions",
            ),
            (
                "rounded by the place",
                "return ops.reshape(product, (count + missing, weight.shape[1]))[:count, :columns]",
                "return ops.reshape(product, (count + missing, weight.shape[1]))[:count, :columns]"
                " * (1.0 + 1e-7 * ops.astype(ops.arange(count)[:, None] > 9, ops.dtype))",
                "determinism/a_product_by_rows_does_not_depend_on_their_places",
            ),
        ],
        "dtgcnn.array.numerics:top_products": [
            (
                "columns of a block count from its start",
                "found[1] + start",
                "found[1]",
                "ops/top_products",
            ),
            (
                "later columns come first among equals",
                "ops.concat([values, found[0]], axis=1), k)\n"
                "        joined = ops.concat([indices, found[1] + start], axis=1)",
                "ops.concat([found[0], values], axis=1), k)\n"
                "        joined = ops.concat([found[1] + start, indices], axis=1)",
                "ops/top_products",
            ),
        ],
        "dtgcnn.array.numerics:row_distance": [
            (
                "squared",
                "equal, 0.0, ops.sqrt(ops.where(equal, 1.0, squares))",
                "equal, 0.0, squares",
                "gradients/numerics_functions",
            ),
            (
                "a root of 0 that is masked afterwards",
                "ops.where(equal, 1.0, squares)",
                "squares",
                "gradients/zero_rows",
            ),
            (
                "by the expanded formula",
                "ops.sum(difference * difference, axis=-1)",
                "ops.sum(a * a, axis=-1) + ops.sum(b * b, axis=-1) - 2.0 * ops.sum(a * b, axis=-1)",
                "gradients/numerics_functions",
            ),
        ],
        "dtgcnn.array.numerics:global_norm": [
            (
                "the sum of norms",
                "[ops.sum(leaf * leaf)",
                "[ops.sqrt(ops.sum(leaf * leaf))",
                "ops/long_means",
            ),
        ],
        "dtgcnn.array.numerics:aggregate": [
            (
                "links are not taken backwards",
                "reverse is not None",
                "False",
                "gradients/neighbour_sums",
            ),
            ("no self loop", "own * h", "0.0 * h", "gradients/neighbour_sums"),
        ],
        "dtgcnn.model.graph:Graph.rows": [
            (
                "own shares of the first rows",
                "ops.take(self.own, indices)",
                "self.own[: indices.shape[0]]",
                "graph/some_rows_of_a_graph",
            ),
        ],
        "dtgcnn.model.graph:graph_figures": [
            (
                "homophily of every place of a list",
                "ops.sum(linked & same)",
                "ops.sum(same)",
                "graph/figures_of_a_graph",
            ),
        ],
        "dtgcnn.model.graph:knn": [
            (
                "a cosine rounded below −1 is below the least of all thresholds",
                "threshold if threshold > -1.0 else -2.0",
                "threshold",
                "graph/opposite_rows",
            ),
            (
                "the threshold is not met by what equals it",
                "values >= least",
                "values > least",
                "graph/similarity_at_the_threshold",
            ),
            (
                "no threshold",
                "ops.where(values >= least, values, -2.0)",
                "values",
                "graph/threshold",
            ),
        ],
        "dtgcnn.model.graph:_nearest": [
            (
                "k places, one of which is the row's own",
                "min(k + 1, source.shape[0])",
                "k",
                "graph/nearest_neighbours",
            ),
        ],
        "dtgcnn.model.graph:_nearest_by_rows": [
            (
                "a crowd's rows stand for others too",
                "place.get(row, row)",
                "place.get(row, count)",
                "graph/crowds",
            ),
        ],
        "dtgcnn.model.graph:_without_itself": [
            (
                "the row is its own neighbour",
                "ops.where(is_self, -2.0, similarity)",
                "similarity",
                "graph/nearest_neighbours",
            ),
            (
                "the first place is taken for the row's own",
                "near == exclude[:, None]",
                "(exclude[:, None] >= 0) & (ops.arange(near.shape[1])[None, :] == 0)",
                "graph/duplicate_rows",
            ),
        ],
        "dtgcnn.model.graph:EfficientGraphConstructor.construct_graph_batch": [
            (
                "a mutual edge counts twice",
                "ops.where(ops.sum(back, axis=-1) > 0, 0.0, weights)",
                "weights",
                "graph/kipf_normalisation",
            ),
            (
                "degrees count outgoing edges alone",
                "degree = degree + ops.scatter_sum(ones, neighbors, one_way, n)",
                "pass",
                "graph/kipf_normalisation",
            ),
            (
                "row-normalised",
                "root * ops.reshape(ops.take(ops.reshape(root, (n,)), neighbors), neighbors.shape)",
                "scale",
                "graph/kipf_normalisation",
            ),
            (
                "similarities of rows of any length",
                "numerics.l2_normalize(ops, ops.stop_gradient(embeddings))",
                "embeddings",
                "graph/duplicate_rows",
            ),
            (
                "the graph is differentiated",
                "ops.stop_gradient(embeddings)",
                "embeddings",
                "graph/graph_is_a_constant",
            ),
        ],
        "dtgcnn.model.graph:_exactly": [
            (
                "all queries have the first one's candidates",
                "ops.take(source, near[rows])",
                "ops.take(source, near[:1])",
                "graph/attach",
            ),
            (
                "candidates as they were, cosines in ascending order",
                "    return ops.concat(blocks), near",
                "    return ops.concat(blocks), ops.argsort(near, axis=1)",
                "graph/attach",
            ),
        ],
        "dtgcnn.model.leading:Leading.candidates": [
            (
                "the other columns add nothing",
                " + _rest(ops, first) * self.rest",
                "",
                "graph/leading_columns",
            ),
            (
                "as they were found",
                "ops.take(near[0], ops.argsort(near[0]))",
                "near[0]",
                "graph/leading_columns",
            ),
        ],
        "dtgcnn.model.leading:Leading.attach": [
            (
                "the row itself is not left out",
                "few.index(itself) if itself in few else -1",
                "-1",
                "graph/leading_columns",
            ),
            (
                "places among the candidates",
                "neighbors=ops.take(rows, graph.neighbors)",
                "neighbors=graph.neighbors",
                "graph/leading_columns",
            ),
        ],
        "dtgcnn.model.leading:_rest": [
            (
                "the square of the length",
                "ops.sqrt(ops.maximum(left, 0.0) + SLACK)",
                "ops.maximum(left, 0.0) + SLACK",
                "graph/leading_columns",
            ),
        ],
        "dtgcnn.model.graph:EfficientGraphConstructor.attach": [
            (
                "the row itself is not left out",
                "self.threshold, exclude, by_rows=True",
                "self.threshold, 0 * exclude - 1, by_rows=True",
                "graph/attach",
            ),
            (
                "divided by k",
                "ops.sum(weights, axis=1, keepdims=True)",
                "0.0 * weights[:, :1] + self.k",
                "graph/attach",
            ),
        ],
        "dtgcnn.model.graph:EfficientGraphConstructor._shares": [
            (
                "no self loop",
                "return scale, scale",
                "return 0.0 * scale, scale",
                "graph/kipf_normalisation",
            ),
            (
                "degrees without the self loop",
                "1.0 / (degree + 1.0)",
                "1.0 / ops.maximum(degree, 1.0)",
                "graph/kipf_normalisation",
            ),
            (
                "an isolated node keeps a share alone",
                "ops.where(alone, 1.0, ops.zeros",
                "ops.where(alone, alpha, ops.zeros",
                "graph/self_weight",
            ),
            (
                "own share and neighbours exchanged",
                "1.0 - alpha",
                "alpha",
                "graph/self_weight",
            ),
        ],
        "dtgcnn.model.graph:EfficientGraphConstructor._weigh": [
            (
                "links of negative weight",
                "similarity > 0.0",
                "similarity > -2.0",
                "graph/weighted_links",
            ),
            (
                "an adaptive share of cosines that are not squared",
                "similarity * similarity",
                "similarity",
                "graph/adaptive_share",
                "graph/adaptive_share_over_a_bank",
            ),
            (
                "an adaptive share of any links",
                'if self.weighted or self.self_weight == "adaptive":',
                "if self.weighted:",
                "graph/adaptive_share",
            ),
            (
                "an adaptive share of what lies on the other side",
                "ops.where(linked, power, 0.0)",
                'ops.where(linked | (self.self_weight == "adaptive"), power, 0.0)',
                "graph/adaptive_share_without_links",
            ),
        ],
    }
)
