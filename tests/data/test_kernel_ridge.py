"""Kernel ridge regression in single precision, against the definition in double."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import linalg

from dtgcnn.data import closed_form, kernel_ridge

CLASSES = 3


def rows_of(count: int, copies: int = 1) -> Any:
    """Unit rows of three classes that overlap, each ``copies`` times, and their labels."""
    rng = np.random.default_rng(0)
    labels = np.arange(count) % CLASSES
    x = rng.normal(size=(CLASSES, 5))[labels] + rng.normal(size=(count, 5))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    return np.repeat(x, copies, axis=0), np.repeat(labels, copies)


def solved(k: Any, targets: Any, ridge: float) -> Any:
    """``A`` and the predictions of one row left out, by the inverse."""
    inverse = np.linalg.inv(k + ridge * np.eye(len(k)))
    a = inverse @ targets
    return a, targets - a / np.diag(inverse)[:, None]


@pytest.mark.parametrize("copies", [1, 4])
@pytest.mark.parametrize("block", [7, 1024])
@pytest.mark.parametrize(("dtype", "close"), [(np.float64, 1e-11), (np.float32, 3e-5)])
def test_it_is_the_solution_of_the_whole_kernel(
    copies: int, block: int, dtype: Any, close: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel_ridge, "KERNEL_BLOCK", block)
    x, labels = rows_of(80, copies)
    k = np.exp(2.0 * (x @ x.T - 1.0))
    targets = kernel_ridge.class_targets(labels, CLASSES)
    expected = solved(k, targets, 0.1)
    views = closed_form._Views(x.astype(dtype), x.astype(dtype))
    made = views.own_kernel()
    assert made.dtype == dtype
    np.testing.assert_allclose(made, k, atol=close / 10)
    found, own = kernel_ridge.ridge_regression(made, targets, 0.1, left_out=True)
    assert own is not None
    for one, other in zip((found, own), expected, strict=True):
        np.testing.assert_allclose(one, other, atol=close * np.abs(other).max())
    assert kernel_ridge.ridge_regression(views.own_kernel(), targets, 0.1)[1] is None


def test_single_precision_is_refined() -> None:
    """Of a kernel that is told exactly, the solution is as good as double precision's, nearly."""
    x, labels = rows_of(900)
    k = np.exp(2.0 * (x @ x.T - 1.0)).astype(np.float32)
    k = np.maximum(k, k.T)
    targets = kernel_ridge.class_targets(labels, CLASSES)
    expected, _ = solved(k.astype(np.float64), targets, 0.01)
    size = np.linalg.norm(expected)
    shifted, once = k + np.float32(0.01) * np.eye(900, dtype=np.float32), targets.astype("f")
    unrefined = np.linalg.norm(linalg.solve(shifted, once, assume_a="pos") - expected)
    found, _ = kernel_ridge.ridge_regression(k, targets, 0.01)
    refined = np.linalg.norm(found - expected)
    assert refined < 1e-6 * size
    assert refined < 1e-2 * unrefined


def test_what_single_precision_cannot_solve_is_solved_in_double() -> None:
    ones = np.ones((300, 300), np.float32)
    targets = kernel_ridge.class_targets(np.arange(300) % CLASSES, CLASSES)
    found, _ = kernel_ridge.ridge_regression(ones, targets, 1e-8)
    np.testing.assert_allclose(found, targets / 1e-8, rtol=1e-4)  # each column sums to 0


def test_what_is_no_kernel_is_refused() -> None:
    wrong = np.zeros((4, 4)) - 1.0
    targets = kernel_ridge.class_targets(np.arange(4) % 2, 2)
    with pytest.raises(np.linalg.LinAlgError, match="not positive definite"):
        kernel_ridge.ridge_regression(wrong, targets, 0.1)


def test_large_kernels_are_of_single_precision() -> None:
    assert kernel_ridge.kernel_type(kernel_ridge.SINGLE_ROWS) == np.float64
    assert kernel_ridge.kernel_type(kernel_ridge.SINGLE_ROWS + 1) == np.float32
