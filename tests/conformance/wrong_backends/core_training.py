"""Faults in whole steps, steps in parts, the bank and what a model does with it."""

from __future__ import annotations

from .core import in_the_core

SCOPE = "training/bank_scope"

in_the_core(
    {
        "dtgcnn.array.tree:ravel": [
            (
                "the last leaf first",
                "flatten(tree).values()",
                "[*flatten(tree).values()][::-1]",
                SCOPE,
            ),
        ],
        "dtgcnn.array.numerics:cut": [
            (
                "every piece from the first entry",
                "x[start:stop]",
                "x[: stop - start]",
                "gradients/numerics_functions",
            ),
        ],
        "dtgcnn.training.step:TrainingStep.update": [
            (
                "gradients keep the scale of the loss",
                "g / scale",
                "g",
                "training/steps_in_half_precision",
            ),
            (
                "clipped before the scale is taken off",
                "gradients, norm = clip_by_global_norm(ops, gradients, "
                "self.config.gradient_clip_val)",
                "back = 1.0 if finite is None else scale\n    gradients, norm = "
                "clip_by_global_norm(ops, tree_map(lambda g: g * back, gradients), "
                "self.config.gradient_clip_val)\n    gradients, norm = tree_map(lambda g: g "
                "/ back, gradients), norm / back",
                "training/steps_in_half_precision",
            ),
            (
                "not clipped",
                "gradients, norm = clip_by_global_norm",
                "_, norm = clip_by_global_norm",
                "training/steps_of_an_own_loss",
            ),
            (
                "a skipped step moves the moments",
                "new_state = tree_map(choose, new_state, {k: optimizer_state[k] for k in "
                "new_state})",
                "pass",
                "training/steps_in_half_precision",
            ),
            (
                "a skipped step moves the weights",
                "moved = tree_map(choose, moved, trained)",
                "pass",
                "training/steps_that_overflow",
            ),
            (
                "weight decay of frozen parameters",
                "merge(moved, kept)",
                "merge(moved, tree_map(lambda p: p - 1e-4 * p, kept))",
                "training/frozen_parameters",
            ),
            (
                "the config's learning rate",
                "trained, learning_rate\n",
                "trained, ops.asarray(self.config.learning_rate)\n",
                "training/steps_of_an_own_loss",
            ),
        ],
        "dtgcnn.training.step:TrainingStep.settle": [
            (
                "a skipped step moves the running state",
                "not self.scales",
                "True",
                "training/steps_that_overflow",
            ),
        ],
        "dtgcnn.training.step:TrainingStep._all_finite": [
            (
                "the first entry decides",
                "isfinite(leaf)",
                "isfinite(leaf[:1])",
                "training/steps_in_half_precision",
            ),
        ],
        "dtgcnn.training.step:TrainingStep._keep": [
            (
                "running state of frozen layers moves",
                "not self.frozen",
                "True",
                "training/frozen_parameters",
            ),
        ],
        "dtgcnn.training.step:TrainingStep.differentiate": [
            (
                "the loss that is told is scaled",
                "value if scale is None else value / scale",
                "value",
                "training/steps_in_half_precision",
            ),
        ],
        "dtgcnn.training.accumulation:AccumulatedStep.plain": [
            ("the sum of the parts", "1.0 / len(parts)", "1.0", "training/plain_gradients"),
            (
                "one dropout key for all parts",
                "self._keys(key, len(parts))",
                "[key] * len(parts)",
                "training/plain_gradients",
            ),
            (
                "the running state of the last part alone",
                "gradients, state, figures",
                "gradients, _, figures",
                "training/plain_gradients",
            ),
        ],
        "dtgcnn.training.accumulation:AccumulatedStep.cached": [
            (
                "other dropout masks the second time",
                "sources, keys[i], seeds[rows]",
                "sources, key, seeds[rows]",
                "training/cached_gradients_with_dropout",
            ),
            (
                "the mean of the parts",
                "_add(total, gradients.pop(), 1.0)",
                "_add(total, gradients.pop(), 1.0 / len(parts))",
                "training/cached_gradients",
            ),
            (
                "a part's statistics hold the old ones already",
                "self._embed(params, still,",
                "self._embed(params, state,",
                "training/cached_gradients_with_dropout",
            ),
        ],
        "dtgcnn.training.accumulation:AccumulatedStep._with_mined": [
            (
                "every part mines for the first anchors",
                "+ starts[i]",
                "",
                "training/cached_gradients",
            ),
        ],
        "dtgcnn.training.step:TrainingStep.replay": [
            (
                "the parts' statistics are added to the old ones",
                "keep * old + own",
                "old + own",
                "training/cached_gradients_with_dropout",
            ),
        ],
        "dtgcnn.training.accumulation:AccumulatedStep._summable": [
            ("infinities cancel", 'float("nan")', "0.0", "training/parts_that_overflow"),
        ],
        "dtgcnn.model.multitask:MultiTaskDTGCNN._weigh": [
            ("no price of a small weight", " + 0.5 * s", "", "training/several_tasks_together"),
            (
                "regression weighs as the others",
                '0.5 if task == "regression" else 1.0',
                "1.0",
                "training/several_tasks_together",
            ),
        ],
        "dtgcnn.model.bank:Bank.refresh": [
            (
                "states are made once",
                "before, states = self.states,",
                "if self.states:\n        return\n    before, states = self.states,",
                "training/bank_follows_the_parameters",
            ),
            (
                "every layer is fed the rows",
                "h = states[-1]",
                "h = self.x",
                "training/bank_follows_the_parameters",
            ),
            (
                "the links stay where an embedding layer moves the rows",
                "before[0] is not states[0]",
                "False",
                "training/bank_of_pieces_follows_the_layer",
            ),
        ],
        "dtgcnn.model.bank:Bank.link": [
            (
                "a row is its own neighbour",
                "ops.arange(len(self))",
                "0 * ops.arange(len(self)) - 1",
                "training/embeddings_agree",
            ),
        ],
        "dtgcnn.model.dtgcnn:DTGCNN._attach": [
            (
                "a row of the bank is its own neighbour",
                "bank.rows_of(host_x)",
                "[-1] * len(host_x)",
                "training/embeddings_agree",
            ),
        ],
        "dtgcnn.model.dtgcnn:DTGCNN.embed": [
            (
                "dropout",
                "bank.states, gate=gate)",
                "bank.states, gate=gate, key=ops.asarray((1, 2), 'uint32'))",
                "training/embeddings_agree",
            ),
            (
                "the rows link to each other",
                "graph, bank.states",
                "self.network.constructor.construct_graph_batch(ops, nodes), None",
                "training/embeddings_agree",
            ),
            (
                "every block has the first one's links",
                "nodes, gate, graph = known or self._linked(padded)",
                "nodes, gate, own = known or self._linked(padded); graph = own if start == 0 else "
                "graph.rows(ops, ops.arange(len(padded)))",
                "determinism/embeddings_do_not_depend_on_company",
            ),
            (
                "no rows have the width of the input",
                "ops.zeros((0, self.config.output_dim))",
                "ops.zeros((0, self.config.input_dim))",
                "determinism/embeddings_do_not_depend_on_company",
            ),
        ],
        "dtgcnn.model.input_rows:checked_rows": [
            (
                "−0 is another number than 0",
                "_without_negative_zeros(in_single(rows))",
                "in_single(rows)",
                "training/rows_of_any_length",
            ),
        ],
        "dtgcnn.model.input_rows:_unit_rows": [
            (
                "rows are not at unit length",
                "numerics.l2_normalize(ops, x / ops.where(largest > 0, largest, 1.0))",
                "x",
                "training/embeddings_agree",
            ),
            (
                "scaled by the largest number of the block",
                "axis=1, keepdims=True)",
                "keepdims=True)",
                "training/rows_of_any_length",
            ),
            (
                "a long row overflows",
                "x / ops.where(largest > 0, largest, 1.0)",
                "x",
                "training/rows_of_any_length",
            ),
        ],
        "dtgcnn.training.curriculum:_difficulties": [
            (
                "negatives count for nothing",
                "ops.sum(a * n, axis=1) - ops.sum(a * p, axis=1)",
                "-ops.sum(a * p, axis=1)",
                "training/difficulties_of_triplets",
            ),
        ],
    }
)
