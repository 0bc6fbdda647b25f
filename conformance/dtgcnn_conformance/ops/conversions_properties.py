"""Between host and device, and between dtypes, of any numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import strategies as st

from dtgcnn.array.ops import HostArray

from ..probe import Probe
from ..properties_strategies import FEW, FLAGS, INTEGERS, SHAPES, WORDS, hold_for_all, options
from ..registry import check
from .elementwise_properties import BITS, EDGE, TRUTH, WHOLE


@check("ops")
def conversions_of_any_number(probe: Probe) -> None:
    """``astype`` between the dtypes: towards zero, exact where it can be, true unless zero."""
    dtype = probe.ops.dtype
    inexact = st.floats(-(2.0**30), 2.0**30, width=32, allow_subnormal=False)

    def body(x: HostArray, m: HostArray, words: HostArray, flags: HostArray) -> None:
        cases: list[tuple[HostArray, str, Any]] = [(x, "int32", np.int32), (x, "bool", np.bool_)]
        cases += [(x, dtype, np.float64), (m, dtype, np.float64), (m, "bool", np.bool_)]
        cases += [(np.asarray(np.abs(m)), "uint32", np.uint32), (words, dtype, np.float64)]
        cases += [
            (np.asarray(words >> np.uint32(1)), "int32", np.int32),
            (flags, dtype, np.float64),
        ]
        cases += [(flags, "int32", np.int32), (flags, "uint32", np.uint32), (m, "int32", np.int32)]
        for host, name, target in cases:
            probe.operation("astype", np.asarray(host.astype(target)), host, name)

    whole = np.array([0, 1, -1, 2**24, 2**31 - 1, -(2**31) + 1], np.int32)
    edges = [(np.array([0.0, -0.0, 0.5, -0.5, -1.99, 2.0**30, 1e-30]), whole, BITS, TRUTH)]
    edges += [(x, x.astype(np.int32), x.astype(np.uint32), x > 0) for x in (np.zeros((0, 3)),)]
    drawn = {"x": options([(inexact, "float32")]), "words": options([(WORDS, "uint32")])}
    large = st.integers(-(2**31) + 1, 2**31 - 1)
    drawn |= {"m": options([(large, "int32")]), "flags": options([(FLAGS, "bool")])}
    hold_for_all(probe, body, edges, **drawn)


@check("ops")
def host_arrays_of_any_layout(probe: Probe) -> None:
    """``asarray`` rounds to the nearest number from any layout, and ``to_numpy`` gives it back."""
    ops, dtype = probe.ops, probe.ops.dtype
    exact = st.floats(2.0**-100, 2.0**100) | st.floats(-(2.0**100), -(2.0**-100))
    kinds: list[Any] = [(exact | FEW, "float64"), (INTEGERS, "int32"), (WORDS, "uint32")]

    def body(x: HostArray) -> None:
        target = dtype if x.dtype.kind == "f" else x.dtype.name
        layouts = [x, np.asfortranarray(x), x.T, x.astype(np.float32)]
        layouts += [x[::-1], x[..., ::2], np.broadcast_to(x, (2, *x.shape))] if x.ndim else []
        for host in layouts if x.dtype.kind == "f" else layouts[:3]:
            expected = np.asarray(host.astype(target))
            array = ops.asarray(host, None if x.dtype.kind == "f" else target)
            probe.same_bits(f"asarray and to_numpy of {host.dtype} {host.shape}", array, expected)
        if x.size > 0:
            listed = ops.asarray(x.tolist(), None if x.dtype.kind == "f" else target)
            probe.same_bits("asarray of lists", listed, np.asarray(x.astype(target)))

    edges = [(EDGE[:-1],), (EDGE[:-1, None] * (1.0 + 2.0**-30),), (WHOLE,), (BITS,), (TRUTH,)]
    edges.append((np.arange(12.0).reshape(3, 4) / 7.0,))
    edges += [(np.zeros(shape),) for shape in SHAPES]
    kinds.append((FLAGS, "bool"))
    hold_for_all(probe, body, edges, x=options(kinds))
    nan = np.array([[1.0, math.nan]])
    probe.values("asarray and to_numpy of NaN", ops.asarray(nan), nan)
