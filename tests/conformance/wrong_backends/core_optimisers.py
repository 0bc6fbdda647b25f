"""Faults in optimisers, clipping and the scale of the loss."""

from __future__ import annotations

from .core import in_the_core

in_the_core(
    {
        "dtgcnn.optim.optimizers:_adam": [
            (
                "the mean has no bias correction",
                "learning_rate / m_weight",
                "learning_rate",
                "optimisers/adamw_formula",
            ),
            (
                "the squares have no bias correction",
                "ops.sqrt(v) / root",
                "ops.sqrt(v)",
                "optimisers/adamw_formula",
            ),
            (
                "eps inside of the root",
                "(ops.sqrt(v) / root + eps)",
                "ops.sqrt(v / (root * root) + eps)",
                "optimisers/adamw_formula",
            ),
            (
                "eps before the bias correction",
                "(ops.sqrt(v) / root + eps)",
                "((ops.sqrt(v) + eps) / root)",
                "optimisers/adamw_formula",
            ),
            (
                "the decays exchanged",
                "v = tree_map(lambda v, g: b2 * v + (1.0 - b2) * (g * g)",
                "v = tree_map(lambda v, g: b1 * v + (1.0 - b1) * (g * g)",
                "optimisers/adamw_formula",
            ),
            (
                "squares of the mean",
                '* (g * g), state["v"], gradients)',
                '* (g * g), state["v"], m)',
                "optimisers/adamw_formula",
            ),
            (
                "the old mean is used",
                "updates = tree_map(lambda m, v: -step * m / (ops.sqrt(v) / root + eps), m, v)",
                "updates = tree_map(lambda m, v: -step * m / (ops.sqrt(v) / root + eps), "
                'state["m"], v)',
                "optimisers/adamw_formula",
            ),
        ],
        "dtgcnn.optim.optimizers:adamw": [
            (
                "weight decay in the gradient",
                "moments.update(ops, gradients, state, params, learning_rate)",
                "moments.update(ops, _penalised(gradients, params, weight_decay), state, "
                "params, learning_rate)",
                "optimisers/adamw_formula",
            ),
            (
                "weight decay without the learning rate",
                "learning_rate * weight_decay",
                "weight_decay",
                "optimisers/adamw_formula",
            ),
            (
                "weight decay grows weights",
                "u - decay * p",
                "u + decay * p",
                "optimisers/adamw_formula",
            ),
            (
                "weight decay of the moved weights",
                "u - decay * p",
                "u - decay * (p + u)",
                "optimisers/adamw_formula",
            ),
        ],
        "dtgcnn.optim.optimizers:adam": [
            (
                "decoupled weight decay",
                "moments.update(ops, penalised, state, params, learning_rate)",
                "(lambda r: (tree_map(lambda u, p: u - learning_rate * weight_decay * p, "
                "r[0], params), r[1]))(moments.update(ops, gradients, state, params, "
                "learning_rate))",
                "optimisers/adam_formula",
            ),
        ],
        "dtgcnn.optim.optimizers:sgd": [
            (
                "dampened",
                "momentum * m + g, state",
                "momentum * m + (1.0 - momentum) * g, state",
                "optimisers/sgd_formula",
            ),
            (
                "no look ahead",
                "            if nesterov:",
                "            if False:",
                "optimisers/sgd_formula",
            ),
            (
                "weight decay after the momentum",
                "direction = gradients = _penalised(gradients, params, weight_decay)",
                "direction = _penalised(gradients, params, weight_decay)",
                "optimisers/sgd_formula",
            ),
            (
                "momentum of moves at their own rates",
                'm = tree_map(lambda m, g: momentum * m + g, state["m"], gradients)',
                "m = tree_map(lambda m, g: momentum * m + learning_rate * 100.0 * g, "
                'state["m"], gradients)',
                "optimisers/sgd_formula",
            ),
        ],
        "dtgcnn.optim.optimizers:clip_by_global_norm": [
            (
                "leaf by leaf",
                "return tree_map(lambda g: g * scale, gradients), norm",
                "return tree_map(lambda g: g * ops.where(ops.sum(g * g) > max_norm * "
                "max_norm, max_norm / ops.sqrt(ops.sum(g * g) + 1e-12), 1.0), gradients), "
                "norm",
                "optimisers/clipping",
            ),
            (
                "short gradients are made longer",
                "ops.where(norm > max_norm, max_norm / (norm + 1e-6), 1.0)",
                "max_norm / (norm + 1e-6)",
                "optimisers/clipping",
            ),
            (
                "tells the norm afterwards",
                "gradients), norm",
                "gradients), norm * scale",
                "optimisers/clipping",
            ),
            (
                "at the square of the norm",
                "norm > max_norm",
                "norm * norm > max_norm",
                "optimisers/clipping",
            ),
        ],
        "dtgcnn.array.half_precision:update_loss_scale": [
            ("not halved", "scale * BACKOFF", "scale", "training/steps_in_half_precision"),
            (
                "finite steps are counted on",
                "ops.where(finite, ops.where(grown, 0.0, steps), 0.0)",
                "ops.where(grown, 0.0, steps)",
                "training/steps_in_half_precision",
            ),
            (
                "doubled after every step",
                "steps >= GROWTH_INTERVAL",
                "steps >= 1.0",
                "training/steps_in_half_precision",
            ),
            (
                "grows to infinity",
                "grown & ops.isfinite(scale * GROWTH)",
                "grown",
                "training/scale_that_grows",
            ),
        ],
    }
)
