"""Selection, sorting with ties, and sums over neighbour lists, against their definitions."""

from __future__ import annotations

from typing import Any

import numpy as np

from dtgcnn.array import numerics

from ..comparison import describe
from ..probe import Probe, integers, normal
from ..registry import check

X = normal(4, 6)
TIES = np.array(
    [[2.0, 1.0, 2.0, 2.0, -1.0], [0.0, 0.0, 0.0, 0.0, 0.0], [0.0, -0.0, 1.0, -0.0, 0.0]]
)
"""Rows of few distinct values; 0 and −0 are equal."""


def long_row(distinct: int, length: int = 5000, seed: int = 0) -> Any:
    """One row of many ties."""
    drawn = np.random.default_rng(seed).integers(0, distinct, (1, length))
    return drawn.astype(np.float64)


def top_k_definition(x: Any, k: int) -> tuple[Any, Any]:
    """Values descending, the lowest index first among equals."""
    rows = x.reshape(-1, x.shape[-1])
    order = [sorted(range(x.shape[-1]), key=lambda j: (-row[j], j))[:k] for row in rows]
    indices = np.array(order, np.int32).reshape(*x.shape[:-1], k)
    return np.take_along_axis(x, indices, -1), indices


def gather_definition(x: Any, indices: Any, weights: Any) -> Any:
    """One neighbour at a time."""
    out = np.zeros((indices.shape[0], x.shape[1]))
    for i, k in np.ndindex(indices.shape):
        out[i] += weights[i, k] * x[indices[i, k]]
    return out


def scatter_definition(x: Any, indices: Any, weights: Any, n: int) -> Any:
    """One neighbour at a time."""
    out = np.zeros((n, x.shape[1]))
    for i, k in np.ndindex(indices.shape):
        out[indices[i, k]] += weights[i, k] * x[i]
    return out


@check("ops")
def take(probe: Probe) -> None:
    """``take`` at indices of any shape and along any axis, repeated ones included."""
    cube = normal(2, 3, 4)
    for picked in (integers([1, 0, 1, 1]), integers([[0, 1], [1, 1]]), integers(1), integers([])):
        for axis in (0, 1, 2, -1):
            probe.operation("take", np.take(cube, picked, axis=axis), cube, picked, axis=axis)
    for host in (X[:, 0], X > 0, X.astype(np.int32), (X > 0).astype(np.uint32)):
        probe.operation("take", np.take(host, integers([3, 0, 3]), 0), host, integers([3, 0, 3]))


@check("ops")
def take_along_axis(probe: Probe) -> None:
    """``take_along_axis`` row by row and column by column, of floats and of integers."""
    across, down = integers([[5, 0, 0]] * 4), integers([[3] * 6, [0] * 6])
    for host in (X, (10 * X).astype(np.int32)):
        for axis in (1, -1):
            expected = np.take_along_axis(host, across, axis)
            probe.operation("take_along_axis", expected, host, across, axis=axis)
        expected = np.take_along_axis(host, down, 0)
        probe.operation("take_along_axis", expected, host, down, axis=0)
    none = np.zeros((4, 0), np.int32)
    probe.operation("take_along_axis", np.zeros((4, 0)), X, none, axis=1)


@check("ops")
def argsort(probe: Probe) -> None:
    """``argsort`` ascends in int32 and is stable: equal values keep their order."""
    infinite = np.array([[np.inf, 0.0, -np.inf, np.inf, -np.inf]])
    hosts = [X, TIES, infinite, X[:1, :1], np.zeros((0, 3)), normal(2, 3, 4)]
    hosts += [long_row(3), long_row(5000), long_row(40).astype(np.int32), -long_row(7)]
    for host in hosts:
        for axis in {-1, 0, host.ndim - 1}:
            expected = np.argsort(host, axis=axis, kind="stable").astype(np.int32)
            probe.operation("argsort", expected, host, axis=axis)


