"""The NumPy backend's own forms of what it could also derive, held to the plain ones."""

from __future__ import annotations

import inspect
import subprocess
import sys
import threading
import time
from typing import Any

import numpy as np
import pytest
from dtgcnn_numpy import NumpyOps, selection
from dtgcnn_numpy.sorting import stable_argsort
from threadpoolctl import threadpool_limits

from dtgcnn.array import numerics, random

FLOATS = np.array([0, -0.0, np.nan, np.inf, -np.inf, 1e-45, -1e-45, 3e38, -3e38, 1, -1], np.float32)
INTEGERS = np.array([0, 1, -1, 2**31 - 1, -(2**31)], np.int32)


def exact_squares(x: Any) -> Any:
    wide = x.astype(np.float64)
    return np.square(wide[:, None] - wide[None]).sum(axis=-1)


@pytest.mark.parametrize("values", [FLOATS, INTEGERS, INTEGERS > 0], ids=["float", "int", "bool"])
@pytest.mark.parametrize("shape", [(), (0,), (7, 0), (0, 7), (5, 40), (2, 3, 25)], ids=str)
def test_argsort_is_stable_and_ascending(values: Any, shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).choice(values, size=(*shape, 30))
    for array in (x, -x if x.dtype != bool else ~x, x[..., ::-3], x.T):
        for axis in {0, -1, array.ndim - 1}:
            expected = np.argsort(array, axis=axis, kind="stable")
            found = stable_argsort(array, axis)
            assert found.dtype == np.int32
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (1e-3, 1.0), (1e-5, 1.0), (1.0, 100.0)])
def test_squared_distances_of_near_rows(dtype: str, scale: float, shift: float) -> None:
    x = (shift + scale * np.random.default_rng(1).normal(size=(30, 16))).astype(dtype)
    x[3] = x[20]
    expected = exact_squares(x)
    found = numerics.squared_distances(NumpyOps(dtype=dtype), x)
    assert found.dtype == dtype
    assert found[3, 20] == 0.0
    assert not np.diagonal(found).any()
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_squared_distances_show_nan_where_it_is() -> None:
    x = np.random.default_rng(1).normal(size=(6, 4)).astype(np.float32)
    x[2, 1] = np.nan
    bad = np.isnan(numerics.squared_distances(NumpyOps(), x))
    expected = np.zeros((6, 6), bool)
    expected[2] = expected[:, 2] = True
    np.testing.assert_array_equal(bad, expected)
    assert numerics.squared_distances(NumpyOps(), x[:0]).shape == (0, 0)


