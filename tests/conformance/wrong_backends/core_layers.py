"""Faults in layers, heads and the network."""

from __future__ import annotations

from .core import in_the_core

in_the_core(
    {
        "dtgcnn.model.layers:initial_weight": [
            (
                "He's by the width of the output",
                "else in_dim))",
                "else out_dim))",
                "layers/initialisers",
            ),
            ("uniform on [0, 1)", "(2.0 * u - 1.0)", "u", "layers/initialisers"),
        ],
        "dtgcnn.model.embedding_bag:EmbeddingBag.init": [
            ("uniform on [0, 1)", "(2.0 * drawn - 1.0)", "drawn", "layers/embedding_bag"),
            ("a variance of 1", "3.0 / self.dim", "3.0", "layers/embedding_bag"),
        ],
        "dtgcnn.model.embedding_bag:EmbeddingBag.__call__": [
            ("padding counts", "pieces > 0", "pieces >= 0", "layers/embedding_bag"),
            (
                "not at unit length",
                "numerics.l2_normalize(ops, bags)",
                "bags",
                "layers/embedding_bag",
            ),
        ],
        "dtgcnn.model.network:Network.nodes": [
            (
                "the embedding layer learns nothing",
                'self.embedding(ops, params["embedding"], rows)',
                'ops.stop_gradient(self.embedding(ops, params["embedding"], rows))',
                "training/steps_of_pieces",
            ),
        ],
        "dtgcnn.model.layers:dropout": [
            (
                "what is kept is not scaled",
                "1.0 / (1.0 - rate)",
                "1.0",
                "layers/dropout_by_definition",
            ),
            (
                "scaled by the share that is dropped",
                "1.0 / (1.0 - rate)",
                "1.0 / rate",
                "layers/dropout_by_definition",
            ),
        ],
        "dtgcnn.model.layers:kept_entries": [
            (
                "one mask for all rows",
                "1.0 - rate, shape)",
                "1.0 - rate, (1, shape[1]))",
                "layers/dropout_by_definition",
            ),
            (
                "kept with the probability of dropping",
                "1.0 - rate",
                "rate",
                "layers/dropout_by_definition",
            ),
        ],
        "dtgcnn.model.layers:Linear.__call__": [
            ("no bias", '+ params["bias"]', "", "layers/graph_convolution_by_definition"),
        ],
        "dtgcnn.model.layers:LayerNorm.__call__": [
            (
                "over the batch",
                'ops, x, params["weight"], params["bias"], self.eps',
                'ops, x - numerics.mean(ops, x, 0), params["weight"], params["bias"], self.eps',
                "layers/layer_norm_by_definition",
            ),
        ],
        "dtgcnn.model.layers:BatchNorm.__call__": [
            (
                "the running variance is biased",
                "(n / max(n - 1, 1))",
                "1.0",
                "layers/batch_norm_by_definition",
            ),
            (
                "normalised by the unbiased variance",
                "ops.sqrt(var + self.eps)",
                "ops.sqrt(var * (x.shape[0] / (x.shape[0] - 1.0) if training else 1.0) + self.eps)",
                "layers/batch_norm_by_definition",
            ),
            (
                "momentum is what is kept",
                "1.0 - self.momentum",
                "self.momentum",
                "layers/batch_norm_by_definition",
            ),
            (
                "running statistics in training",
                "scale = params",
                'mean, var = state["mean"], state["var"]\n    scale = params',
                "layers/batch_norm_by_definition",
            ),
            (
                "running statistics do not move",
                'keep * state["mean"] + self.momentum *',
                'state["mean"] + 0.0 *',
                "layers/batch_norm_by_definition",
            ),
            (
                "eps outside of the root",
                "ops.sqrt(var + self.eps)",
                "(ops.sqrt(var) + self.eps)",
                "layers/batch_norm_by_definition",
            ),
            (
                "statistics are constants",
                "numerics.mean(ops, x, 0), numerics.var(ops, x, 0)",
                "numerics.mean(ops, ops.stop_gradient(x), 0), numerics.var(ops, "
                "ops.stop_gradient(x), 0)",
                "layers/batch_norm",
            ),
        ],
        "dtgcnn.model.layers:GCNLayer.__call__": [
            (
                "no residual connection",
                "out if added is None else out + added",
                "out",
                "layers/graph_convolution_by_definition",
            ),
            (
                "a residual connection in evaluation alone",
                "self.in_dim == self.out_dim",
                "key is None and self.in_dim == self.out_dim",
                "layers/graph_convolution",
            ),
            (
                "the residual connection before the activation",
                "activate(ops, self.activation, out)",
                "activate(ops, self.activation, out + h if self.in_dim == self.out_dim else "
                "out) - (h if self.in_dim == self.out_dim else 0.0)",
                "layers/graph_convolution_by_definition",
            ),
            (
                "the bias goes along the links",
                'narrow) + params["linear"]["bias"]',
                'narrow + params["linear"]["bias"])',
                "layers/graph_convolution_by_definition",
            ),
            (
                "batch statistics in evaluation",
                "out, key is not None)",
                "out, True)",
                "layers/activations_and_batch_norm",
            ),
            (
                "no activation",
                "activate(ops, self.activation, out)",
                "out",
                "layers/graph_convolution_by_definition",
            ),
            (
                "dropout before the activation",
                "dropout(ops, activate(ops, self.activation, out), self.dropout_rate, key)",
                "activate(ops, self.activation, dropout(ops, out, self.dropout_rate, key))",
                "layers/graph_convolution",
            ),
        ],
        "dtgcnn.model.heads:ProjectionHead.__call__": [
            (
                "rows are not at unit length",
                "numerics.l2_normalize(ops, z)",
                "z",
                "layers/head_by_definition",
            ),
            (
                "rows are always at unit length",
                "if self.normalize else z",
                "",
                "layers/head_by_definition",
            ),
        ],
        "dtgcnn.model.network:Network.__call__": [
            (
                "one dropout key for every layer",
                "split(ops, key, count)",
                "split(ops, key, 1) * count",
                "layers/network",
            ),
            (
                "the third layer has the second one's source",
                "sources[index]",
                "sources[min(index, 1)]",
                "layers/network_over_a_bank",
            ),
            (
                "the running state of the last layer is lost",
                '{"gcn": new_state}',
                '{"gcn": {**new_state, name: state["gcn"][name]}}',
                "layers/network",
            ),
        ],
    }
)
