"""Faults in what the labelled rows of a bank say of the class of another."""

from __future__ import annotations

from .core import in_the_core

in_the_core(
    {
        "dtgcnn.model.voters:probabilities": [
            (
                "all votes count alike",
                "weights[:, j : j + 1], 0.0",
                "1.0, 0.0",
                "layers/votes_by_definition",
            ),
            (
                "multiplied by the temperature",
                "ops.exp((cosines - nearest) * (1.0 / temperature))",
                "ops.exp((cosines - nearest) * temperature)",
                "layers/votes_by_definition",
            ),
            (
                "the background does not grow with distance",
                "(1.0 - nearest) * (1.0 / temperature) + math.log(background)",
                "nearest * 0.0 + math.log(background)",
                "layers/votes_by_definition",
            ),
            (
                "a background without limit",
                "power > _MOST_DOUBT, _MOST_DOUBT, power",
                "power > 80.0, 80.0, power",
                "layers/votes_by_definition",
            ),
            (
                "the background counts for each class",
                "doubt * (1.0 / classes)",
                "doubt",
                "layers/votes_by_definition",
            ),
            (
                "no background in the votes",
                "(votes + doubt * (1.0 / classes))",
                "votes",
                "layers/votes_by_definition",
                "layers/far_rows_are_in_doubt",
            ),
            (
                "the nearest alone votes",
                "range(cosines.shape[1])",
                "range(1)",
                "layers/votes_by_definition",
            ),
        ],
        "dtgcnn.model.voters:two_best": [
            (
                "of equal ones the higher number first",
                "-ops.max(ops.where(p == most, -numbers, -math.inf)",
                "ops.max(ops.where(p == most, numbers, -math.inf)",
                "layers/the_two_most_probable",
            ),
            (
                "one class is both",
                "ops.where(numbers == first, 0.0, p)",
                "p",
                "layers/the_two_most_probable",
            ),
        ],
        "dtgcnn.model.voters:voters_of": [
            (
                "rows without a class vote",
                "places = [row for row, label in enumerate(labels) if label >= 0]",
                "labels = [max(y, 0) for y in labels]\n    places = list(range(len(labels)))",
                "layers/nearest_rows_that_vote",
                "layers/a_bank_without_labels",
            ),
            (
                "rows keep their length",
                "numerics.l2_normalize(ops, ops.take(all_rows, rows))",
                "ops.take(all_rows, rows)",
                "layers/nearest_rows_that_vote",
                "layers/scope_by_definition",
            ),
            (
                "means of any length instead of directions",
                "numerics.l2_normalize(ops, sums",
                "(sums",
                "layers/scope_by_definition",
            ),
            (
                "all of the first class",
                "[there[labels[row]] for row in places]",
                "[there[labels[row]] // 2 for row in places]",
                "layers/scope_by_definition",
            ),
        ],
        "dtgcnn.model.voters:Voters.nearest": [
            (
                "places among those that vote",
                "ops.take(self.rows, near)",
                "near",
                "layers/nearest_rows_that_vote",
            ),
            (
                "one fewer",
                "min(k, len(self))",
                "max(min(k, len(self)) - 1, 1)",
                "layers/nearest_rows_that_vote",
                "layers/scope_by_definition",
            ),
        ],
        "dtgcnn.model.voters:Voters.scope": [
            (
                "the mean of all rows",
                "row = ops.max(_cosines(ops, x, self.x), axis=1, keepdims=True)",
                "row = ops.sum(_cosines(ops, x, self.x), axis=1, keepdims=True)",
                "layers/scope_by_definition",
            ),
            (
                "all that are given",
                "cosines[:, :SCOPE_ROWS]",
                "cosines",
                "layers/scope_by_definition",
            ),
            (
                "the sum of the nearest",
                "/ nearest.shape[1]",
                "",
                "layers/scope_by_definition",
            ),
        ],
    }
)
