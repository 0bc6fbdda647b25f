"""Losses over all pairs of a labelled batch, written as forward passes only.

Each takes ``(ops, embeddings, labels, items, anchors)``, (B, D), twice (B,) int32 and (B,) bool or
None, and compares rows by their cosine, in (B, B) memory. A positive has the row's label and is
another item. Where ``anchors`` are given, only they are compared, with those that are none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from ..array import Array, ArrayOps, numerics
from .mining import masks
from .triplet import softplus

__all__ = ["CircleLoss", "InfoNCELoss", "MultiSimilarityLoss", "PairLoss", "SupConLoss"]
__all__ += ["WithUniformity", "uniformity"]

Result: TypeAlias = "tuple[Array, dict[str, Array]]"
PairLoss: TypeAlias = Callable[[ArrayOps, Array, Array, Array, "Array | None"], Result]

_INF = float("inf")


class _Batch(NamedTuple):
    """Similarities (B, B), which pairs are positive and negative, and which rows have both."""

    similarity: Array
    positive: Array
    negative: Array
    has_both: Array
    zero: Array
    """0, or NaN where an embedding is not finite: added to a loss, it hides none."""


def _compare(
    ops: ArrayOps, embeddings: Array, labels: Array, items: Array, anchors: Array | None
) -> _Batch:
    unit = numerics.l2_normalize(ops, embeddings)
    positive, negative = masks(ops, labels, items, anchors)
    has_both = (ops.sum(positive, axis=1) > 0) & (ops.sum(negative, axis=1) > 0)
    similarity = numerics.matmul(ops, unit, ops.permute_dims(unit, (1, 0)))
    return _Batch(similarity, positive, negative, has_both, 0.0 * ops.sum(embeddings))


def _log_sum_exp(ops: ArrayOps, x: Array, mask: Array, one: bool = False) -> Array:
    """(B,) ``log Σ exp(x)`` over each row's masked entries, and ``exp(0)`` with them if ``one``.

    A row with nothing to sum has 0.
    """
    some = ops.sum(mask, axis=1) > (-1 if one else 0)
    largest = ops.max(ops.where(mask, x, -_INF), axis=1)
    largest = ops.maximum(largest, 0.0) if one else ops.where(some, largest, 0.0)
    largest = ops.stop_gradient(largest)
    shifted = ops.where(mask, x - largest[:, None], 0.0)
    total = ops.sum(ops.where(mask, ops.exp(shifted), 0.0), axis=1)
    total = total + ops.exp(-largest) if one else ops.where(some, total, 1.0)
    return largest + ops.log(total)


def _count(ops: ArrayOps, mask: Array, axis: int | None) -> Array:
    return ops.astype(ops.sum(mask, axis=axis), ops.dtype)


def _mean(ops: ArrayOps, x: Array, mask: Array, axis: int | None = None) -> Array:
    """The mean of the masked entries; 0 where there are none."""
    count = _count(ops, mask, axis)
    return ops.sum(ops.where(mask, x, 0.0), axis=axis) / ops.maximum(count, 1.0)


def _metrics(ops: ArrayOps, batch: _Batch, active: Array | None = None) -> dict[str, Array]:
    """What a pair loss reports; ``active`` marks the pairs that it uses, all where not given."""
    positives, negatives = _count(ops, batch.positive, 1), _count(ops, batch.negative, 1)
    pairs = batch.positive | batch.negative
    used = batch.has_both[:, None] & pairs if active is None else active
    return {
        "active_fraction": _mean(ops, ops.astype(used, ops.dtype), pairs),
        "mean_negative_similarity": _mean(ops, batch.similarity, batch.negative),
        "mean_positive_similarity": _mean(ops, batch.similarity, batch.positive),
        "valid_triplets": ops.sum(positives * negatives),
    }


def _require_positive(**settings: float) -> None:
    for name, value in settings.items():
        if not value > 0.0:
            raise ValueError(f"{name} must be above 0, received {value}")


@dataclass(frozen=True)
class SupConLoss:
    """``−1/|P(a)| Σ_p log(exp(s_ap / τ) / Σ_{k ∈ P(a) ∪ N(a)} exp(s_ak / τ))``, averaged over rows.

    Supervised contrastive learning, with the sum outside of the logarithm. Khosla et al. 2020
    (arXiv:2004.11362). The mean is over the rows that have a positive and a negative.

    Raises:
        ValueError: the temperature τ is not above 0.
    """

    temperature: float = 0.1

    def __post_init__(self) -> None:
        _require_positive(temperature=self.temperature)

    def __call__(
        self,
        ops: ArrayOps,
        embeddings: Array,
        labels: Array,
        items: Array,
        anchors: Array | None = None,
    ) -> Result:
        """The loss, a scalar, and the batch's metrics."""
        batch = _compare(ops, embeddings, labels, items, anchors)
        scaled = batch.similarity / self.temperature
        total = _log_sum_exp(ops, scaled, batch.positive | batch.negative)
        per_row = _mean(ops, total[:, None] - scaled, batch.positive, axis=1)
        return _mean(ops, per_row, batch.has_both) + batch.zero, _metrics(ops, batch)


