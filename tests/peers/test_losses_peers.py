"""Losses and miners against pytorch-metric-learning and PyTorch, in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from dtgcnn_numpy import NumpyOps

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytest.importorskip("pytorch_metric_learning", reason="it is not installed")

from pytorch_metric_learning import distances, losses, miners, reducers  # noqa: E402

from dtgcnn.losses import contrastive, mining  # noqa: E402
from dtgcnn.losses.batch_all import BatchAllTripletLoss  # noqa: E402
from dtgcnn.losses.triplet import FocalTripletLoss, TripletLoss  # noqa: E402

OPS = NumpyOps(dtype="float64")
LABELS = np.array([0, 0, 0, 1, 1, 2, 2, 2, 2, 3, 4, 4, 0, 5, 5, 1], np.int32)
ITEMS = np.arange(len(LABELS), dtype=np.int32)
X = np.random.default_rng(4).normal(size=(len(LABELS), 6)) + 0.4
TRIPLETS = np.array(
    [
        [a, p, n]
        for a in range(len(LABELS))
        for p in range(len(LABELS))
        for n in range(len(LABELS))
        if a != p and LABELS[a] == LABELS[p] != LABELS[n]
    ],
    np.int32,
)
PEER_TRIPLETS = tuple(torch.tensor(TRIPLETS[:, i].astype(np.int64)) for i in range(3))
DISTANCES = {
    "euclidean": distances.LpDistance(normalize_embeddings=False),
    "squared": distances.LpDistance(normalize_embeddings=False, power=2),
}


def hold(
    ours: Callable[[Any], tuple[Any, Any]], theirs: Callable[[Any], Any], x: Any = X
) -> dict[str, Any]:
    """Hold the value and the gradient of our loss to theirs, and return our metrics."""
    value, metrics, gradients = OPS.value_and_grad(lambda p: ours(p["x"]))({"x": x})
    rows = torch.tensor(x, requires_grad=True)
    expected = theirs(rows)
    expected.backward()
    assert float(value) == pytest.approx(expected.item(), rel=1e-8)
    wanted = rows.grad.numpy()
    largest = np.abs(wanted).max()
    np.testing.assert_allclose(gradients["x"], wanted, rtol=1e-8, atol=1e-9 * largest)
    assert largest > 1e-4
    return {k: float(v) for k, v in metrics.items()}


def on_batch(loss: Any) -> Callable[[Any], tuple[Any, Any]]:
    return lambda x: loss(OPS, x, LABELS, ITEMS)


def peer(loss: Any, *more: Any) -> Callable[[Any], Any]:
    return lambda rows: loss(rows, torch.tensor(LABELS), *more)


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("reduction", ["mean", "sum", "mean_active"])
def test_triplet_loss(distance: Any, swap: bool, soft: bool, reduction: Any) -> None:
    reducer = {
        "mean": reducers.MeanReducer(),
        "sum": reducers.SumReducer(),
        "mean_active": reducers.AvgNonZeroReducer(),
    }[reduction]
    loss = losses.TripletMarginLoss(
        margin=0.7, swap=swap, smooth_loss=soft, distance=DISTANCES[distance], reducer=reducer
    )
    own = TripletLoss(0.7, distance, swap, soft, reduction)
    chosen = mining.explicit(OPS, TRIPLETS)
    metrics = hold(lambda x: own(OPS, x, chosen), lambda rows: loss(rows, None, PEER_TRIPLETS))
    assert metrics["valid_triplets"] == len(TRIPLETS)


def cosine_hinges(rows: Any, margin: float, swap: bool) -> Any:
    """(T,) from first principles: pytorch-metric-learning's inverted distance swaps otherwise."""
    unit = torch.nn.functional.normalize(rows)
    d = 1.0 - unit @ unit.T
    a, p, n = PEER_TRIPLETS
    to_negative = torch.minimum(d[a, n], d[p, n]) if swap else d[a, n]
    return torch.relu(d[a, p] - to_negative + margin)


@pytest.mark.parametrize("swap", [False, True])
def test_cosine_triplet_loss(swap: bool) -> None:
    chosen, own = mining.explicit(OPS, TRIPLETS), TripletLoss(0.2, "cosine", swap)
    hold(lambda x: own(OPS, x, chosen), lambda rows: cosine_hinges(rows, 0.2, swap).mean())
    loss = losses.TripletMarginLoss(
        margin=0.2, swap=swap, distance=distances.CosineSimilarity(), reducer=reducers.MeanReducer()
    )
    hold(lambda x: own(OPS, x, chosen), lambda rows: loss(rows, None, PEER_TRIPLETS))


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
def test_focal_loss_is_the_formula(gamma: float) -> None:
    def theirs(rows: Any) -> Any:
        hinge = cosine_hinges(rows, 0.2, False)
        hinge = hinge[hinge > 0]
        return ((1.0 - torch.exp(-hinge)) ** gamma * hinge).sum() / len(TRIPLETS)

    chosen, own = mining.explicit(OPS, TRIPLETS), FocalTripletLoss(0.2, gamma, "cosine")
    hold(lambda x: own(OPS, x, chosen), theirs)


