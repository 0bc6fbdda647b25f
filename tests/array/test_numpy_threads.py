"""The NumPy backend's threads: as many as BLAS has, and no bit depends on their number."""

from __future__ import annotations

import inspect
import threading
import time
from typing import Any

import numpy as np
import pytest
from dtgcnn_numpy import NumpyOps, pool
from dtgcnn_numpy.products import product
from threadpoolctl import threadpool_info, threadpool_limits

from dtgcnn.array import flatten, numerics, random
from dtgcnn.array.random import derive_key
from dtgcnn.config import DTGCNNConfig
from dtgcnn.model import Network
from dtgcnn.optim.optimizers import adamw
from dtgcnn.training.step import TrainingStep

OPS = NumpyOps()


def normal(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def blas_threads() -> list[int]:
    return [p["num_threads"] for p in threadpool_info() if p["user_api"] == "blas"]


def steps(threads: int, count: int, **settings: Any) -> dict[str, Any]:
    """All that two steps leave, of ``count`` rows that link to each other."""
    config = DTGCNNConfig(
        input_dim=300, start="none", hidden_dims=(256, 96), output_dim=40, graph_scope="batch"
    ).replace(**settings)
    network = Network.from_config(config)
    step = TrainingStep(OPS, config, network, adamw())
    params, state = network.init(OPS, 0)
    moments = step.init(params)
    labels = np.arange(count, dtype=np.int32) // 4
    x = normal(count, 300) + normal(count // 4 + 1, 300, seed=1)[labels]
    batch = {"x": x, "labels": labels, "items": np.arange(count, dtype=np.int32)}
    with threadpool_limits(threads, user_api="blas"):
        for index in range(2):
            key = OPS.asarray(derive_key(0, "step", index), "uint32")
            taken = step(params, state, moments, batch, {}, key, OPS.asarray(1e-3))
            params, state, moments, metrics = taken
    return flatten({"params": params, "state": state, "moments": moments, "metrics": metrics})


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"graph_self_weight": None, "mining_strategy": "batch_hard"},
        {"loss": "supcon", "use_batch_norm": True},
    ],
    ids=str,
)
def test_a_step_has_the_same_bits_by_any_number_of_threads(settings: dict[str, Any]) -> None:
    alone = steps(1, 1101, **settings)
    for threads in (2, 3):
        together = steps(threads, 1101, **settings)
        assert all(np.array_equal(together[name], alone[name]) for name in alone)


@pytest.mark.parametrize("rows", [1, 191, 192, 500, 1000])
def test_products_are_those_of_numpy(rows: int) -> None:
    x, y = normal(rows, 400), normal(400, 90, seed=1)
    np.testing.assert_allclose(product(x, y), x @ y, rtol=1e-4, atol=1e-4)
    own = product(x, x.T)
    np.testing.assert_allclose(own, x @ x.copy().T, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(own, own.T)
    wide = x[:, ::2]  # no row of it lies side by side in memory
    np.testing.assert_allclose(product(wide, wide.T), wide @ wide.copy().T, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("width", [300, 1000, 1661, 2300])
@pytest.mark.parametrize("columns", [145, 588])
@pytest.mark.parametrize("by_columns", [True, False])
@pytest.mark.parametrize("transposed", [True, False])
def test_a_row_alone_has_the_bits_that_it_has_among_others(
    width: int, columns: int, by_columns: bool, transposed: bool
) -> None:
    x, weight = normal(77, width), normal(columns, width, seed=1).T
    x = np.asfortranarray(x) if by_columns else x
    weight = weight if transposed else np.ascontiguousarray(weight)
    with threadpool_limits(2, user_api="blas"):
        whole = OPS.matmul_by_rows(x, weight)
        alone = [OPS.matmul_by_rows(x[i : i + 1], weight)[0] for i in range(len(x))]
    np.testing.assert_array_equal(alone, whole)
    np.testing.assert_allclose(whole, x.astype(float) @ weight, atol=1e-3)


@pytest.mark.parametrize("count", [0, 3, 700])
def test_forms_of_their_own_are_those_derived(count: int) -> None:
    x, rng = normal(count, 300), np.random.default_rng(2)
    weight, bias, kept = normal(300, seed=3), normal(300, seed=4), rng.random((count, 300)) < 0.7
    lists = rng.integers(max(count, 1), size=(count, 5), dtype=np.int32)
    weights = (rng.random((count, 5)) * (rng.random((count, 5)) < 0.8)).astype(np.float32)
    own = normal(count, 1, seed=5)
    key = OPS.asarray((7, 3), "uint32")
    if count:
        x[1] = 0.0
    calls: list[tuple[Any, tuple[Any, ...]]] = [
        (numerics.norm_gelu, (x, weight, bias, 1e-5, kept, 1.25, x)),
        (numerics.norm_gelu, (x, weight, bias, 1e-5, None, 1.0, None)),
        (numerics.aggregate, (x, None, own, lists, weights, 0.5 * weights)),
        (numerics.aggregate, (x, x[::-1], own, lists, weights, None)),
        (numerics.l2_normalize, (x,)),
        (numerics.row_distance, (x, np.roll(x, 1, axis=0))),
        (numerics.map_rows, (lambda rows: ((x if rows is None else x[rows]) * 2.0,), count)),
        (random.bernoulli, (key, 0.3, (count, 301))),
    ]
    for function, given in calls:
        with threadpool_limits(2, user_api="blas"):
            found = function(OPS, *given)
        derived = inspect.unwrap(function)(OPS, *given)
        np.testing.assert_allclose(found, derived, rtol=1e-5, atol=1e-5, err_msg=str(function))


def test_every_part_is_worked_on_once_by_as_many_threads_as_blas_has() -> None:
    for threads in (1, 2):
        seen: list[tuple[int, int, list[int]]] = []

        def work(part: int) -> None:
            time.sleep(0.01)
            seen.append((part, threading.get_ident(), blas_threads()))  # noqa: B023

        with threadpool_limits(threads, user_api="blas"):
            pool.each(work, list(range(12)))
            assert max(blas_threads()) == threads
        assert sorted(part for part, _, _ in seen) == list(range(12))
        assert len({ident for _, ident, _ in seen}) == min(threads, pool.most_threads())
        assert {count for _, _, counts in seen for count in counts} == {1}


def test_a_fault_of_a_thread_is_raised_and_blas_has_its_threads_again() -> None:
    def work(part: int) -> None:
        time.sleep(0.01)
        if part > 3:
            raise ArithmeticError(part)

    before = blas_threads()
    for _ in range(3):
        with pytest.raises(ArithmeticError):
            pool.each(work, list(range(8)))
    assert blas_threads() == before


def test_parts_of_parts() -> None:
    out = np.zeros((4, 5))

    def outer(i: int) -> None:
        pool.each(lambda j: out.__setitem__((i, j), 5 * i + j), list(range(5)))

    with threadpool_limits(2, user_api="blas"):
        pool.each(outer, list(range(4)))
    np.testing.assert_array_equal(out.ravel(), np.arange(20))
