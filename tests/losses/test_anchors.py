"""Batches in which some rows are anchors: every loss and miner against a loop over pairs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from dtgcnn_numpy import NumpyOps

from dtgcnn import DTGCNNConfig
from dtgcnn.losses import contrastive, mining
from dtgcnn.losses.batch_all import BatchAllTripletLoss
from dtgcnn.losses.objective import objective

OPS = NumpyOps(dtype="float64")
ROWS = 7
LABELS = np.array([0, 0, 1, 1, 2, 2, 0], np.int32).repeat(2)
ITEMS = np.arange(ROWS, dtype=np.int32).repeat(2)
TURNS = np.arange(2 * ROWS) % 2 == 0
X = np.random.default_rng(1).normal(size=(ROWS, 4)).repeat(2, axis=0)
X += 0.4 * np.random.default_rng(2).normal(size=X.shape)
KEY = np.array([5, 6], np.uint32)

ANCHORS = {
    "in turns": TURNS,
    "some": np.random.default_rng(4).random(2 * ROWS) < 0.4,
    "all": np.ones(2 * ROWS, bool),
    "none": np.zeros(2 * ROWS, bool),
}
Pairs = dict[int, tuple[list[int], list[int]]]


def allowed(anchors: Any, labels: Any = LABELS, items: Any = ITEMS) -> Pairs:
    """Of each anchor its positives and its negatives: rows that are no anchors."""
    pairs: Pairs = {}
    for a in range(len(labels)):
        if anchors[a]:
            others = [b for b in range(len(labels)) if not anchors[b]]
            positive = [b for b in others if labels[a] == labels[b] and items[a] != items[b]]
            pairs[a] = positive, [b for b in others if labels[a] != labels[b]]
    return pairs


def cosines(x: Any = X) -> Any:
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    return unit @ unit.T


def mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def both(pairs: Pairs) -> Pairs:
    return {a: found for a, found in pairs.items() if found[0] and found[1]}


def sup_con(pairs: Pairs, s: Any) -> float:
    rows = []
    for a, (positive, negative) in both(pairs).items():
        total = sum(np.exp(s[a, b] / 0.1) for b in positive + negative)
        rows.append(mean([float(np.log(total)) - s[a, p] / 0.1 for p in positive]))
    return mean(rows)


def info_nce(pairs: Pairs, s: Any) -> float:
    terms = []
    for a, (positive, negative) in both(pairs).items():
        against = sum(np.exp(s[a, n] / 0.1) for n in negative)
        terms += [float(np.log(1.0 + against / np.exp(s[a, p] / 0.1))) for p in positive]
    return mean(terms)


def circle(pairs: Pairs, s: Any) -> float:
    m, gamma, rows = 0.4, 80.0, []
    for a, (positive, negative) in both(pairs).items():
        of_p = sum(np.exp(-gamma * max(1 + m - s[a, p], 0) * (s[a, p] - (1 - m))) for p in positive)
        of_n = sum(np.exp(gamma * max(s[a, n] + m, 0) * (s[a, n] - m)) for n in negative)
        rows.append(float(np.log(1.0 + of_p * of_n)))
    return mean(rows)


def batch_all(pairs: Pairs, s: Any) -> float:
    d = np.linalg.norm(X[:, None] - X[None], axis=2)
    hinges = [
        d[a, p] - d[a, n] + 0.2
        for a, (positive, negative) in pairs.items()
        for p in positive
        for n in negative
    ]
    return mean([float(hinge) for hinge in hinges if hinge > 0.0])


LOSSES: dict[str, tuple[Any, Callable[[Pairs, Any], float]]] = {
    "supcon": (contrastive.SupConLoss(temperature=0.1), sup_con),
    "info_nce": (contrastive.InfoNCELoss(temperature=0.1), info_nce),
    "circle": (contrastive.CircleLoss(m=0.4, gamma=80.0), circle),
    "batch_all": (BatchAllTripletLoss(0.2, reduction="mean_active"), batch_all),
}


@pytest.mark.parametrize("kind", ANCHORS)
@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_is_of_the_pairs_of_anchors(name: str, kind: str) -> None:
    loss, by_hand = LOSSES[name]
    anchors = ANCHORS[kind]
    value, metrics = loss(OPS, X, LABELS, ITEMS, anchors)
    assert float(value) == pytest.approx(by_hand(allowed(anchors), cosines()), rel=1e-9)
    triplets = sum(len(p) * len(n) for p, n in allowed(anchors).values())
    assert float(metrics["valid_triplets"]) == triplets
    of_any = float(loss(OPS, X, LABELS, ITEMS)[0])
    assert of_any == float(loss(OPS, X, LABELS, ITEMS, None)[0]) != float(value)


@pytest.mark.parametrize("kind", ANCHORS)
@pytest.mark.parametrize("epsilon", [0.1, None])
def test_multi_similarity_of_anchors(kind: str, epsilon: float | None) -> None:
    alpha, beta, base = 2.0, 50.0, 0.5
    s, rows = cosines(), []
    for a, (positive, negative) in allowed(ANCHORS[kind]).items():
        if epsilon is not None:  # Wang et al. 2019, equations 11 and 12
            near, far = (max(s[a, negative], default=-9.0), min(s[a, positive], default=9.0))
            positive = [p for p in positive if s[a, p] < near + epsilon]
            negative = [n for n in negative if s[a, n] > far - epsilon]
        rows.append(
            np.log1p(sum(np.exp(-alpha * (s[a, p] - base)) for p in positive)) / alpha
            + np.log1p(sum(np.exp(beta * (s[a, n] - base)) for n in negative)) / beta
        )
    loss = contrastive.MultiSimilarityLoss(alpha, beta, base, epsilon)
    value, _ = loss(OPS, X, LABELS, ITEMS, ANCHORS[kind])
    assert float(value) == pytest.approx(sum(rows) / max(np.sum(ANCHORS[kind]), 1), rel=1e-9)


def test_uniformity_is_of_all_rows() -> None:
    inner = contrastive.SupConLoss()
    value, metrics = contrastive.WithUniformity(inner, 0.3)(OPS, X, LABELS, ITEMS, TURNS)
    own = float(inner(OPS, X, LABELS, ITEMS, TURNS)[0])
    assert float(value) == pytest.approx(own + 0.3 * float(metrics["uniformity"]))
    assert float(metrics["uniformity"]) == float(contrastive.uniformity(OPS, X, ITEMS))


def hardest(pairs: Pairs, d: Any) -> list[tuple[int, int, int]]:
    return [
        (a, max(p, key=lambda b: d[a, b]), min(n, key=lambda b: d[a, b]))
        for a, (p, n) in both(pairs).items()
    ]


def beyond(a: int, p: int, negative: list[int], d: Any) -> int | None:
    farther = [n for n in negative if d[a, n] > d[a, p]]
    return min(farther, key=lambda n: d[a, n]) if farther else None


def easiest(pairs: Pairs, d: Any) -> list[tuple[int, int, int]]:
    found = []
    for a, (positive, negative) in both(pairs).items():
        p = min(positive, key=lambda b: d[a, b])
        n = beyond(a, p, negative, d)
        found += [] if n is None else [(a, p, n)]
    return found


def semi_hard_of_all(pairs: Pairs, d: Any) -> list[tuple[int, int, int]]:
    return [
        (a, p, n)
        for a, (positive, negative) in pairs.items()
        for p in positive
        for n in [beyond(a, p, negative, d)]
        if n is not None
    ]


def real(mined: mining.Triplets) -> list[tuple[int, int, int]]:
    return sorted(zip(*(places[mined.valid].tolist() for places in mined[:3]), strict=True))


MINERS: dict[str, tuple[Any, Callable[[Pairs, Any], Any]]] = {
    "batch_hard": (mining.batch_hard, hardest),
    "easy_positive": (
        lambda ops, x, labels, items, anchors: mining.easy_positive(
            ops, x, labels, items, anchors=anchors
        ),
        easiest,
    ),
    "semi_hard_all": (
        lambda ops, x, labels, items, anchors: mining.semi_hard_all(
            ops, x, labels, items, 9, anchors
        ),
        semi_hard_of_all,
    ),
}


@pytest.mark.parametrize("kind", ANCHORS)
@pytest.mark.parametrize("name", MINERS)
def test_a_miner_takes_pairs_of_anchors(name: str, kind: str) -> None:
    mine, by_hand = MINERS[name]
    d = np.linalg.norm(X[:, None] - X[None], axis=2)
    found = real(mine(OPS, X, LABELS, ITEMS, ANCHORS[kind]))
    assert found == sorted(by_hand(allowed(ANCHORS[kind]), d))
    assert bool(found) == (kind in ("in turns", "some"))


def test_semi_hard_negatives_are_no_anchors() -> None:
    d = np.linalg.norm(X[:, None] - X[None], axis=2)
    pairs = mining.batch_hard(OPS, X, LABELS, ITEMS, TURNS)
    found = real(mining.semi_hard(OPS, X, LABELS, pairs, TURNS))
    expected = []
    for a, p, _ in real(pairs):
        n = beyond(a, p, allowed(TURNS)[a][1], d)
        expected += [] if n is None else [(a, p, n)]
    assert found == sorted(expected)
    assert found != real(mining.semi_hard(OPS, X, LABELS, pairs))


def test_drawn_negatives_are_no_anchors() -> None:
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    d, seen = np.linalg.norm(unit[:, None] - unit[None], axis=2), set()
    pairs = allowed(TURNS)
    for word in range(60):
        key = np.array([word, 6], np.uint32)
        mined = real(mining.distance_weighted(OPS, X, LABELS, ITEMS, 9, key, anchors=TURNS))
        assert {(a, p) for a, p, _ in mined} == {
            (a, p) for a, (ps, ns) in pairs.items() for p in ps if min(d[a, ns]) < 1.4
        }
        seen |= {(a, n) for a, _, n in mined}
    assert seen <= {(a, n) for a, (_, ns) in pairs.items() for n in ns if d[a, n] < 1.4}
    assert len({n for _, n in seen}) == ROWS, "every second row is drawn some time"


@pytest.mark.parametrize(
    "settings",
    [
        *({"mining_strategy": m} for m in ("auto", "batch_hard", "easy_positive", "semi_hard")),
        {"mining_strategy": "distance_weighted"},
        *({"loss": name} for name in (*LOSSES, "multi_similarity")),
        {"loss": "supcon", "uniformity_weight": 0.2},
        {"loss": "focal"},
    ],
    ids=str,
)
def test_the_objective_hands_the_anchors_on(settings: Any) -> None:
    config = DTGCNNConfig(**settings)
    batch = {"labels": LABELS, "items": ITEMS, "mining_key": KEY, "anchors": TURNS}
    value, metrics = objective(OPS, config, X, batch)
    of_any, figures = objective(OPS, config, X, {k: v for k, v in batch.items() if k != "anchors"})
    assert float(value) != float(of_any)
    assert float(metrics["valid_triplets"]) < float(figures["valid_triplets"])
    _, _, gradients = OPS.value_and_grad(lambda p: objective(OPS, config, p["x"], batch))({"x": X})
    assert np.isfinite(gradients["x"]).all()


def test_explicit_triplets_keep_their_places_with_anchors() -> None:
    config = DTGCNNConfig(mining_strategy="explicit")
    triplets = np.array([[0, 3, 5], [2, 1, 9], [-1, 0, 0]], np.int32)
    batch = {"labels": LABELS, "items": ITEMS, "triplets": triplets, "anchors": TURNS}
    value, metrics = objective(OPS, config, X, batch)
    d = np.linalg.norm(X[:, None] - X[None], axis=2)
    hinges = [max(d[a, p] - d[a, n] + config.triplet_margin, 0.0) for a, p, n in triplets[:2]]
    assert float(value) == pytest.approx(mean(hinges))
    assert float(metrics["valid_triplets"]) == 2.0