@check("ops")
def top_k(probe: Probe) -> None:
    """``top_k`` descends along the last axis, for any k from 0 to the row's length."""
    infinite = np.array([[np.inf, 0.0, -np.inf, 1.0, -np.inf]])
    for host in (X, normal(2, 3, 5), infinite, normal(3, 300), X[:1], np.zeros((0, 3))):
        n = host.shape[-1]
        for k in sorted({0, 1, 2, n // 2, n - 1, n}):
            _hold_top_k(probe, host, k)


@check("ops")
def top_k_takes_the_lowest_index_first(probe: Probe) -> None:
    """Among equal values ``top_k`` takes the lowest index first, in long rows too."""
    hosts = [TIES, np.zeros((2, 40)), long_row(1), long_row(3), long_row(60), -long_row(3)]
    hosts += [long_row(3, 5001), np.repeat(long_row(9, 700), 3, axis=0)]
    for host in hosts:
        n = host.shape[-1]
        for k in sorted({1, 3, min(17, n), n // 2, n}):
            _hold_top_k(probe, host, k)


@check("ops")
def top_products(probe: Probe) -> None:
    """``top_products`` finds what ``top_k`` of the whole product does, in blocks of any size."""
    drawn = np.random.default_rng(5)
    for n, m in ((7, 50), (1, 200), (0, 9), (3, 1)):
        x, y = (drawn.integers(-2, 3, (rows, 3)).astype(float) for rows in (n, m))
        for k in sorted({0, 1, min(5, m), m}):
            values, indices = top_k_definition(x @ y.T, k)
            for most in (1, 40, 10_000):
                arrays = probe.array(x), probe.array(y)
                found = numerics.top_products(probe.ops, *arrays, k, most)
                what = f"top_products of {n} and {m} rows, k={k}, {most} at a time"
                probe.values(f"columns of {what}", found[1], indices)
                probe.values(f"values of {what}", found[0], values)


def _hold_top_k(probe: Probe, host: Any, k: int) -> None:
    values, indices = top_k_definition(host, k)
    own_values, own_indices = numerics.top_k(probe.ops, probe.array(host), k)
    what = f"top_k({describe(host, probe.ops.dtype)}, k={k})"
    probe.values(f"indices of {what}", own_indices, indices)
    probe.values(f"values of {what}", own_values, values)


def _lists(n: int, k: int, m: int) -> tuple[Any, Any]:
    """Lists with repeated neighbours and zero weights."""
    drawn = np.random.default_rng(n + 10 * k).integers(0, m, (n, k)).astype(np.int32)
    weights = normal(n, k, seed=n + k)
    if k > 1:
        drawn[:, 1] = drawn[:, 0]
        weights[::2, 0] = 0.0
    return drawn, weights


_SIZES = [(5, 3, 7), (7, 4, 2), (1, 3, 4), (3, 1, 1), (6, 6, 6), (40, 12, 30), (0, 3, 4), (3, 0, 4)]


@check("ops")
def gather_sum(probe: Probe) -> None:
    """``gather_sum`` is ``Σ_k w_ik · x[idx_ik]``, with repeated neighbours and empty lists."""
    for n, k, m in _SIZES:
        x, (indices, weights) = normal(m, 3, seed=4), _lists(n, k, m)
        expected = gather_definition(x, indices, weights)
        lists = probe.array(indices), probe.array(weights)
        actual = numerics.gather_sum(probe.ops, probe.array(x), *lists)
        probe.values(f"gather_sum over {indices.shape} lists of {m} nodes", actual, expected)


@check("ops")
def scatter_sum(probe: Probe) -> None:
    """``scatter_sum`` adds up repeated targets and leaves the others zero."""
    for n, k, m in _SIZES:
        x, (indices, weights) = normal(n, 3, seed=4), _lists(n, k, m)
        for total in (m, m + 2):
            expected = scatter_definition(x, indices, weights, total)
            probe.operation("scatter_sum", expected, x, indices, weights, total)


@check("ops")
def scatter_is_the_adjoint_of_gather(probe: Probe) -> None:
    """``⟨gather_sum(x), y⟩ = ⟨x, scatter_sum(y)⟩``."""
    x, y, (indices, weights) = normal(7, 3, seed=1), normal(5, 3, seed=2), _lists(5, 4, 7)
    lists = probe.array(indices), probe.array(weights)
    gathered = numerics.gather_sum(probe.ops, probe.array(x), *lists)
    scattered = probe.ops.scatter_sum(probe.array(y), *lists, 7)
    expected = np.asarray((gather_definition(x, indices, weights) * y).sum())
    probe.values("⟨gather_sum(x), y⟩", probe.ops.sum(gathered * probe.array(y)), expected)
    probe.values("⟨x, scatter_sum(y)⟩", probe.ops.sum(scattered * probe.array(x)), expected)
