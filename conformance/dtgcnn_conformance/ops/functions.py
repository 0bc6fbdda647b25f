"""Creation, elementwise functions, reductions and shape, against plain NumPy in float64."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..comparison import require
from ..probe import Probe, integers, normal
from ..registry import check

X = normal(3, 5)
EMPTY = np.zeros((0, 3))
TIES = np.array([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0], [-1.0, -5.0, -1.0]])
NUMBERS = integers([[5, -7, 16777217], [0, 1, 1]])
FLAGS = np.array([[True, False, True], [False, False, True]])
WORDS = np.array([4294967295, 0, 2147483648, 7], np.uint32)


@check("ops")
def name_device_and_dtype(probe: Probe) -> None:
    """``name``, ``device`` and ``dtype`` are strings; the device is one of those available."""
    ops = probe.ops
    require(isinstance(ops.name, str) and ops.name != "", f"name is {ops.name!r}")
    require(ops.dtype in ("float32", "float64"), f"dtype is {ops.dtype!r}")
    devices = tuple(ops.available_devices())
    require(ops.device in devices, f"device is {ops.device!r}, available: {devices}")


@check("ops")
def memory(probe: Probe) -> None:
    """``memory()``, where there is one, is a dict of names to whole numbers of bytes."""
    own: Callable[[], Any] = getattr(probe.ops, "memory", dict)
    figures = own()
    fair = isinstance(figures, dict) and all(
        isinstance(k, str) and type(v) is int and v >= 0 for k, v in figures.items()
    )
    require(fair, f"memory() is {figures!r}")


@check("ops")
def asarray(probe: Probe) -> None:
    """``asarray`` makes floats of any width the backend's dtype, and others the dtype asked for."""
    ops = probe.ops
    for host in (X, X.astype(np.float32), X.T, X[:, ::2], EMPTY, np.array(1.5)):
        probe.values("asarray", ops.asarray(host), host)
    for host in (NUMBERS, WORDS, FLAGS, np.zeros((0, 2), np.int32)):
        probe.values("asarray", ops.asarray(host, host.dtype.name), host)
    probe.values("asarray(1.5)", ops.asarray(1.5), np.array(1.5))
    probe.values(
        "asarray of lists", ops.asarray([[1.0, 2.0], [3.0, 4.0]]), np.array([[1, 2], [3, 4.0]])
    )
    probe.values("asarray((1, 2), 'int32')", ops.asarray((1, 2), "int32"), integers([1, 2]))
    probe.values(
        "asarray of ints, a float dtype", ops.asarray([1, 2], ops.dtype), np.array([1.0, 2])
    )
    first = ops.asarray(X)
    ops.asarray(X + 1.0)
    probe.values("an array, when the next is there", first, X)
    probe.values("asarray of its own array", ops.asarray(first), X)
    words = (4294967295, 0)
    probe.values(
        "asarray(words, 'uint32')", ops.asarray(words, "uint32"), np.array(words, np.uint32)
    )


@check("ops")
def to_numpy(probe: Probe) -> None:
    """``to_numpy`` gives back every dtype and every view of an array."""
    ops, x = probe.ops, probe.array(X)
    for host in (NUMBERS, WORDS, FLAGS, EMPTY):
        probe.values("to_numpy", probe.array(host), host)
    probe.values("to_numpy of a slice", x[1:, 2], X[1:, 2])
    probe.values("to_numpy of a transpose", ops.permute_dims(x, (1, 0)), X.T)
    probe.values("to_numpy of a scalar", ops.sum(x), X.sum())
    first = ops.to_numpy(x)
    ops.to_numpy(x + 1.0)
    probe.values("a host array, when the next is there", probe.array(first), X)
    small = np.array([1.5e-9, -3.25e-12, 1e-30]).astype(np.float32).astype(np.float64)
    held = ops.to_numpy(probe.array(small)) / small
    require(bool((held == 1.0).all()), f"to_numpy of {small.tolist()} is off by factors {held}")


@check("ops")
def zeros_and_arange(probe: Probe) -> None:
    """``zeros`` has the backend's dtype unless told otherwise; ``arange`` counts in int32."""
    for shape in ((2, 3), (), (0, 3)):
        probe.operation("zeros", np.zeros(shape), shape)
    for dtype in ("int32", "uint32", "bool"):
        probe.operation("zeros", np.zeros((2,), dtype), (2,), dtype)
    for stop in (0, 1, 5):
        probe.operation("arange", np.arange(stop, dtype=np.int32), stop)


