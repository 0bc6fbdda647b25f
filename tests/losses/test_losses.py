"""Losses: edge cases, and what they refuse."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from dtgcnn_numpy import NumpyOps

from dtgcnn import DTGCNNConfig
from dtgcnn.losses import contrastive, mining
from dtgcnn.losses.batch_all import BatchAllTripletLoss
from dtgcnn.losses.objective import objective
from dtgcnn.losses.triplet import AdaptiveMarginScheduler, FocalTripletLoss, TripletLoss, softplus

OPS = NumpyOps(dtype="float64")
X = np.random.default_rng(2).normal(size=(8, 4))
LABELS = np.array([0, 0, 0, 1, 1, 2, 2, 3], np.int32)
ITEMS = np.arange(8, dtype=np.int32)

BATCH_LOSSES: list[Any] = [
    *(BatchAllTripletLoss(0.2, d) for d in ("euclidean", "squared", "cosine")),
    contrastive.SupConLoss(),
    contrastive.InfoNCELoss(),
    contrastive.MultiSimilarityLoss(),
    contrastive.MultiSimilarityLoss(epsilon=None),
    contrastive.CircleLoss(),
    contrastive.WithUniformity(contrastive.SupConLoss()),
]
TRIPLET_LOSSES: list[Any] = [
    *(TripletLoss(0.2, d) for d in ("euclidean", "squared", "cosine")),
    TripletLoss(0.2, swap=True),
    TripletLoss(0.0, soft_margin=True),
    *(FocalTripletLoss(0.2, gamma) for gamma in (0.0, 0.5, 2.0)),
]


def run(loss: Any, x: Any, *args: Any) -> tuple[float, dict[str, float], Any]:
    value, metrics, gradients = OPS.value_and_grad(lambda p: loss(OPS, p["x"], *args))({"x": x})
    return float(value), {k: float(v) for k, v in metrics.items()}, gradients["x"]


@pytest.mark.parametrize("normalised", [True, False])
def test_what_is_compared_by_cosine_is_mined_by_cosine(normalised: bool) -> None:
    rng = np.random.default_rng(0)
    z = rng.normal(size=(8, 4)) * rng.uniform(0.1, 5.0, size=(8, 1))  # lengths that mislead
    unit = z / np.linalg.norm(z, axis=1, keepdims=True)
    d, same = 1.0 - unit @ unit.T, LABELS[:, None] == LABELS
    positive, negative = same & ~np.eye(8, dtype=bool), ~same
    hardest = np.where(positive, d, -9.0).max(1) - np.where(negative, d, 9.0).min(1)
    expected = np.maximum(hardest + 0.2, 0.0)[positive.any(1)].mean()
    config = DTGCNNConfig(
        triplet_distance="cosine", mining_strategy="batch_hard", normalize_output=normalised
    )
    batch = {"labels": LABELS, "items": ITEMS}
    value, _ = objective(OPS, config, unit if normalised else z, batch)
    assert float(value) == pytest.approx(expected)


def triplets(*rows: tuple[int, int, int]) -> mining.Triplets:
    return mining.explicit(OPS, np.array(rows, np.int32))


@pytest.mark.parametrize("loss", BATCH_LOSSES, ids=str)
@pytest.mark.parametrize(
    ("labels", "items"),
    [(ITEMS, ITEMS), (0 * LABELS, ITEMS), (LABELS, LABELS)],
    ids=["no positives", "one class", "copies of one item only"],
)
def test_a_batch_without_triplets(loss: Any, labels: Any, items: Any) -> None:
    value, metrics, gradient = run(loss, X, labels, items)
    assert metrics["valid_triplets"] == 0.0
    assert np.isfinite([value, *metrics.values()]).all()
    assert np.isfinite(gradient).all()
    alone = (contrastive.MultiSimilarityLoss, contrastive.WithUniformity)
    if not isinstance(loss, alone):
        assert value == 0.0
        assert not gradient.any()


@pytest.mark.parametrize("loss", BATCH_LOSSES, ids=str)
def test_duplicates_zero_rows_and_one_point(loss: Any) -> None:
    duplicates, zeros = X.copy(), X.copy()
    duplicates[[1, 3]] = duplicates[0]
    zeros[[0, 5]] = 0.0
    for x in (duplicates, zeros, 0.0 * X, 0.0 * X + 1.0):
        value, metrics, gradient = run(loss, x, LABELS, ITEMS)
        assert np.isfinite([value, *metrics.values()]).all()
        assert np.isfinite(gradient).all()
        assert metrics["valid_triplets"] == 3 * 2 * 5 + 2 * 6 + 2 * 6


@pytest.mark.parametrize("loss", TRIPLET_LOSSES, ids=str)
def test_triplets_of_equal_rows(loss: Any) -> None:
    x = X.copy()
    x[1], x[2], x[3] = x[0], x[0], 0.0
    value, metrics, gradient = run(loss, x, triplets((0, 1, 2), (3, 0, 1), (4, 3, 3)))
    assert np.isfinite([value, *metrics.values()]).all()
    assert np.isfinite(gradient).all()
    assert value > 0.0


@pytest.mark.parametrize("loss", [*BATCH_LOSSES, *TRIPLET_LOSSES], ids=str)
@pytest.mark.parametrize("row", [0, 7])
def test_nan_is_not_hidden(loss: Any, row: int) -> None:
    x = X.copy()
    x[row, 0] = np.nan
    args = (LABELS, ITEMS) if loss in BATCH_LOSSES else (triplets((0, 1, 7), (3, 4, 5)),)
    assert np.isnan(run(loss, x, *args)[0])


@pytest.mark.parametrize(
    "loss", [TripletLoss(0.1), FocalTripletLoss(0.1, 0.5), FocalTripletLoss(0.1)], ids=str
)
def test_all_inactive(loss: Any) -> None:
    x = np.array([[0.0, 0.0], [0.1, 0.0], [9.0, 0.0]])
    value, metrics, gradient = run(loss, x, triplets((0, 1, 2)))
    assert (value, metrics["active_fraction"], metrics["hard_negative_ratio"]) == (0.0, 0.0, 0.0)
    assert metrics["triplet_accuracy"] == 1.0
    assert not gradient.any()


@pytest.mark.parametrize("reduction", ["mean", "mean_active", "sum"])
def test_batch_all_with_none_active(reduction: Any) -> None:
    x = np.array([[0.0, 0.0], [0.1, 0.0], [9.0, 0.0]])
    labels = np.array([0, 0, 1], np.int32)
    loss = BatchAllTripletLoss(0.1, reduction=reduction)
    value, metrics, gradient = run(loss, x, labels, ITEMS[:3])
    assert (value, metrics["active_fraction"], metrics["valid_triplets"]) == (0.0, 0.0, 2.0)
    assert not gradient.any()


@pytest.mark.parametrize("margin", [0.3, 1.0])
def test_batch_all_of_ties(margin: float) -> None:
    """Integers: many hinges are exactly 0, and negatives stand where positives do."""
    x = np.array([[0.0], [1.0], [2.0], [1.0], [3.0], [2.0], [0.0], [4.0]])
    value, metrics, _ = run(BatchAllTripletLoss(margin), x, LABELS, ITEMS)
    rows = triplets(
        *(
            (a, p, n)
            for a in range(8)
            for p in range(8)
            for n in range(8)
            if a != p and LABELS[a] == LABELS[p] != LABELS[n]
        )
    )
    expected, figures, _ = run(TripletLoss(margin, reduction="mean_active"), x, rows)
    assert value == pytest.approx(expected)
    assert metrics == pytest.approx(figures)


@pytest.mark.parametrize("kind", ["batch_all", "semi_hard_all"])
def test_memory_grows_with_the_pairs_not_the_triplets(kind: str) -> None:
    ops, most = NumpyOps(), []
    for rows in (128, 256):  # of twice the rows there are four times the pairs
        x = np.random.default_rng(0).normal(size=(rows, 16)).astype(np.float32)
        items = np.arange(rows, dtype=np.int32)
        labels = items // 32

        def loss(params: Any, x: Any = x, labels: Any = labels, items: Any = items) -> Any:
            if kind == "batch_all":
                return BatchAllTripletLoss()(ops, params["x"], labels, items)
            mined = mining.semi_hard_all(ops, params["x"], labels, items, 7)
            return TripletLoss()(ops, params["x"], mined)

        ops.value_and_grad(loss)({"x": x})
        tracemalloc.start()
        ops.value_and_grad(loss)({"x": x})
        most.append(tracemalloc.get_traced_memory()[1] / rows**2)
        tracemalloc.stop()
    assert most[1] < 1.2 * most[0]
    assert most[1] < 100.0  # bytes a pair; there are 31 triplets to one


def test_hard_negative_ratio_and_ties() -> None:
    x = np.array([[0.0], [1.0], [-1.0], [0.5], [2.0]])
    _, metrics, _ = run(TripletLoss(), x, triplets((0, 1, 2), (0, 1, 3), (0, 1, 4)))
    assert metrics["hard_negative_ratio"] == metrics["triplet_accuracy"] == pytest.approx(1 / 3)
    labels = np.array([0, 0, 1, 2, 3], np.int32)
    _, metrics, _ = run(BatchAllTripletLoss(), x, labels, ITEMS[:5])
    # Anchor 0: |−1| ties with the positive, 0.5 is nearer, 2 is farther. Anchor 1: 2, 0.5 and 1.
    assert metrics["hard_negative_ratio"] == pytest.approx(2 / 6)
    assert metrics["triplet_accuracy"] == pytest.approx(2 / 6)


def test_reduction_none_keeps_the_triplets() -> None:
    chosen = triplets((0, 1, 7), (3, 4, 5), (5, 6, 0))
    chosen = chosen._replace(valid=np.array([True, False, True]))
    terms, _ = TripletLoss(9.0, reduction="none")(OPS, X, chosen)
    total, _ = TripletLoss(9.0, reduction="sum")(OPS, X, chosen)
    assert terms.shape == (3,)
    assert float(terms[1]) == 0.0
    assert float(OPS.sum(terms)) == pytest.approx(float(total))


@pytest.mark.parametrize("kind", [TripletLoss, FocalTripletLoss])
def test_a_margin_may_be_an_array(kind: Any) -> None:
    chosen = triplets((0, 1, 7), (3, 4, 5))
    expected, _ = kind(0.7)(OPS, X, chosen)
    assert float(kind(OPS.asarray(0.7))(OPS, X, chosen)[0]) == float(expected)


def test_softplus_does_not_overflow() -> None:
    x = np.array([-1e4, -1.0, 0.0, 1.0, 1e4])
    value, _, gradients = OPS.value_and_grad(lambda p: (OPS.sum(softplus(OPS, p["x"])), {}))(
        {"x": x}
    )
    assert float(value) == pytest.approx(np.logaddexp(0.0, x).sum())
    np.testing.assert_allclose(gradients["x"], 0.5 * (1.0 + np.tanh(0.5 * x)), atol=1e-15)


def test_uniformity_is_least_where_rows_lie_evenly() -> None:
    apart = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    assert float(contrastive.uniformity(OPS, 0.0 * apart + 1.0, ITEMS[:4])) == pytest.approx(0.0)
    together = np.abs(apart)
    values = [float(contrastive.uniformity(OPS, x, ITEMS[:4])) for x in (apart, together)]
    assert values[0] < values[1] < 0.0
    assert float(contrastive.uniformity(OPS, apart, 0 * ITEMS[:4])) == 0.0


def test_adaptive_margin() -> None:
    scheduler = AdaptiveMarginScheduler(0.2, 0.5)
    assert scheduler.current_margin == 0.2
    steps = [scheduler.step(epoch, 10) for epoch in (0, 5, 10)]
    assert steps == pytest.approx([0.2, 0.35, 0.5])
    assert scheduler.current_margin == pytest.approx(0.5)
    for epoch, total in ((-1, 10), (11, 10), (0, 0)):
        with pytest.raises(ValueError, match="epoch must be between"):
            scheduler.step(epoch, total)
    with pytest.raises(ValueError, match="target_margin must be above 0, received 0"):
        AdaptiveMarginScheduler(0.2, 0.0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TripletLoss(0.0), "margin must be above 0, received 0.0"),
        (lambda: TripletLoss(float("nan")), "margin must be above 0"),
        (lambda: TripletLoss(-0.1, soft_margin=True), "margin must be at least 0"),
        (lambda: TripletLoss(0.2, "l1"), "distance must be one of euclidean, squared, cosine"),
        (lambda: TripletLoss(0.2, reduction="all"), "reduction must be one of"),
        (lambda: FocalTripletLoss(0.2, -1.0), "gamma must be at least 0"),
        (lambda: BatchAllTripletLoss(0.2, reduction="none"), "must not be 'none'"),
        (lambda: contrastive.SupConLoss(0.0), "temperature must be above 0"),
        (lambda: contrastive.InfoNCELoss(-1.0), "temperature must be above 0"),
        (lambda: contrastive.MultiSimilarityLoss(beta=0.0), "beta must be above 0"),
        (lambda: contrastive.MultiSimilarityLoss(epsilon=-0.1), "epsilon must be at least 0"),
        (lambda: contrastive.CircleLoss(gamma=0.0), "gamma must be above 0"),
        (lambda: contrastive.WithUniformity(contrastive.SupConLoss(), 0.0), "weight must be"),
    ],
)
def test_settings_out_of_range_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