@pytest.mark.parametrize("margin", [0.05, 0.7, 20.0])
@pytest.mark.parametrize("reduction", ["mean", "sum", "mean_active"])
@pytest.mark.parametrize("distance", DISTANCES)
def test_batch_all(margin: float, reduction: Any, distance: Any) -> None:
    reducer = {
        "mean": reducers.MeanReducer(),
        "sum": reducers.SumReducer(),
        "mean_active": reducers.AvgNonZeroReducer(),
    }[reduction]
    loss = losses.TripletMarginLoss(margin=margin, distance=DISTANCES[distance], reducer=reducer)
    own = BatchAllTripletLoss(margin, distance, reduction)
    metrics = hold(on_batch(own), peer(loss))
    _, expected = TripletLoss(margin, distance)(OPS, X, mining.explicit(OPS, TRIPLETS))
    assert metrics == pytest.approx({k: float(v) for k, v in expected.items()}, rel=1e-10)


def test_batch_all_by_the_cosine() -> None:
    own = BatchAllTripletLoss(0.2, "cosine", "mean")
    hold(on_batch(own), lambda rows: cosine_hinges(rows, 0.2, False).mean())


@pytest.mark.parametrize("temperature", [0.07, 0.1, 1.0])
def test_supervised_contrastive_loss(temperature: float) -> None:
    hold(on_batch(contrastive.SupConLoss(temperature)), peer(losses.SupConLoss(temperature)))


@pytest.mark.parametrize("temperature", [0.07, 0.1, 1.0])
def test_info_nce_is_nt_xent(temperature: float) -> None:
    theirs = losses.NTXentLoss(temperature)
    hold(on_batch(contrastive.InfoNCELoss(temperature)), peer(theirs))


@pytest.mark.parametrize("epsilon", [None, 0.0, 0.1])
@pytest.mark.parametrize(("alpha", "beta", "base"), [(2, 50, 0.5), (1, 3, 0.1)])
def test_multi_similarity_loss(epsilon: Any, alpha: float, beta: float, base: float) -> None:
    loss = losses.MultiSimilarityLoss(alpha, beta, base)
    own = contrastive.MultiSimilarityLoss(alpha, beta, base, epsilon)
    if epsilon is None:
        metrics = hold(on_batch(own), peer(loss))
        assert metrics["active_fraction"] == 1.0
        return
    chosen = miners.MultiSimilarityMiner(epsilon)(torch.tensor(X), torch.tensor(LABELS))
    metrics = hold(on_batch(own), peer(loss, chosen))
    pairs = (len(LABELS) - 1) * len(LABELS)
    assert metrics["active_fraction"] == pytest.approx((len(chosen[0]) + len(chosen[2])) / pairs)


@pytest.mark.parametrize(("m", "gamma"), [(0.25, 80), (0.4, 80), (0.25, 2)])
def test_circle_loss(m: float, gamma: float) -> None:
    hold(on_batch(contrastive.CircleLoss(m, gamma)), peer(losses.CircleLoss(m, gamma)))


def test_uniformity_is_the_papers() -> None:
    def theirs(rows: Any) -> Any:
        unit = torch.nn.functional.normalize(rows)
        uniformity = torch.pdist(unit).pow(2).mul(-2).exp().mean().log()
        return losses.SupConLoss(0.1)(rows, torch.tensor(LABELS)) + 0.3 * uniformity

    own = contrastive.WithUniformity(contrastive.SupConLoss(0.1), 0.3)
    hold(on_batch(own), theirs)


@pytest.mark.parametrize("negative", ["hard", "semi_hard"])
def test_easy_positive(negative: Any) -> None:
    chosen = mining.easy_positive(OPS, X, LABELS, ITEMS, negative)
    strategy = {"hard": miners.BatchEasyHardMiner.HARD, "semi_hard": "semihard"}[negative]
    miner = miners.BatchEasyHardMiner("easy", strategy, distance=DISTANCES["euclidean"])
    anchor, positive, _, far = miner(torch.tensor(X), torch.tensor(LABELS))
    for own, other in zip(chosen[:3], (anchor, positive, far), strict=True):
        np.testing.assert_array_equal(own[chosen.valid], other.numpy())


def test_distance_weighted_draws_as_the_weights_say() -> None:
    """The share of each negative, over many keys, is its weight in the peer's formula."""
    keys = [np.array([7, i], np.uint32) for i in range(3000)]
    counts = np.zeros((len(LABELS), len(LABELS)))
    for key in keys:
        drawn = mining.distance_weighted(OPS, X, LABELS, ITEMS, 1, key)
        np.add.at(counts, (drawn.anchor[drawn.valid], drawn.negative[drawn.valid]), 1)
    d = torch.clamp(distances.LpDistance()(torch.tensor(X)), min=0.5).numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        weights = np.exp((2.0 - 6.0) * np.log(d) - 1.5 * np.log(1.0 - 0.25 * d * d))
    weights[(LABELS[:, None] == LABELS) | (d >= 1.4)] = 0.0
    rows = np.array([np.sum(label == LABELS) > 1 for label in LABELS])
    shares = weights[rows] / weights[rows].sum(axis=1, keepdims=True)
    np.testing.assert_array_equal(counts[~rows], 0)
    np.testing.assert_allclose(counts[rows] / len(keys), shares, atol=0.04)