@check("ops")
def astype(probe: Probe) -> None:
    """``astype`` converts, floats to int32 towards zero, and keeps whole numbers exact."""
    dtype = probe.ops.dtype
    probe.operation("astype", integers([-1, 0, 1, 2]), np.array([-1.9, -0.5, 1.5, 2.0]), "int32")
    probe.operation("astype", FLAGS.astype(np.float64), FLAGS, dtype)
    probe.operation("astype", FLAGS.astype(np.int32), FLAGS, "int32")
    probe.operation("astype", np.array([True, False]), np.array([0.5, 0.0]), "bool")
    probe.operation("astype", (WORDS >> 8).astype(np.float64), WORDS >> np.uint32(8), dtype)
    probe.operation("astype", WORDS[1:2].astype(np.int32), WORDS[1:2], "int32")
    probe.operation("astype", X, X, dtype)


_INF = math.inf
_ELEMENTWISE: dict[str, tuple[Any, list[float]]] = {
    "exp": (np.exp, [-_INF, -200.0, -1.0, -0.0, 1e-6, 1.0, 10.0, 80.0, _INF]),
    "log": (np.log, [0.0, 1e-30, 0.1, 0.99999, 1.0, 1.00001, 3.0, 1e30, _INF]),
    "sqrt": (np.sqrt, [0.0, 1e-30, 0.3, 1.0, 2.0, 1e30, _INF]),
    "tanh": (np.tanh, [-_INF, -20.0, -2.0, -1e-4, 0.0, 1e-4, 0.5, 3.0, 9.0, _INF]),
    "erf": (np.vectorize(math.erf), [-_INF, -6.0, -2.0, -1e-4, 0.0, 1e-4, 0.5, 1.0, 3.0, _INF]),
    "abs": (np.abs, [-_INF, -2.5, -0.0, 0.0, 1e-30, 7.0]),
}


@check("ops")
def elementwise(probe: Probe) -> None:
    """``exp``, ``log``, ``sqrt``, ``tanh``, ``erf`` and ``abs``, at their limits too."""
    for name, (definition, points) in _ELEMENTWISE.items():
        edge = np.array(points).astype(np.float32).astype(np.float64)
        inner = normal(4, 60, seed=3)
        if name in ("log", "sqrt"):
            inner = np.abs(inner)
        for host in (edge, inner, inner[:1, :1]):
            probe.operation(name, definition(host), host)
        probe.operation(name, EMPTY, EMPTY)
    probe.operation("abs", np.abs(NUMBERS), NUMBERS)
    squares = np.array([0.0, 2.0**-100, 2.0**-60, 2.0**-20])
    roots = probe.ops.sqrt(probe.array(squares)) * 2.0**50
    probe.values("sqrt of small numbers · 2⁵⁰", roots, np.sqrt(squares) * 2.0**50)


@check("ops")
def isfinite(probe: Probe) -> None:
    """``isfinite`` is false for infinities and NaN alone."""
    host = np.array([1.0, -0.0, 0.0, 3e38, -3e38, _INF, -_INF, math.nan])
    probe.operation("isfinite", np.isfinite(host), host)
    probe.operation("isfinite", np.ones(NUMBERS.shape, bool), NUMBERS)


@check("ops")
def maximum(probe: Probe) -> None:
    """``maximum`` broadcasts, takes a Python scalar, and keeps integers."""
    row, column = normal(1, 4, seed=1), normal(3, 1, seed=2)
    probe.operation("maximum", np.maximum(row, column), row, column)
    probe.operation("maximum", np.maximum(X, 0.25), X, 0.25)
    probe.operation("maximum", np.array([1.0, _INF]), np.array([1.0, _INF]), np.array([-_INF, 3.0]))
    probe.operation("maximum", np.maximum(NUMBERS, 1), NUMBERS, 1)
    probe.operation("maximum", np.maximum(NUMBERS, -NUMBERS), NUMBERS, -NUMBERS)


@check("ops")
def where(probe: Probe) -> None:
    """``where`` broadcasts, takes a scalar on either side, and forgets what it does not choose."""
    column = np.array([[True], [False], [True]])
    probe.operation("where", np.where(column, X, -X), column, X, -X)
    probe.operation("where", np.where(column, X, -2.0), column, X, -2.0)
    probe.operation("where", np.where(column, 0.0, X), column, 0.0, X)
    probe.operation("where", np.where(FLAGS, NUMBERS, 0), FLAGS, NUMBERS, 0)
    probe.operation("where", np.where(FLAGS, FLAGS, ~FLAGS), FLAGS, FLAGS, ~FLAGS)
    unwanted = np.array([math.nan, _INF, -_INF])
    chosen, mask = np.array([1.0, 2.0, 3.0]), np.array([True, True, True])
    probe.operation("where", chosen, mask, chosen, unwanted)
    probe.operation("where", unwanted, ~mask, chosen, unwanted)


