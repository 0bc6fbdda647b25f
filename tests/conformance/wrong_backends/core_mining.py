"""Faults in mining, and in what a config makes of it."""

from __future__ import annotations

from .core import in_the_core

in_the_core(
    {
        "dtgcnn.losses.mining:masks": [
            (
                "a row is its own positive",
                "same & (_of(ops, items, rows)[:, None] != items)",
                "same",
                "losses/batch_hard_triplets",
            ),
            (
                "another copy is a positive",
                "_of(ops, items, rows)[:, None] != items",
                "_positions(ops, items, rows)[:, None] != ops.arange(items.shape[0])",
                "losses/batch_hard_triplets",
            ),
            (
                "an anchor is compared with anchors as well",
                "[:, None] & ~anchors",
                "[:, None] & (anchors | ~anchors)",
                "losses/pairs_of_anchors",
            ),
            (
                "what is no anchor is compared too",
                "[:, None] & ~anchors",
                "[:, None] ^ anchors",
                "losses/pairs_of_anchors",
            ),
            (
                "negatives are of any two rows",
                "pairs.negative & compared",
                "pairs.negative",
                "losses/pairs_of_anchors",
            ),
        ],
        "dtgcnn.losses.mining:_positions": [
            (
                "a block's anchors are counted from 0",
                "ops.arange(labels.shape[0]) if rows is None else rows",
                "ops.arange((labels if rows is None else rows).shape[0])",
                "losses/mining_in_blocks",
            ),
        ],
        "dtgcnn.losses.mining:batch_hard": [
            (
                "anchors are not looked at",
                "items, anchors, ",
                "items, None, ",
                "losses/miners_of_anchors",
            ),
        ],
        "dtgcnn.losses.mining:_hardest": [
            (
                "the nearest positive",
                "pairs.positive, distances,",
                "pairs.positive, -distances,",
                "losses/batch_hard_triplets",
            ),
            (
                "the farthest negative",
                "pairs.negative, -distances,",
                "pairs.negative, distances,",
                "losses/batch_hard_triplets",
            ),
            (
                "a row without a negative is valid",
                "(to_positive != -_INF) & (to_negative != -_INF)",
                "to_positive != -_INF",
                "losses/batch_hard_triplets",
            ),
            (
                "a far row is nearer than what is none",
                "-distances, -_INF)",
                "-distances, -1e9)",
                "losses/miners_of_far_rows",
            ),
        ],
        "dtgcnn.losses.mining:_distances": [
            (
                "the length of rows is left out",
                "ops.sum(x * x, axis=1) - ",
                "-",
                "losses/batch_hard_triplets",
            ),
        ],
        "dtgcnn.losses.mining:semi_hard": [
            (
                "a pair that is not valid becomes it",
                "pairs.valid & ops",
                "ops",
                "losses/semi_hard_triplets",
            ),
            (
                "anchors are negatives",
                "candidates & ~anchors[None, :]",
                "candidates",
                "losses/miners_of_anchors",
            ),
        ],
        "dtgcnn.losses.mining:_beyond": [
            (
                "nearer than the positive",
                "distances > to_positive",
                "distances < to_positive",
                "losses/semi_hard_triplets",
            ),
            (
                "as far as the positive will do",
                "distances > to_positive",
                "distances >= to_positive",
                "losses/semi_hard_triplets_of_equal_rows",
            ),
        ],
        "dtgcnn.losses.mining:hard_and_semi_hard": [
            (
                "a pair that is not valid becomes it",
                "hard.valid & found",
                "found",
                "losses/every_triplet_loss_of_auto_mining",
            ),
            (
                "anchors are not looked at",
                "(ops, labels, items, anchors, ",
                "(ops, labels, items, None, ",
                "losses/every_triplet_loss_of_auto_mining",
            ),
        ],
        "dtgcnn.losses.mining:easy_positive": [
            (
                "a far positive is farther than what is none",
                "pairs.positive, -distances, -_INF)",
                "pairs.positive, -distances, -1e9)",
                "losses/miners_of_far_rows",
            ),
            (
                "a far negative is farther than what is none",
                "candidates, -distances, -_INF)",
                "candidates, -distances, -1e9)",
                "losses/miners_of_far_rows",
            ),
            (
                "anchors are not looked at",
                "items, anchors, ",
                "items, None, ",
                "losses/miners_of_anchors",
            ),
            (
                "the farthest positive",
                "ops.where(pairs.positive, -distances,",
                "ops.where(pairs.positive, distances,",
                "losses/easy_positive_triplets",
            ),
            (
                "as far as the positive will do",
                "distances > to_positive",
                "distances >= to_positive",
                "losses/semi_hard_triplets_of_equal_rows",
            ),
        ],
        "dtgcnn.losses.mining:semi_hard_all": [
            (
                "a far negative is farther than what is none",
                "distances, _INF)",
                "distances, 1e9)",
                "losses/miners_of_far_rows",
            ),
            (
                "anchors are not looked at",
                "items, anchors, ",
                "items, None, ",
                "losses/miners_of_anchors",
            ),
        ],
        "dtgcnn.losses.mining:count_before": [
            (
                "among equals the second list first",
                "order = ops.argsort(ops.concat([first, second], axis=1), axis=1)",
                "order = ops.argsort(ops.concat([first + 1e-6, second], axis=1), axis=1)",
                "losses/semi_hard_triplets_of_equal_rows",
            ),
        ],
        "dtgcnn.losses.mining:distance_weighted": [
            (
                "every block draws the same",
                "_of(ops, draws, rows)",
                "draws[: positive.shape[0]]",
                "losses/mining_in_blocks",
            ),
            (
                "anchors are not looked at",
                "items, anchors, ",
                "items, None, ",
                "losses/drawn_negatives_of_anchors",
            ),
            (
                "near negatives are not held back",
                "ops.maximum(distances, cutoff)",
                "distances",
                "losses/distance_weighted_triplets",
            ),
            (
                "one dimension too many",
                "(2.0 - n)",
                "(1.0 - n)",
                "losses/distance_weighted_triplets",
            ),
        ],
        "dtgcnn.losses.objective:objective": [
            (
                "losses of all pairs do not know the anchors",
                'items, batch.get("anchors"))',
                "items)",
                "losses/every_supcon_loss_of_auto_mining",
            ),
            (
                "a margin that changes is not followed",
                'batch.get("margin", config.triplet_margin)',
                "config.triplet_margin",
                "losses/margin_of_the_batch",
            ),
        ],
        "dtgcnn.losses.objective:_called": [
            (
                "a loss of the package takes every row for an anchor",
                'batch.get("anchors")',
                "None",
                "losses/losses_as_objects",
            ),
        ],
        "dtgcnn.losses.objective:_over_mined": [
            (
                "hard ones alone",
                "embeddings, *mined)",
                "embeddings, mined[0])",
                "losses/every_triplet_loss_of_auto_mining",
            ),
        ],
        "dtgcnn.losses.objective:_unpacked": [
            (
                "every triplet of a block is valid",
                "valid > 0",
                "valid >= 0",
                "losses/mining_in_blocks",
            ),
        ],
        "dtgcnn.losses.objective:ConfigObjective.mine": [
            (
                "blocks are mined by rows of any length",
                "_for_mining(ops, self.config, embeddings)",
                "embeddings",
                "losses/mining_in_blocks",
            ),
        ],
        "dtgcnn.losses.objective:_mine": [
            (
                "of given triplets the first are mined again",
                'ops.take(batch["triplets"], rows)',
                'batch["triplets"][: rows.shape[0]]',
                "losses/mining_in_blocks",
            ),
            (
                "mining does not know the anchors",
                'batch.get("anchors")',
                "None",
                "losses/every_triplet_loss_of_auto_mining",
            ),
            (
                "one positive too many",
                "_positives(config, batch)",
                "_positives(config, batch) + 1",
                "losses/every_triplet_loss_of_distance_weighted_mining",
            ),
        ],
    }
)
