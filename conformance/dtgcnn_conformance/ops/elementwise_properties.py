"""Operators and elementwise functions, of any values and of shapes that broadcast."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np
from hypothesis import strategies as st

from dtgcnn.array.ops import HostArray

from ..probe import Probe
from ..properties_strategies import (
    FEW,
    FINITE,
    FLAGS,
    INTEGERS,
    NUMBERS,
    SHAPES,
    SPECIAL,
    TOGETHER,
    WORDS,
    arrays,
    hold_for_all,
    operands,
    options,
)
from ..registry import check
from .operators import ARITHMETIC, COMPARISONS

ANY = NUMBERS | SPECIAL
EDGE = np.array([0.0, -0.0, 1.0, -1.5, 2.0**60, 2.0**-60, math.inf, -math.inf, math.nan])
WHOLE = np.array([0, 1, -1, 7, 1000], np.int32)
BITS = np.array([0, 1, 65536, 2**31 - 1, 2**31, 2**32 - 1], np.uint32)
TRUTH = np.array([True, False])


def crossed(x: HostArray) -> tuple[HostArray, HostArray]:
    """A column and a row: each number beside each."""
    return x[:, None], x[None, :]


def empty(dtype: Any = np.float64) -> tuple[HostArray, HostArray]:
    """No rows beside one."""
    return np.zeros((0, 3), dtype), np.ones((1, 3), dtype)


@check("ops")
def arithmetic_of_any_operands(probe: Probe) -> None:
    """``+ − × /`` of any shapes that broadcast, infinity and NaN included; integers are exact."""

    def body(floats: Any, whole: Any) -> None:
        (a, b), (m, n) = floats, whole
        for sign, fn in ARITHMETIC.items():
            probe.expression(f"a {sign} b", fn, fn(a, b), a, b)
            if sign != "/":
                probe.expression(f"a {sign} b", fn, fn(m, n), m, n)
        probe.expression("-a", operator.neg, -a, a)
        probe.expression("-a", operator.neg, -m, m)

    edges = [((EDGE[:1].reshape(()), EDGE), (WHOLE, WHOLE[:1].reshape(())))]
    edges += [(crossed(EDGE), crossed(WHOLE)), (empty(), empty(np.int32))]
    hold_for_all(probe, body, edges, floats=operands(ANY), whole=operands(INTEGERS, "int32"))


@check("ops")
def arithmetic_with_any_scalar(probe: Probe) -> None:
    """``+ − × /`` with any Python number on either side, which takes the array's dtype."""

    def body(x: HostArray, scalar: float, m: HostArray, n: int) -> None:
        for sign, fn in ARITHMETIC.items():
            for number in (scalar, n):
                right, left = fn(x, np.float64(number)), fn(np.float64(number), x)
                probe.expression(f"a {sign} {number}", lambda a, s=number, f=fn: f(a, s), right, x)
                probe.expression(f"{number} {sign} a", lambda a, s=number, f=fn: f(s, a), left, x)
            if sign != "/":
                probe.expression(f"a {sign} {n}", lambda a, f=fn: f(a, n), fn(m, n), m)
                probe.expression(f"{n} {sign} a", lambda a, f=fn: f(n, a), fn(n, m), m)

    edges = [(EDGE, float(s), WHOLE, n) for s in EDGE for n in (0, -3)]
    shapes = ((), (4,), (0, 3))
    drawn = {"x": options([(ANY, "float32")], shapes), "scalar": ANY}
    whole = {"m": options([(INTEGERS, "int32")], shapes), "n": INTEGERS}
    hold_for_all(probe, body, edges, **drawn, **whole)


@check("ops")
def comparison_of_any_operands(probe: Probe) -> None:
    """Comparisons of any shapes that broadcast and of scalars, ties, infinity and NaN included."""

    def body(pair: Any, scalar: float) -> None:
        dtype = pair[0].dtype
        for sign, fn in COMPARISONS.items():
            if dtype == np.bool_ and sign not in ("==", "!="):
                continue
            probe.expression(f"a {sign} b", fn, fn(*pair), *pair)
            if dtype.kind in "fi":
                number = scalar if dtype.kind == "f" else int(np.nan_to_num(scalar, posinf=3))
                expected = fn(pair[0], number)
                probe.expression(
                    f"a {sign} {number}", lambda a, s=number, f=fn: f(a, s), expected, pair[0]
                )

    values = (EDGE, WHOLE, BITS, TRUTH)
    edges = [(crossed(x), s) for x in values for s in (0.0, math.nan)]
    edges += [(empty(x.dtype), 0.0) for x in values]
    tied = FEW | st.just(math.nan)
    near = st.integers(-2, 2)
    pairs = operands(tied) | operands(near, "int32") | operands(WORDS, "uint32")
    pairs |= operands(FLAGS, "bool")
    hold_for_all(probe, body, edges, pair=pairs, scalar=st.sampled_from([-1.0, 0.0, 1.0, math.nan]))