def _reductions(host: Any) -> list[dict[str, Any]]:
    axes = [None, *range(-1, host.ndim)]
    return [{"axis": a, "keepdims": keep} for a in axes for keep in (False, True)]


@check("ops")
def sum_(probe: Probe) -> None:
    """``sum`` keeps the dtype of floats and integers, and counts booleans in int32."""
    long = normal(3, 4000, seed=5)
    hosts = (X, normal(2, 3, 4), EMPTY, X[:1], NUMBERS, FLAGS, FLAGS[0, :1], long, WORDS[1:2])
    for host in hosts:
        dtype = np.int32 if host.dtype == np.bool_ else host.dtype
        for options in _reductions(host):
            expected = np.asarray(np.sum(host, dtype=dtype, **options))
            probe.operation("sum", expected, host, **options)
    probe.operation("sum", np.array(1, np.int32), np.array(True))
    probe.operation("sum", np.array(2.5), np.array(2.5))


@check("ops")
def max_(probe: Probe) -> None:
    """``max`` over one axis or all, of floats, integers and booleans."""
    low = np.array([[-_INF, -_INF], [-3.0, -_INF]])
    for host in (X, normal(2, 3, 4), X[:1], TIES, low, NUMBERS, FLAGS):
        for options in _reductions(host):
            probe.operation("max", np.asarray(np.max(host, **options)), host, **options)
    probe.operation("max", np.zeros((0,)), EMPTY, axis=1)


@check("ops")
def argmax(probe: Probe) -> None:
    """``argmax`` is int32, and among equal values the lowest index."""
    long = np.random.default_rng(0).integers(0, 4, (2, 5000)).astype(np.float64)
    for host in (X, TIES, np.zeros((2, 3)), NUMBERS, long, normal(2, 3, 4)):
        for axis in range(-1, host.ndim):
            expected = np.argmax(host, axis=axis).astype(np.int32)
            probe.operation("argmax", expected, host, axis=axis)
    probe.operation("argmax", np.zeros((0,), np.int32), EMPTY, axis=1)


@check("ops")
def cumulative_sum(probe: Probe) -> None:
    """``cumulative_sum`` keeps the dtype of floats and integers."""
    for host in (X, X[:1], EMPTY, NUMBERS, normal(2, 3, 4)):
        for axis in range(-1, host.ndim):
            expected = np.cumsum(host, axis=axis, dtype=host.dtype)
            probe.operation("cumulative_sum", expected, host, axis=axis)


@check("ops")
def shapes(probe: Probe) -> None:
    """``reshape`` in row-major order, ``permute_dims`` and ``concat``, of empty arrays too."""
    cube = normal(2, 3, 4)
    for shape in ((3, 8), (24,), (-1, 2), (1, 24, 1)):
        probe.operation("reshape", cube.reshape(shape), cube, shape)
    probe.operation("reshape", np.zeros((0, 2)), EMPTY, (0, 2))
    probe.operation("reshape", np.array([[2.5]]), np.array(2.5), (1, 1))
    probe.operation("permute_dims", cube.transpose(2, 0, 1), cube, (2, 0, 1))
    probe.operation("permute_dims", EMPTY.T, EMPTY, (1, 0))
    for axis in (0, 1, -1):
        parts = [cube, cube[:, :, ::-1].copy()]
        arrays = [probe.array(part) for part in parts]
        probe.values("concat", probe.ops.concat(arrays, axis=axis), np.concatenate(parts, axis))
    arrays = [probe.array(part) for part in (NUMBERS, NUMBERS[:0])]
    probe.values("concat with an empty array", probe.ops.concat(arrays), NUMBERS)
    probe.values("concat of one array", probe.ops.concat((probe.array(FLAGS),)), FLAGS)


@check("ops")
def evaluate(probe: Probe) -> None:
    """``evaluate`` takes any number of arrays and nested dicts, and changes none of them."""
    x = probe.array(X)
    given: list[tuple[Any, ...]] = [(), (x,), ({"a": {"b": x + 1.0}}, x), ({},)]
    for trees in given:
        probe.ops.evaluate(*trees)
    probe.values("an evaluated array", x, X)