@dataclass(frozen=True)
class InfoNCELoss:
    """The mean over positive pairs of ``−log(e^(s_ap/τ) / (e^(s_ap/τ) + Σ_n e^(s_an/τ)))``.

    In-batch negatives, without those of the anchor's own label; also known as the multiple
    negatives ranking loss (Henderson et al. 2017, arXiv:1705.00652; van den Oord et al. 2018,
    arXiv:1807.03748).

    Raises:
        ValueError: the temperature τ is not above 0.
    """

    temperature: float = 0.1

    def __post_init__(self) -> None:
        _require_positive(temperature=self.temperature)

    def __call__(
        self,
        ops: ArrayOps,
        embeddings: Array,
        labels: Array,
        items: Array,
        anchors: Array | None = None,
    ) -> Result:
        """The loss, a scalar, and the batch's metrics."""
        batch = _compare(ops, embeddings, labels, items, anchors)
        scaled = batch.similarity / self.temperature
        against = _log_sum_exp(ops, scaled, batch.negative)
        terms = softplus(ops, against[:, None] - scaled)
        used = batch.positive & batch.has_both[:, None]
        return _mean(ops, terms, used) + batch.zero, _metrics(ops, batch)


@dataclass(frozen=True)
class MultiSimilarityLoss:
    """``1/α log(1 + Σ_p e^(−α(s_ap − λ))) + 1/β log(1 + Σ_n e^(β(s_an − λ)))``, averaged over rows.

    Wang et al. 2019 (arXiv:1904.06627). Its miner keeps negatives with ``s_an + ε > min_p s_ap``
    and positives with ``s_ap − ε < max_n s_an``.

    Args:
        alpha, beta: α and β, how sharply the positive and the negative side weigh hard pairs.
        base: λ, the similarity that parts them.
        epsilon: ε; None keeps every pair.

    Raises:
        ValueError: alpha or beta is not above 0, or epsilon is below 0.
    """

    alpha: float = 2.0
    beta: float = 50.0
    base: float = 0.5
    epsilon: float | None = 0.1

    def __post_init__(self) -> None:
        _require_positive(alpha=self.alpha, beta=self.beta)
        if self.epsilon is not None and not self.epsilon >= 0.0:
            raise ValueError(f"epsilon must be at least 0 or None, received {self.epsilon}")

    def __call__(
        self,
        ops: ArrayOps,
        embeddings: Array,
        labels: Array,
        items: Array,
        anchors: Array | None = None,
    ) -> Result:
        """The loss, a scalar, and the batch's metrics."""
        batch = _compare(ops, embeddings, labels, items, anchors)
        positive, negative, s = batch.positive, batch.negative, batch.similarity
        if self.epsilon is not None:
            fixed = ops.stop_gradient(s)
            least = -ops.max(ops.where(batch.positive, -fixed, -_INF), axis=1)[:, None]
            most = ops.max(ops.where(batch.negative, fixed, -_INF), axis=1)[:, None]
            negative = negative & (fixed + self.epsilon > least)
            positive = positive & (fixed - self.epsilon < most)
        pull = _log_sum_exp(ops, -self.alpha * (s - self.base), positive, one=True)
        push = _log_sum_exp(ops, self.beta * (s - self.base), negative, one=True)
        per_row = pull / self.alpha + push / self.beta
        value = numerics.mean(ops, per_row) if anchors is None else _mean(ops, per_row, anchors)
        return value + batch.zero, _metrics(ops, batch, positive | negative)