@check("ops")
def elementwise_of_any_number(probe: Probe) -> None:
    """``exp``, ``log``, ``sqrt``, ``tanh``, ``erf`` and ``abs`` of any finite number."""
    limit = float(np.finfo(probe.ops.dtype).max)
    largest = math.log(limit)
    definitions: dict[str, Any] = {"exp": np.exp, "log": np.log, "sqrt": np.sqrt, "tanh": np.tanh}
    definitions |= {"erf": np.vectorize(math.erf, otypes=[float]), "abs": np.abs}

    def body(x: HostArray) -> None:
        for name, definition in definitions.items():
            given = x
            if name == "exp":  # within a rounding of the largest number it may be infinite or not
                given = np.where(np.abs(x - largest) < 0.01, 1.0, x)
            expected = np.asarray(definition(given))
            probe.operation(name, np.where(expected > limit, math.inf, expected), given)

    least = 2.0**-126
    edges = [0.0, -0.0, least, -least, 1.0, -1.0, 88.0, 89.0, -104.0, 3.4e38, -3.4e38, 4.0, -4.0]
    shown: list[Any] = [(np.array(edges).astype(np.float32).astype(np.float64),)]
    shown += [(np.full(shape, 0.5),) for shape in SHAPES]
    hold_for_all(probe, body, shown, x=options([(FINITE, "float32")]))
    of_integers: Any = options([(INTEGERS, "int32")])
    probe.for_all(lambda x: probe.operation("abs", np.abs(x), x), x=of_integers)


@check("ops")
def where_and_maximum_of_any_operands(probe: Probe) -> None:
    """``where`` and ``maximum`` broadcast; ``where`` drops NaN, and ``maximum`` keeps it."""

    def body(case: Any) -> None:
        mask, (a, b), scalar, (m, n) = case
        probe.operation("isfinite", np.isfinite(a), a)
        probe.operation("maximum", np.maximum(a, b), a, b)
        probe.operation("maximum", np.maximum(a, scalar), a, scalar)
        probe.operation("maximum", np.maximum(m, n), m, n)
        probe.operation("where", np.where(mask, a, b), mask, a, b)
        probe.operation("where", np.where(mask, scalar, b), mask, scalar, b)
        probe.operation("where", np.where(mask, a, scalar), mask, a, scalar)
        probe.operation("where", np.where(mask, m, n), mask, m, n)
        more, positive = np.asarray(m > n), np.asarray(n > 0)
        probe.operation("where", np.where(mask, more, positive), mask, more, positive)

    cases: list[Any] = [
        (TRUTH[:, None, None], crossed(EDGE), scalar, crossed(WHOLE)) for scalar in EDGE.tolist()
    ]
    cases.append((np.zeros((0, 3), bool), empty(), 0.0, empty(np.int32)))
    cases.append((np.array(True), (EDGE[:2], EDGE[1:3]), 1.0, (WHOLE[:2], WHOLE[1:3])))
    hold_for_all(probe, body, [(case,) for case in cases], case=_masked())


@st.composite
def _masked(draw: st.DrawFn) -> Any:
    """A mask, two arrays of floats, a scalar and two arrays of integers that broadcast."""
    shapes = draw(st.sampled_from(TOGETHER))
    mask = draw(arrays(shapes[0], FLAGS, "bool"))
    floats = tuple(draw(arrays(shape, ANY)) for shape in shapes[1:])
    whole = tuple(draw(arrays(shape, INTEGERS, "int32")) for shape in shapes[1:])
    return mask, floats, draw(ANY), whole


@check("ops")
def logic_of_any_operands(probe: Probe) -> None:
    """``& | ~`` of booleans and ``& | ^ + << >>`` of words, of any shapes that broadcast."""
    mask = np.array(2**32 - 1, np.uint32)

    def shifted_left(words: Any, shift: int) -> Any:
        return (words << shift) & probe.array(mask)

    def body(flags: Any, words: Any, shift: int, low: int) -> None:
        a, b = flags
        probe.expression("a & b", operator.and_, a & b, a, b)
        probe.expression("a | b", operator.or_, a | b, a, b)
        probe.expression("~a", operator.invert, ~a, a)
        a, b = words
        for sign, fn in (("&", operator.and_), ("|", operator.or_), ("^", operator.xor)):
            probe.expression(f"words {sign} words", fn, fn(a, b), a, b)
        # A library that holds words in a wider integer adds beyond 32 bits.
        total = (a.astype(np.uint64) + b).astype(np.uint32)
        probe.expression("words + words", lambda v, w: (v + w) & probe.array(mask), total, a, b)
        down, up = a >> np.uint32(shift), a << np.uint32(shift)
        probe.expression(f"words >> {shift}", lambda w: w >> shift, down, a)
        probe.expression(f"words << {shift}", lambda w: shifted_left(w, shift), up, a)
        probe.expression(f"words & {low}", lambda w: w & low, a & np.uint32(low), a)
        less = down < np.uint32(low)
        probe.expression(f"words >> {shift} < {low}", lambda w: (w >> shift) < low, less, a)

    largest = 2**31 - 1  # JAX refuses a scalar beyond int32
    edges = [(crossed(TRUTH), crossed(BITS), s, n) for s in (0, 1, 31) for n in (0, 65536, largest)]
    edges += [(empty(np.bool_), empty(np.uint32), 8, largest)]
    flags, words = operands(FLAGS, "bool"), operands(WORDS, "uint32")
    drawn = {"shift": st.integers(0, 31), "low": st.integers(0, largest)}
    hold_for_all(probe, body, edges, flags=flags, words=words, **drawn)
