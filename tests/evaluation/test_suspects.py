"""Labels that look wrong, against scikit-learn's own out-of-fold predictions and planted faults."""

from __future__ import annotations

import numpy as np
import pytest

from dtgcnn.evaluation import suspect_labels

pytest.importorskip("sklearn")


def blobs(per_class: int = 20, classes: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), per_class)
    return np.eye(8)[labels] + 0.3 * rng.standard_normal((len(labels), 8)), labels


def test_planted_faults_come_first_with_their_own_class() -> None:
    x, y = blobs()
    given = y.copy()
    flipped = np.array([3, 25, 47, 70])
    given[flipped] = (y[flipped] + 1) % 4
    found = suspect_labels(x, given)
    assert set(found.rows[:4]) == set(flipped)
    assert (found.suggested[:4] == y[found.rows[:4]]).all()
    assert found.suspected[:4].all()
    assert not found.suspected[20:].any()
    assert (np.diff(found.scores) >= 0).all()
    assert (found.scores[:4] < 0.5).all()
    assert sorted(found.rows) == list(range(80))
    again = suspect_labels(100 * x, given)
    assert (again.rows == found.rows).all()


def test_scores_are_those_of_sklearns_cross_validation() -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    x, y = blobs()
    y[[5, 30]] = 3
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    log_p = np.zeros((80, 4))
    for seed in range(5):
        model, folds = (
            LogisticRegression(C=3.0),
            StratifiedKFold(5, shuffle=True, random_state=seed),
        )
        log_p += cross_val_predict(model, unit, y, cv=folds, method="predict_log_proba") / 5
    found = suspect_labels(x, y)
    for row, score, suggested in zip(found.rows, found.scores, found.suggested):
        own, others = log_p[row, y[row]], np.delete(log_p[row], y[row])
        assert score == pytest.approx(np.exp(own) / (np.exp(own) + np.exp(others.max())), abs=1e-3)
        assert suggested == np.delete(np.arange(4), y[row])[others.argmax()]


def test_rows_without_a_label_and_lone_ones_take_no_part() -> None:
    x, y = blobs()
    y[[0, 1]] = -1
    y[2] = 9
    found = suspect_labels(x, y)
    assert found.left_out.tolist() == [2]
    assert sorted(found.rows) == list(range(3, 80))
    assert set(found.suggested) <= {0, 1, 2, 3}


def test_classes_of_fewer_rows_than_folds() -> None:
    x, y = blobs(per_class=2)
    found = suspect_labels(x, y)
    assert sorted(found.rows) == list(range(8))


def test_what_is_refused() -> None:
    x, y = blobs()
    with pytest.raises(ValueError, match=r"two classes of two rows or more.*1 of 2"):
        suspect_labels(x[:21], y[:21])
    with pytest.raises(ValueError, match=r"labels must have shape \(80,\), received \(79,\)"):
        suspect_labels(x, y[1:])
    with pytest.raises(ValueError, match="vectors"):
        suspect_labels(np.full((80, 3), np.nan), y)
    with pytest.raises(ValueError, match="seed must be from 0 to 4294967295, received -1"):
        suspect_labels(x, y, seed=-1)


def test_the_largest_seed() -> None:
    x, y = blobs()
    assert len(suspect_labels(x, y, seed=2**32 - 1).rows) == len(y)
