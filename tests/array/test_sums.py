"""Long sums on each backend, their gradients, and what the losses count by them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dtgcnn.array import load_ops, numerics
from dtgcnn.losses import BatchAllTripletLoss


def test_the_mean_of_many_tenths_is_a_tenth(backend: str) -> None:
    ops = load_ops(backend)
    for shape, axis in (((3_000_000,), None), ((1_000_000, 2), 0), ((2, 1_000_000), 1)):
        tenths = ops.asarray(np.full(shape, 0.1, np.float32))
        mean = ops.to_numpy(numerics.mean(ops, tenths, axis))
        np.testing.assert_allclose(mean, 0.1, rtol=5e-6)


@pytest.mark.parametrize(("shape", "axis"), [((5000,), None), ((5000, 2), 0), ((2, 5000), -1)])
def test_the_gradient_of_a_long_sum(backend: str, shape: tuple[int, ...], axis: int | None) -> None:
    ops, x = load_ops(backend), np.random.default_rng(3).normal(size=shape).astype(np.float32)

    def total(p: Any) -> Any:
        sums = ops.sum(p["x"] * p["x"], axis=axis, keepdims=True)
        return ops.sum(sums * sums), {}

    value, _, gradient = ops.value_and_grad(total)({"x": ops.asarray(x)})
    sums = np.sum(x.astype(np.float64) ** 2, axis=axis, keepdims=True)
    np.testing.assert_allclose(ops.to_numpy(value), np.sum(sums**2), rtol=1e-5)
    np.testing.assert_allclose(ops.to_numpy(gradient["x"]), 4.0 * sums * x, rtol=1e-5, atol=1e-3)


def test_batch_all_counts_its_triplets(backend: str) -> None:
    ops, n = load_ops(backend), 2000
    x = np.random.default_rng(0).normal(size=(n, 3)).astype(np.float32)
    labels, items = np.arange(n, dtype=np.int32) % 2, np.arange(n, dtype=np.int32)
    _, metrics = BatchAllTripletLoss()(ops, *(ops.asarray(a) for a in (x, labels, items)))
    counted = float(ops.to_numpy(metrics["valid_triplets"]))
    assert counted == pytest.approx(n * (n // 2 - 1) * (n // 2), rel=1e-6)
