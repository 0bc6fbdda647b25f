"""What arrays do by themselves: operators, comparison, slices, and the dtype of the result."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from ..comparison import require
from ..probe import Probe, integers, normal
from ..registry import check

A, B = normal(3, 4, seed=1), normal(3, 4, seed=2)
NUMBERS = integers([[3, -2, 5], [0, 7, 7]])
FLAGS = np.array([[True, False, True], [False, False, True]])
WORDS = np.array([4294967295, 4000000000, 65537, 7], np.uint32)

ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@check("ops")
def arithmetic(probe: Probe) -> None:
    """``+ − × /`` of two arrays, with broadcasting over rows, columns and scalars."""
    others = (B, B[:1], B[:, :1], B[0], np.array(2.5), B[None])
    for sign, fn in ARITHMETIC.items():
        for other in others:
            probe.expression(f"a {sign} b", fn, fn(A, other), A, other)
            probe.expression(f"b {sign} a", fn, fn(other, A), other, A)
        probe.expression(f"a {sign} b", fn, np.zeros((0, 4)), A[:0], B[:1])
    probe.expression("-a", operator.neg, -A, A)
    probe.expression("-a", operator.neg, -NUMBERS, NUMBERS)
    for sign in "+-*":
        fn = ARITHMETIC[sign]
        probe.expression(f"a {sign} b", fn, fn(NUMBERS, NUMBERS[:1]), NUMBERS, NUMBERS[:1])


@check("ops")
def scalars_take_the_arrays_dtype(probe: Probe) -> None:
    """A Python scalar takes the dtype of the array beside it, on either side."""
    for sign, fn in ARITHMETIC.items():
        for scalar in (2.5, 3, -0.1):
            right, left = fn(A, scalar), fn(scalar, A)
            probe.expression(f"a {sign} {scalar}", lambda a, f=fn, s=scalar: f(a, s), right, A)
            probe.expression(f"{scalar} {sign} a", lambda a, f=fn, s=scalar: f(s, a), left, A)
    for sign in "+-*":
        fn = ARITHMETIC[sign]
        probe.expression(f"a {sign} 2", lambda a, f=fn: f(a, 2), fn(NUMBERS, 2), NUMBERS)
        probe.expression(f"2 {sign} a", lambda a, f=fn: f(2, a), fn(2, NUMBERS), NUMBERS)
    total: Any = np.array(A.sum())
    probe.expression("a sum * 0.1", lambda a: probe.ops.sum(a) * 0.1, total * 0.1, A)
    probe.expression("1.0 / a sum", lambda a: 1.0 / probe.ops.sum(a), 1.0 / total, A)


@check("ops")
def comparison(probe: Probe) -> None:
    """``== != < <= > >=`` give booleans, of arrays with broadcasting and of scalars."""
    tied: Any = np.round(A)
    for sign, fn in COMPARISONS.items():
        for other in (np.round(B), tied, tied[:1], tied[:, :1]):
            probe.expression(f"a {sign} b", fn, fn(tied, other), tied, other)
        probe.expression(f"a {sign} 1.0", lambda a, f=fn: f(a, 1.0), fn(tied, 1.0), tied)
        probe.expression(f"a {sign} 3", lambda a, f=fn: f(a, 3), fn(NUMBERS, 3), NUMBERS)
        probe.expression(f"a {sign} b", fn, fn(NUMBERS, NUMBERS[:1]), NUMBERS, NUMBERS[:1])
    edge = np.array([0.0, -0.0, np.inf, -np.inf])
    probe.expression("-0.0 == 0.0", lambda a: a == 0.0, edge == 0.0, edge)
    nan = np.array([np.nan])
    probe.expression("nan == nan", lambda a: a == a, np.array([False]), nan)
    probe.expression("nan > 0", lambda a: a > 0, np.array([False]), nan)


@check("ops")
def logic_and_bits(probe: Probe) -> None:
    """``& | ~`` of booleans, and ``>>`` and ``&`` of uint32 words, which stay what they are."""
    probe.expression("a & b", operator.and_, FLAGS & FLAGS[:1], FLAGS, FLAGS[:1])
    probe.expression("a | b", operator.or_, FLAGS | FLAGS[1:], FLAGS, FLAGS[1:])
    probe.expression("~a", operator.invert, ~FLAGS, FLAGS)
    probe.expression("words >> 8", lambda w: w >> 8, WORDS >> np.uint32(8), WORDS)
    probe.expression("words >> 16", lambda w: w >> 16, WORDS >> np.uint32(16), WORDS)
    probe.expression("words & 0xFFFF", lambda w: w & 0xFFFF, WORDS & np.uint32(0xFFFF), WORDS)
    low = WORDS & np.uint32(0xFFFF)
    probe.expression("low words < 32768", lambda w: w < 32768, low < 32768, low)


@check("ops")
def matmul(probe: Probe) -> None:
    """``@`` of matrices, vectors and stacks, of one row and of none."""
    a, b = normal(5, 40, seed=3), normal(40, 3, seed=4)
    stack = normal(2, 4, 40, seed=5)
    pairs = [(a, b), (a[:1], b), (a, b[:, 0]), (a[0], b), (a[0], b[:, 1]), (stack, b)]
    pairs += [(a[:0], b), (a[:, :0], b[:0]), (a, b[:, :0])]
    for left, right in pairs:
        probe.expression("a @ b", operator.matmul, left @ right, left, right)
    turned = probe.ops.permute_dims(probe.array(a), (1, 0))
    probe.values("a @ transpose of a", probe.array(a) @ turned, a @ a.T)


@check("ops")
def indexing(probe: Probe) -> None:
    """Whole numbers, slices, ``None`` and ``...`` as indices, past the end of a slice too."""
    cube = normal(3, 4, 5)
    keys: list[Any] = [0, -1, slice(1, 3), slice(2, 99), slice(3, 3), slice(0, 256), None]
    keys += [(slice(None), None), (slice(None), 1), (None, slice(None), slice(1, None)), (..., 0)]
    keys += [
        (..., slice(None, 2)),
        (slice(None), slice(-2, None)),
        (slice(None), None, None),
        (1, 2),
    ]
    for key in keys:
        for host in (cube, cube.astype(np.int32)):
            probe.expression(f"a[{key}]", lambda a, k=key: a[k], host[key], host)
    label = integers([1, 1, 2])
    same = label[:, None] == label[None, :]
    probe.expression("a[:, None] == a[None, :]", lambda a: a[:, None] == a[None, :], same, label)


@check("ops")
def shape_and_ndim(probe: Probe) -> None:
    """``shape`` is a tuple of whole numbers and ``ndim`` its length; scalars have none."""
    for host in (A, A[0], np.array(1.0), A[:0], FLAGS):
        array = probe.array(host)
        require(tuple(array.shape) == host.shape, f"shape is {array.shape}, expected {host.shape}")
        require(array.ndim == host.ndim, f"ndim is {array.ndim}, expected {host.ndim}")
        require(all(isinstance(n, int) for n in array.shape), f"shape is {array.shape!r}")
    total = probe.ops.sum(probe.array(A))
    require(tuple(total.shape) == (), f"the shape of a sum is {total.shape}, expected ()")
