"""Faults in losses."""

from __future__ import annotations

from .core import in_the_core

in_the_core(
    {
        "dtgcnn.losses.triplet:softplus": [
            (
                "overflows",
                "numerics.relu(ops, x) + ops.log(total) + lost",
                "ops.log(1.0 + ops.exp(x))",
                "losses/softplus_far_below_zero",
            ),
            (
                "0 where the 1 takes all digits",
                "ops.log(total) + lost",
                "ops.log(total)",
                "losses/softplus_far_below_zero",
            ),
            (
                "the logarithm without its 1",
                "total = 1.0 + small",
                "total = 1e-9 + small",
                "losses/kinds_of_triplet_loss",
            ),
        ],
        "dtgcnn.losses.triplet:_rows": [
            (
                "the larger distance is swapped in",
                "other < to_negative",
                "other > to_negative",
                "losses/kinds_of_triplet_loss",
            ),
            (
                "cosines of rows of any length",
                'distance == "cosine":\n        embeddings',
                'distance == "cosine":\n        _',
                "losses/kinds_of_triplet_loss",
            ),
            (
                "the cosine in place of its distance",
                "1.0 - ops.sum(x * y, axis=1)",
                "-ops.sum(x * y, axis=1)",
                "losses/kinds_of_triplet_loss",
            ),
            (
                "softer negatives are the harder ones again",
                "[triplets.negative for triplets in sets]",
                "[sets[0].negative for _ in sets]",
                "losses/every_triplet_loss_of_auto_mining",
            ),
        ],
        "dtgcnn.losses.triplet:_reduce": [
            (
                "the mean over all triplets",
                "counts = ops.maximum(found, 1.0)",
                "counts = ops.sum(0.0 * rows.valid + 1.0, axis=1, keepdims=True)",
                "losses/loss_of_mined_triplets",
            ),
            (
                "a triplet at 0 is active",
                "hinge > 0",
                "hinge >= 0",
                "losses/loss_of_explicit_triplets",
            ),
            (
                "the mean over active triplets divides by the valid ones",
                "ops.maximum(ops.sum(active * rows.valid, axis=1, keepdims=True), 1.0)",
                "counts",
                "losses/kinds_of_triplet_loss",
            ),
            (
                "triplets that are not valid count",
                "rows.valid / terms.shape[0]",
                "(0.0 * rows.valid + 1.0) / terms.shape[0]",
                "losses/loss_of_mined_triplets",
            ),
            (
                "the sum of hard and semi-hard",
                "rows.valid / terms.shape[0]",
                "rows.valid",
                "losses/every_triplet_loss_of_auto_mining",
            ),
            (
                "metrics of the softest",
                "x[:1] for x in firsts",
                "x[-1:] for x in firsts",
                "losses/every_triplet_loss_of_auto_mining",
            ),
        ],
        "dtgcnn.losses.triplet:TripletLoss.__call__": [
            (
                "the margin is subtracted",
                "rows.to_negative + self.margin",
                "rows.to_negative - self.margin",
                "losses/loss_of_mined_triplets",
            ),
            (
                "the margin is added after the hinge",
                "numerics.relu(ops, x)",
                "numerics.relu(ops, x - self.margin) + self.margin",
                "losses/loss_of_explicit_triplets",
            ),
        ],
        "dtgcnn.losses.triplet:FocalTripletLoss.__call__": [
            (
                "gamma divides",
                "self.gamma * ops.log",
                "1.0 / (1.0 + self.gamma) * ops.log",
                "losses/kinds_of_triplet_loss",
            ),
            (
                "the weight is a constant",
                "weight * safe",
                "ops.stop_gradient(weight) * safe",
                "losses/kinds_of_triplet_loss",
            ),
        ],
        "dtgcnn.losses.batch_all:_slope": [
            (
                "a squared distance has the slope of a distance",
                "2.0 if",
                "1.0 if",
                "losses/losses_of_all_pairs",
            ),
            (
                "one end of each pair alone",
                "weights + ops.permute_dims(weights, (1, 0))",
                "weights",
                "losses/losses_of_all_pairs",
            ),
        ],
        "dtgcnn.losses.batch_all:_Rows.sort": [
            ("no margin", "values + margin", "values", "losses/losses_of_all_pairs"),
        ],
        "dtgcnn.losses.contrastive:_log_sum_exp": [
            (
                "what is far below 0 is less than nothing",
                "-_INF",
                "-1e9",
                "losses/pair_losses_of_obtuse_negatives",
            ),
            (
                "nothing is subtracted before exp",
                "largest = ops.stop_gradient(largest)",
                "largest = 0.0 * ops.stop_gradient(largest)",
                "losses/losses_of_degenerate_rows",
            ),
            (
                "the 1 is left out",
                "total + ops.exp(-largest) if one",
                "total + 0.0 if one",
                "losses/losses_of_all_pairs",
            ),
        ],
        "dtgcnn.losses.batch_all:BatchAllTripletLoss.__call__": [
            (
                "anchors are not looked at",
                "items, anchors)",
                "items)",
                "losses/triplets_begin_at_anchors",
            ),
        ],
        "dtgcnn.losses.contrastive:_compare": [
            (
                "anchors are not looked at",
                "items, anchors)",
                "items)",
                "losses/pair_losses_of_anchors",
            ),
        ],
        "dtgcnn.losses.contrastive:WithUniformity.__call__": [
            (
                "anchors are not looked at",
                "items, anchors)",
                "items)",
                "losses/pair_losses_of_anchors",
            ),
        ],
        "dtgcnn.losses.contrastive:SupConLoss.__call__": [
            (
                "a row is in its own denominator",
                "batch.positive | batch.negative",
                "batch.similarity > -9.0",
                "losses/losses_of_all_pairs",
            ),
            (
                "the temperature multiplies",
                "batch.similarity / self.temperature",
                "batch.similarity * self.temperature",
                "losses/losses_of_all_pairs",
            ),
            (
                "the mean over all rows",
                "_mean(ops, per_row, batch.has_both)",
                "numerics.mean(ops, ops.where(batch.has_both, per_row, 0.0))",
                "losses/losses_of_all_pairs",
            ),
            (
                "the denominator has negatives alone",
                "batch.positive | batch.negative",
                "batch.negative",
                "losses/losses_of_all_pairs",
            ),
            ("NaN is hidden", "+ batch.zero", "", "losses/losses_hide_no_nan"),
        ],
        "dtgcnn.losses.contrastive:InfoNCELoss.__call__": [
            (
                "other positives are negatives",
                "scaled, batch.negative)",
                "scaled, batch.positive | batch.negative)",
                "losses/losses_of_all_pairs",
            ),
        ],
        "dtgcnn.losses.contrastive:MultiSimilarityLoss.__call__": [
            (
                "beta for alpha",
                "pull / self.alpha",
                "pull / self.beta",
                "losses/losses_of_all_pairs",
            ),
            ("the miner keeps easy negatives", "> least", "< least", "losses/losses_of_all_pairs"),
        ],
        "dtgcnn.losses.contrastive:CircleLoss.__call__": [
            (
                "the factors are differentiated",
                "ops.stop_gradient(batch.similarity)",
                "batch.similarity",
                "losses/losses_of_all_pairs",
            ),
            (
                "the margin of negatives is left out",
                "s - self.m)",
                "s)",
                "losses/losses_of_all_pairs",
            ),
        ],
        "dtgcnn.losses.contrastive:uniformity": [
            (
                "a row and itself are a pair",
                "items[:, None] != items[None, :]",
                "items[:, None] >= 0 * items[None, :]",
                "losses/losses_of_all_pairs",
            ),
        ],
        "dtgcnn.model.multitask:cross_entropy": [
            (
                "the label's logit is not shifted",
                "shifted, labels[:, None]",
                "logits, labels[:, None]",
                "losses/cross_entropy_of_classes",
            ),
            (
                "nothing is subtracted before exp",
                "logits - ops.stop_gradient(ops.max(logits, axis=1, keepdims=True))",
                "logits",
                "losses/cross_entropy_of_classes",
            ),
            (
                "the sum over rows",
                "numerics.mean(ops, ops.log",
                "ops.sum(ops.log",
                "losses/cross_entropy_of_classes",
            ),
        ],
        "dtgcnn.model.multitask:masked_squared_error": [
            (
                "the mean over all rows",
                "ops.astype(ops.sum(known), ops.dtype)",
                "0.0 * ops.astype(ops.sum(known), ops.dtype) + targets.shape[0]",
                "losses/squared_error_of_targets",
            ),
        ],
    }
)