@dataclass(frozen=True)
class CircleLoss:
    """``softplus(log Σ_n e^(γ α_n (s_an − m)) + log Σ_p e^(−γ α_p (s_ap − 1 + m)))``, over rows.

    ``α_p = max(0, 1 + m − s_ap)`` and ``α_n = max(0, s_an + m)`` are not differentiated. Sun et al.
    2020 (arXiv:2002.10857). The mean is over the rows that have a positive and a negative.

    Raises:
        ValueError: the relaxation m or the scale gamma is not above 0.
    """

    m: float = 0.25
    gamma: float = 80.0

    def __post_init__(self) -> None:
        _require_positive(m=self.m, gamma=self.gamma)

    def __call__(
        self,
        ops: ArrayOps,
        embeddings: Array,
        labels: Array,
        items: Array,
        anchors: Array | None = None,
    ) -> Result:
        """The loss, a scalar, and the batch's metrics."""
        batch = _compare(ops, embeddings, labels, items, anchors)
        s, fixed = batch.similarity, ops.stop_gradient(batch.similarity)
        of_positive = numerics.relu(ops, 1.0 + self.m - fixed)
        of_negative = numerics.relu(ops, fixed + self.m)
        pull = -self.gamma * of_positive * (s - (1.0 - self.m))
        push = self.gamma * of_negative * (s - self.m)
        sums = _log_sum_exp(ops, push, batch.negative) + _log_sum_exp(ops, pull, batch.positive)
        return _mean(ops, softplus(ops, sums), batch.has_both) + batch.zero, _metrics(ops, batch)


def uniformity(ops: ArrayOps, embeddings: Array, items: Array, t: float = 2.0) -> Array:
    """``log mean exp(−t |u − v|²)`` over pairs of rows of different items, at unit length.

    0 where all rows are one point, and lower the more evenly they lie on the sphere. Wang & Isola
    2020 (arXiv:2005.10242).
    """
    unit = numerics.l2_normalize(ops, embeddings)
    others = items[:, None] != items[None, :]
    cosines = numerics.matmul(ops, unit, ops.permute_dims(unit, (1, 0)))
    exponents = (2.0 * t) * (cosines - 1.0)
    mean = ops.where(ops.sum(others) > 0, _mean(ops, ops.exp(exponents), others), 1.0)
    return ops.log(mean) + 0.0 * ops.sum(embeddings)


@dataclass(frozen=True)
class WithUniformity:
    """``loss + weight · uniformity``: a loss that holds the embedding apart.

    Args:
        loss: any loss of this module, or a ``BatchAllTripletLoss``.
        weight, t: of the addend, and of its kernel.

    Raises:
        ValueError: the weight or t is not above 0.
    """

    loss: PairLoss
    weight: float = 0.1
    t: float = 2.0

    def __post_init__(self) -> None:
        _require_positive(weight=self.weight, t=self.t)

    def __call__(
        self,
        ops: ArrayOps,
        embeddings: Array,
        labels: Array,
        items: Array,
        anchors: Array | None = None,
    ) -> Result:
        """The loss, a scalar, and the batch's metrics, ``uniformity`` among them."""
        value, metrics = self.loss(ops, embeddings, labels, items, anchors)
        addend = uniformity(ops, embeddings, items, self.t)
        return value + self.weight * addend, {**metrics, "uniformity": addend}
