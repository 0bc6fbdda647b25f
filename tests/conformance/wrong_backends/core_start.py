"""Faults in the closed-form start, in what the network adds to it, and in hops of propagation."""

from __future__ import annotations

from .core import in_the_core

in_the_core(
    {
        "dtgcnn.model.start:_summed": [
            (
                "the last of an odd number of blocks is lost",
                " + parts[len(parts) - len(parts) % 2 :]",
                "",
                "layers/codes_of_many_rows",
            ),
            (
                "one term of a block is lost",
                "slice(begin, begin + BLOCK_TERMS)",
                "slice(begin, begin + BLOCK_TERMS - 1)",
                "layers/codes_of_many_rows",
            ),
        ],
        "dtgcnn.model.start:Start.standardized": [
            (
                "columns are not centred",
                "low, x)) - mean",
                "low, x))",
                "layers/standardized_rows",
            ),
            (
                "columns keep their deviation",
                " * scale",
                "",
                "layers/standardized_rows",
            ),
            ("the constant is 1", "x.shape[1] ** 0.5", "1.0", "layers/standardized_rows"),
            (
                "large numbers are not cut",
                "ops.where(x > high, high, ops.where(x < low, low, x))",
                "x",
                "layers/standardized_rows",
            ),
            (
                "rows without columns are scaled",
                "return x",
                "return 2.0 * x",
                "layers/standardized_rows",
            ),
        ],
        "dtgcnn.model.start:Start._whitened": [
            ("not centred", 'x - own["mean"]', "x", "layers/start_by_definition"),
            (
                "whitened rows keep their length",
                "numerics.l2_normalize(ops, white)",
                "white",
                "layers/start_by_definition",
            ),
        ],
        "dtgcnn.model.start:Start._views": [
            (
                "rows are not weighed",
                "weighed(x, _RELEVANCE[0])",
                "x",
                "layers/start_by_definition",
            ),
            (
                "whitened rows are not weighed",
                "weighed(white, _RELEVANCE[1])",
                "white",
                "layers/start_by_definition",
            ),
            (
                "the kernel of whitened rows alone",
                "weighed(x, _RELEVANCE[0])",
                "weighed(white, _RELEVANCE[1])",
                "layers/start_by_definition",
            ),
            (
                "weighed rows keep their length",
                "numerics.l2_normalize(ops, _product(ops, view, self.arrays[name], by_rows))",
                "_product(ops, view, self.arrays[name], by_rows)",
                "layers/start_by_definition",
            ),
            (
                "rows without a relevance are scaled",
                "return view",
                "return 1.5 * view",
                "layers/start_without_relevance",
            ),
        ],
        "dtgcnn.model.start:Start._block": [
            (
                "a kernel of another width",
                "2.0 * (cosines - 1.0)",
                "(cosines - 1.0)",
                "layers/start_by_definition",
            ),
            (
                "the sum of both kernels",
                "0.5 * ops.exp",
                "1.0 * ops.exp",
                "layers/start_by_definition",
            ),
            (
                "class codes are not weighed by their length",
                'codes * (norms * own["code_scale"])',
                'codes * own["code_scale"]',
                "layers/start_by_definition",
            ),
            (
                "the gate goes beyond 1",
                "ops.where(share > 1.0, 1.0, share)",
                "share",
                "layers/gate_of_long_and_short_codes",
            ),
            (
                "the square of a code's length",
                "(share * share) * (share * share)",
                "share * share",
                "layers/start_by_definition",
            ),
            (
                "without class codes the gate is 0",
                "ops.zeros((x.shape[0], 1)) + 1.0",
                "ops.zeros((x.shape[0], 1))",
                "layers/start_without_class_codes",
            ),
            (
                "not at unit length",
                'numerics.l2_normalize(ops, _product(ops, white, own["projection"], by_rows))',
                '_product(ops, white, own["projection"], by_rows)',
                "layers/start_by_definition",
            ),
            (
                "rounded by the place",
                'numerics.l2_normalize(ops, _product(ops, white, own["projection"], by_rows))',
                'numerics.l2_normalize(ops, _product(ops, white, own["projection"], by_rows)) * '
                "(1.0 + 1e-7 * ops.astype(ops.arange(x.shape[0])[:, None] > 9, ops.dtype))",
                "determinism/a_start_does_not_depend_on_company",
            ),
        ],
        "dtgcnn.model.start:Start.__call__": [
            (
                "every block is the first",
                "x[begin : begin + BLOCK_ROWS]",
                "x[: min(BLOCK_ROWS, x.shape[0] - begin)]",
                "layers/start_in_blocks",
            ),
        ],
        "dtgcnn.model.network:Network.added": [
            (
                "the head in place of the start",
                "z = x + (z if gate is None else gate * z)",
                "z = z if gate is None else gate * z",
                "layers/residual_by_definition",
            ),
            ("no gate", "z if gate is None else gate * z", "z", "layers/residual_by_definition"),
            (
                "no gradient through the head",
                "z if gate is None else gate * z",
                "ops.stop_gradient(z if gate is None else gate * z)",
                "layers/residual_gradient",
            ),
            (
                "the gate is a constant",
                "else gate * z",
                "else ops.stop_gradient(gate) * z",
                "layers/residual_gradient",
            ),
            (
                "always at unit length",
                "numerics.l2_normalize(ops, z) if self.normalize else z",
                "numerics.l2_normalize(ops, z)",
                "layers/residual_by_definition",
            ),
            (
                "a row that is held is off by rounding",
                "z = x + (z if gate is None else gate * z)",
                "z = x + ((z if gate is None else gate * z) + 1e-4 * z)",
                "layers/gate_of_zero_holds_rows",
            ),
        ],
        "dtgcnn.model.network:Network.init": [
            (
                "the head is not 0 at first",
                "leaf * 0.0",
                "leaf * 0.01",
                "layers/first_head_gives_the_start_back",
            ),
        ],
        "dtgcnn.model.network:Network.hop": [
            (
                "at unit length before the hop alone",
                "numerics.l2_normalize(ops, z) if self.normalize else z",
                "z",
                "layers/hop_by_definition",
            ),
            (
                "neighbours are rows of the batch",
                "propagate(ops, graph, f, source)",
                "propagate(ops, graph, f, f)",
                "layers/hop_by_definition",
            ),
        ],
        "dtgcnn.model.bank:Bank._hop": [
            (
                "each hop starts from the last one",
                "network.hop(ops, f[rows], _linked(graph, rows), before)",
                "network.hop(ops, before[rows], _linked(graph, rows), before)",
                "training/hops_of_the_bank",
            ),
            (
                "each hop is over the first states",
                "network.hop(ops, f[rows], _linked(graph, rows), before)",
                "network.hop(ops, f[rows], _linked(graph, rows), f)",
                "training/hops_of_the_bank",
            ),
        ],
        "dtgcnn.model.bank:Bank._hops": [
            (
                "a row is its own neighbour",
                "ops.arange(len(self)))",
                "0 * ops.arange(len(self)) - 1)",
                "training/hops_of_the_bank",
            ),
            (
                "embeddings of the bank have no gate",
                "h, self.gate)",
                "h, None)",
                "training/hops_agree",
            ),
        ],
        "dtgcnn.model.bank:Bank.refresh": [
            (
                "a hop too many",
                "hops - 1, world)",
                "hops, world)",
                "training/hops_of_the_bank",
            ),
        ],
        "dtgcnn.model.dtgcnn:DTGCNN._propagate": [
            (
                "links to the nodes of the bank",
                'unit, others, "hops"), f',
                'unit, self.trained_bank().states[0][:, : f.shape[1]], "hops"), f',
                "training/encode_with_hops",
            ),
            (
                "each hop starts from the last one",
                "network.hop(self.ops, f, graph, source)",
                "network.hop(self.ops, z, graph, source)",
                "training/encode_with_hops",
            ),
        ],
        "dtgcnn.model.dtgcnn:DTGCNN.started": [
            (
                "every gate is open",
                "parts.append(self.start(self.ops, rows, by_rows=by_rows))",
                "parts.append((self.start(self.ops, rows, by_rows=by_rows)[0], "
                "self.ops.zeros((len(rows), 1)) + 1.0))",
                "training/hops_agree",
            ),
        ],
        "dtgcnn.training.step:TrainingStep._objective": [
            (
                "nothing is kept near",
                "self.network.residual and",
                "False and",
                "training/start_is_kept_near",
            ),
            (
                "the sum over rows is kept near",
                "1.0 - numerics.mean(ops, kept)",
                "1.0 - ops.sum(kept)",
                "training/start_is_kept_near",
            ),
            (
                "embeddings of any length are kept near",
                "self.network.linked_by(ops, embeddings)",
                "embeddings",
                "training/start_is_kept_near",
            ),
            (
                "what is kept near is a constant",
                "self.network.linked_by(ops, embeddings)",
                "self.network.linked_by(ops, ops.stop_gradient(embeddings))",
                "training/start_is_kept_near",
            ),
        ],
        "dtgcnn.training.step:TrainingStep._encode": [
            (
                "steps have no gate",
                'rows.get("gate")',
                "None",
                "training/steps_from_a_start",
            ),
        ],
        "dtgcnn.training.step_inputs:TrainingInputs.rows": [
            (
                "anchors first, then the others",
                'ops.asarray(order, "int32")',
                'ops.asarray(order[::2] + order[1::2], "int32")',
                "training/rows_that_stand_twice",
            ),
            (
                "anchors know their label",
                "_taken(ops, places, *self._left_out, self._left_out_links)",
                "_taken(ops, places, self._x, self._left_out[1], self._left_out_links)",
                "training/rows_that_stand_twice",
            ),
        ],
        "dtgcnn.training.step_inputs:TrainingInputs.loss_arrays": [
            (
                "the others are the anchors",
                "[True, False] *",
                "[False, True] *",
                "training/rows_that_stand_twice",
            ),
        ],
    }
)
