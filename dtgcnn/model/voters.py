"""``Voters``: the labelled rows of a bank, and what they say of the class of another row."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..array import Array, ArrayOps, numerics

__all__ = ["SCOPE_ROWS", "Voters", "probabilities", "two_best", "voters_of"]

SCOPE_ROWS = 5
"""Nearest rows by embedding whose mean cosine tells whether a row is in scope."""

_MOST_DOUBT = math.log(1e4)
"""Most that the background may weigh: float32 still tells the classes apart beside it."""


def probabilities(
    ops: ArrayOps,
    asked: Array,
    labels: Array,
    cosines: Array,
    classes: int,
    temperature: float,
    background: float,
) -> Array:
    """The probability (N, A) of classes, above 0, by the nearest voters of each row.

    ``p_c = (Σ_{j: y_j = c} w_j + β/C) / (Σ_j w_j + β)``, ``w_j = exp((cos_j − cos_1) / τ)``,
    ``β = min(ε exp((1 − cos_1) / τ), 10⁴)``: rows vote by ``exp(cos/τ)``, and a background of all
    classes as much as ε rows equal to the one asked for would. So a row whose nearest are far is
    not sure of its class.

    Args:
        asked: (N, A) or (1, A) the classes c.
        labels, cosines: (N, k) of the voters, nearest first.
        classes: C.
        temperature: τ > 0.
        background: ε > 0.
    """
    nearest = cosines[:, :1]
    weights = ops.exp((cosines - nearest) * (1.0 / temperature))
    power = (1.0 - nearest) * (1.0 / temperature) + math.log(background)
    doubt = ops.exp(ops.where(power > _MOST_DOUBT, _MOST_DOUBT, power))
    votes = ops.zeros((cosines.shape[0], asked.shape[1]))
    for j in range(cosines.shape[1]):
        votes = votes + ops.where(labels[:, j : j + 1] == asked, weights[:, j : j + 1], 0.0)
    whole = ops.sum(weights, axis=1, keepdims=True) + doubt
    return (votes + doubt * (1.0 / classes)) / whole


def two_best(ops: ArrayOps, asked: Array, p: Array) -> tuple[Array, Array]:
    """The two classes of largest probability among ``asked`` (N, A), in which one may occur more
    than once, and their probabilities ``p`` (N, A) > 0: both (N, 2). Of equal ones the class of the
    lower number comes first; where there is one class alone it comes twice, with 0."""
    numbers = ops.astype(asked, ops.dtype)  # exact: float32 tells 16,777,216 of them apart

    def best(p: Array) -> tuple[Array, Array]:
        most = ops.max(p, axis=1, keepdims=True)
        return -ops.max(ops.where(p == most, -numbers, -math.inf), axis=1, keepdims=True), most

    first, most = best(p)
    second, more = best(ops.where(numbers == first, 0.0, p))
    both = ops.astype(ops.concat([first, second], axis=1), "int32")
    return both, ops.concat([most, more], axis=1)


@dataclass(frozen=True)
class Voters:
    """The labelled rows of a bank.

    Args:
        rows: (M,) int32, their places in the bank.
        labels: (M,) int32, their classes, 0 to C − 1.
        x: (M, D) what goes into the model, at unit length.
        z: (M, E) their embeddings, at unit length.
        means: (K, D) the mean ``x`` of each class that has a row, at unit length.
    """

    rows: Array
    labels: Array
    x: Array
    z: Array
    means: Array

    def __len__(self) -> int:
        return int(self.labels.shape[0])

    def nearest(self, ops: ArrayOps, z: Array, k: int) -> tuple[Array, Array, Array]:
        """Of embeddings ``z`` (N, E) at unit length the ``k`` nearest voters, or all where they are
        fewer: rows of the bank, classes and cosines, (N, k) each, nearest first."""
        cosines, near = numerics.top_k(ops, _cosines(ops, z, self.z), min(k, len(self)))
        return ops.take(self.rows, near), ops.take(self.labels, near), cosines

    def scope(self, ops: ArrayOps, x: Array, cosines: Array) -> Array:
        """What tells whether rows are of any class that is known, (N, 3): of inputs ``x`` (N, D)
        at unit length the cosine to the nearest voter, and to the nearest mean of a class; of their
        embeddings' ``cosines`` to five nearest voters or more the mean of the first five."""
        row = ops.max(_cosines(ops, x, self.x), axis=1, keepdims=True)
        means = _cosines(ops, x, self.means)
        nearest = cosines[:, :SCOPE_ROWS]
        close = ops.sum(nearest, axis=1, keepdims=True) / nearest.shape[1]
        return ops.concat([row, ops.max(means, axis=1, keepdims=True), close], axis=1)


def voters_of(ops: ArrayOps, labels: Sequence[int], x: Array, z: Array) -> Voters:
    """The voters of a bank whose rows ``x`` (M, D), of any length, have embeddings ``z`` (M, E).

    Args:
        labels: (M,) their classes, or −1 of rows that never vote.

    Raises:
        ValueError: no row has a label.
    """
    places = [row for row, label in enumerate(labels) if label >= 0]
    if not places:
        raise ValueError("no row of the model's bank has a label, so none can vote")
    rows = ops.asarray(places, "int32")
    own = ops.asarray([labels[row] for row in places], "int32")
    x, z = (numerics.l2_normalize(ops, ops.take(all_rows, rows)) for all_rows in (x, z))
    ones = ops.zeros((len(places), 1)) + 1.0
    there = {label: i for i, label in enumerate(sorted({labels[row] for row in places}))}
    own_class = ops.asarray([there[labels[row]] for row in places], "int32")[:, None]
    sums = ops.scatter_sum(x, own_class, ones, len(there))
    means = numerics.l2_normalize(ops, sums / ops.scatter_sum(ones, own_class, ones, len(there)))
    return Voters(rows, own, x, z, means)


def _cosines(ops: ArrayOps, a: Array, b: Array) -> Array:
    """``a bᵀ``, no bit of a row of which depends on other rows of ``a``."""
    return numerics.matmul_by_rows(ops, a, ops.permute_dims(b, (1, 0)))