@pytest.mark.parametrize("block", [1, 3 * 11 * 5, 1 << 20])
def test_squared_distances_derived_in_blocks(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr("dtgcnn.array.numerics._BLOCK", block)
    x = np.random.default_rng(1).normal(size=(11, 5))
    derived = inspect.unwrap(numerics.squared_distances)(NumpyOps(dtype="float64"), x)
    np.testing.assert_allclose(derived, exact_squares(x), rtol=1e-14)


@pytest.mark.parametrize("key", [(0, 0), (0xFFFFFFFF, 0x80000000), (7, 3)])
@pytest.mark.parametrize("n", [0, 1, 8, 70_001])
def test_random_bits_are_those_derived(key: tuple[int, int], n: int) -> None:
    ops = NumpyOps()
    words = ops.asarray(key, "uint32")
    derived = inspect.unwrap(random.random_bits)(ops, words, n)
    assert derived.dtype == np.uint32
    np.testing.assert_array_equal(derived, random.random_bits(ops, words, n))


@pytest.mark.parametrize("shape", [(0, 3), (5, 40), (2, 3, 25), (3, 500)], ids=str)
def test_top_k_is_that_derived(shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(2).integers(-3, 4, shape).astype(np.float32)
    ops = NumpyOps()
    for k in (0, 1, 3, shape[-1]):
        derived = inspect.unwrap(numerics.top_k)(ops, x, k)
        for own, plain in zip(numerics.top_k(ops, x, k), derived, strict=True):
            assert own.dtype == plain.dtype
            np.testing.assert_array_equal(own, plain)
    for fn in (numerics.top_k, inspect.unwrap(numerics.top_k)):
        with pytest.raises(ValueError, match="k must be between 0 and"):
            fn(ops, x, shape[-1] + 1)


@pytest.mark.parametrize("most", [1, 3_000, 1 << 24])
@pytest.mark.parametrize("shape", [(0, 9), (1, 40), (700, 5_001)], ids=str)
def test_top_products_are_those_of_the_whole_product(shape: tuple[int, int], most: int) -> None:
    drawn, ops = np.random.default_rng(5), NumpyOps()
    x, y = (drawn.integers(-2, 3, (n, 4)).astype(np.float32) for n in shape)
    if len(x):
        x[0, 0] = np.nan
    if most == 1:
        x, y = x[:20], y[:200]
    for k in (0, 1, 9):
        wanted = np.argsort(-(x[1:] @ y.T), axis=1, kind="stable")[:, :k]
        for fn in (numerics.top_products, inspect.unwrap(numerics.top_products)):
            values, indices = fn(ops, x, y, k, most)
            assert (values.dtype, indices.dtype) == (np.float32, np.int32)
            np.testing.assert_array_equal(indices[1:], wanted)
            np.testing.assert_array_equal(
                values[1:], np.take_along_axis(x[1:] @ y.T, wanted, axis=1)
            )


@pytest.mark.parametrize("most", [300_000, 1 << 24])
def test_threads_find_what_the_whole_product_holds(
    monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    drawn, took = np.random.default_rng(6), set()
    x, y = (drawn.integers(-2, 3, (n, 4)).astype(np.float32) for n in (1_600, 9_000))
    wanted = np.argsort(-(x @ y.T), axis=1, kind="stable")[:, :12]
    search = selection._search

    def watched(rows: Any, *given: Any) -> None:
        took.add(threading.get_ident())
        time.sleep(0.01)
        search(rows, *given)

    monkeypatch.setattr(selection, "_search", watched)
    for threads in (1, 2):
        took.clear()
        with threadpool_limits(threads, user_api="blas"):
            values, columns = NumpyOps().top_products(x, y, 12, most)
        np.testing.assert_array_equal(columns, wanted)
        np.testing.assert_array_equal(values, np.take_along_axis(x @ y.T, wanted, axis=1))
        assert len(took) == (threads if most > 300_000 else 1)


@pytest.mark.parametrize("k", [0, 1, 4])
def test_gather_sum_is_that_derived(k: int) -> None:
    drawn = np.random.default_rng(3)
    x, weights = drawn.normal(size=(7, 3)), drawn.normal(size=(5, k))
    indices = drawn.integers(0, 7, (5, k)).astype(np.int32)
    ops = NumpyOps(dtype="float64")
    derived = inspect.unwrap(numerics.gather_sum)(ops, x, indices, weights)
    np.testing.assert_allclose(numerics.gather_sum(ops, x, indices, weights), derived, atol=1e-14)


def test_gradient_of_gelu_of_a_scalar() -> None:
    for ops in (NumpyOps(), NumpyOps(dtype="float64")):
        gradient = ops.value_and_grad(lambda p, o=ops: (numerics.gelu(o, p["x"]), {}))
        found = gradient({"x": ops.asarray(0.0)})[2]["x"]
        assert found.dtype == ops.dtype
        assert found.shape == ()
        assert found == 0.5


@pytest.mark.parametrize("shape", [(4,), (3, 4), (2, 0, 3)], ids=str)
def test_gradient_of_taking_nothing(shape: tuple[int, ...]) -> None:
    ops = NumpyOps()
    none = np.zeros((0, 2), np.int32)
    gradient = ops.value_and_grad(lambda p: (ops.sum(ops.take(p["x"], none, axis=0)), {}))
    found = gradient({"x": ops.zeros(shape) + 1.0})[2]["x"]
    np.testing.assert_array_equal(found, np.zeros(shape, np.float32))


@pytest.mark.skipif(sys.platform != "linux", reason="glibc alone keeps what was freed")
def test_freed_memory_is_kept_until_the_cache_is_cleared() -> None:
    code = """
import ctypes, numpy as np
from dtgcnn_numpy import NumpyOps
def held():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) >> 10 for line in file if line.startswith("VmRSS"))
ops = NumpyOps()
arrays = [np.ones(2**18, np.float32) for _ in range(100)]
del arrays
kept = held()
ops.clear_cache()
print(hasattr(ctypes.CDLL(None), "malloc_trim"), kept - held())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    glibc, given_back = done.stdout.split()
    if glibc == "True":
        assert int(given_back) > 80
