"""Votes fitted on held-out rows, the score of rows in scope, and calibration errors."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import logsumexp

from dtgcnn.evaluation import Held, expected_calibration_error, fit_calibration, fit_votes

CLASSES, NEAREST = 6, 10


def votes_drawn(tau: float, epsilon: float, rows: int) -> tuple[np.ndarray, ...]:
    """Classes and cosines of the nearest of each row, the probabilities that votes give, and
    classes that were drawn by them."""
    rng = np.random.default_rng(3)
    cosines = -np.sort(-rng.uniform(0.2, 0.99, (rows, NEAREST)), axis=1)
    voted = rng.integers(0, CLASSES, (rows, NEAREST))
    p = np.full((rows, CLASSES), epsilon / CLASSES)
    for row in range(rows):
        for label, cosine in zip(voted[row], cosines[row], strict=True):
            p[row, label] += np.exp((cosine - 1.0) / tau)
    p /= p.sum(axis=1, keepdims=True)
    drawn = np.array([rng.choice(CLASSES, p=row) for row in p])
    return voted, cosines, p, drawn


def held_of(labels: np.ndarray, voted: np.ndarray, cosines: np.ndarray) -> Held:
    empty = np.zeros((len(labels), 3))
    return Held(labels, voted, cosines, empty, empty, empty, empty)


@pytest.mark.parametrize(("tau", "epsilon"), [(0.08, 0.05), (0.3, 0.4), (0.15, 0.01)])
def test_votes_that_made_the_labels_are_found_again(tau: float, epsilon: float) -> None:
    voted, cosines, _, drawn = votes_drawn(tau, epsilon, 6_000)
    found = fit_votes(held_of(drawn, voted, cosines), CLASSES)
    assert found[0] == pytest.approx(tau, rel=0.15)
    assert found[1] == pytest.approx(epsilon, rel=0.4)


def test_no_votes_near_the_fitted_ones_are_likelier() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    voted, cosines, _, drawn = votes_drawn(0.15, 0.2, 3_000)

    def loss(tau: float, epsilon: float) -> float:
        logs = np.full((len(drawn), CLASSES), -np.inf)
        for label in range(CLASSES):
            powers = np.where(voted == label, (cosines - 1.0) / tau, -np.inf)
            doubt = np.full((len(drawn), 1), np.log(epsilon / CLASSES))
            logs[:, label] = logsumexp(np.concatenate([powers, doubt], axis=1), axis=1)
        p = np.exp(logs - logsumexp(logs, axis=1, keepdims=True))
        return float(metrics.log_loss(drawn, p, labels=range(CLASSES)))

    tau, epsilon = fit_votes(held_of(drawn, voted, cosines), CLASSES)
    best = loss(tau, epsilon)
    for factor in (0.7, 1.4):
        assert loss(tau * factor, epsilon) > best
        assert loss(tau, epsilon * factor) > best


def test_a_few_rows_that_are_all_told_right_leave_doubt() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(CLASSES), 5)
    cosines = -np.sort(-rng.uniform(0.9, 0.99, (30, NEAREST)), axis=1)
    tau, epsilon = fit_votes(held_of(labels, np.repeat(labels[:, None], 10, 1), cosines), CLASSES)
    votes = np.exp((cosines - 1.0) / tau).sum(axis=1)
    wrong = epsilon * (1 - 1 / CLASSES) / (votes + epsilon)
    assert wrong.mean() == pytest.approx(1 / 32, rel=0.05)


def test_calibration_error_is_that_of_its_bins() -> None:
    rng = np.random.default_rng(1)
    confidence = np.concatenate([rng.uniform(0.1, 1.0, 500), [1.0, 1.0, 1 / 15, 0.4]])
    correct = rng.uniform(size=len(confidence)) < confidence**2
    total = 0.0
    for b in range(15):
        inside = [i for i, c in enumerate(confidence) if b / 15 < c <= (b + 1) / 15]
        if inside:
            gap = np.mean(correct[inside]) - np.mean(confidence[inside])
            total += len(inside) / len(confidence) * abs(gap)
    assert expected_calibration_error(confidence, correct) == pytest.approx(total, abs=1e-12)
    assert expected_calibration_error([0.9, 0.9], [True, False]) == pytest.approx(0.4)
    assert expected_calibration_error([0.0, 1.0], [False, True]) == 0.0
    with pytest.raises(ValueError, match=r"received shapes \(2,\) and \(1,\)"):
        expected_calibration_error([0.5, 0.5], [True])
    with pytest.raises(ValueError, match="1 or more"):
        expected_calibration_error([], [])
    for sure, right, bins, message in (
        ([0.5, float("nan")], [1, 0], 15, r"confidence must be in \[0, 1\], received nan"),
        ([50.0, 70.0], [1, 0], 15, r"confidence must be in \[0, 1\], received 50"),
        ([0.5], [float("nan")], 15, "correct must be true or false"),
        ([0.5], [1], 0, "bins must be at least 1, received 0"),
    ):
        with pytest.raises(ValueError, match=message):
            expected_calibration_error(sure, right, bins)
    assert expected_calibration_error([np.nextafter(np.float32(1), np.float32(2))], [True]) < 1e-6


def test_the_score_weighs_what_tells_unseen_classes() -> None:
    """Of a class whose rows lie around its mean, but near no single row, the mean tells."""
    rng = np.random.default_rng(2)
    centres, classes = np.eye(40)[:8], np.repeat(np.arange(8), 40)

    def rows(labels: np.ndarray) -> np.ndarray:
        x = centres[labels] + 0.25 * rng.normal(size=(len(labels), 40))
        return x / np.linalg.norm(x, axis=1, keepdims=True)

    known_x, x, labels = (
        rows(classes),
        rows(np.repeat(np.arange(8), 12)),
        np.repeat(np.arange(8), 12),
    )
    means = np.stack([known_x[classes == c].mean(axis=0) for c in range(8)])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    close = rng.uniform(0.5, 1.0, len(x))
    cosines = x @ known_x.T
    scope = np.stack([cosines.max(axis=1), (x @ means.T).max(axis=1), close], axis=1)
    near = np.argsort(-cosines, axis=1)[:, :10]
    held = Held(
        labels, classes[near], np.take_along_axis(cosines, near, 1), scope, x, known_x, classes
    )
    found = fit_calibration(held, 8)
    scores = scope @ found["weights"] + found["offset"]
    assert scores.mean() == pytest.approx(0.0, abs=1e-9)
    assert found["weights"][2] == pytest.approx(1 / close.std())
    assert found["weights"][1] > 2 * found["weights"][0] >= 0.0
    inputs = scope[:, :2] @ found["weights"][:2]
    assert inputs.std() == pytest.approx(1.0)
    for rate in (0.0, 0.25, 0.5, 1.0):
        assert found["quantiles"][round(1000 * rate)] == pytest.approx(np.quantile(scores, rate))
