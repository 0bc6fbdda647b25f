"""Initial weights: the same bits on every backend, spread as their formula says."""

from __future__ import annotations

import math
from typing import get_args

import numpy as np
from dtgcnn_numpy import NumpyOps

from dtgcnn.array.ops import ArrayOps, HostArray
from dtgcnn.array.random import derive_key
from dtgcnn.config.choices import Initializer
from dtgcnn.model.layers import initial_weight

from ..comparison import require
from ..probe import Probe
from ..registry import check

ROWS, COLUMNS = 60, 200
KEY = derive_key(5, "initialisers")


def drawn(ops: ArrayOps, kind: Initializer, shape: tuple[int, int]) -> HostArray:
    """A weight on the host."""
    return ops.to_numpy(initial_weight(ops, ops.asarray(KEY, "uint32"), *shape, kind))


@check("layers")
def initialisers(probe: Probe) -> None:
    """Each initialiser gives the reference's weights, bit for bit."""
    host = NumpyOps(dtype=probe.ops.dtype)
    for kind in get_args(Initializer):
        for shape in ((6, 4), (3, 10), (1, 1)):
            weight = initial_weight(probe.ops, probe.ops.asarray(KEY, "uint32"), *shape, kind)
            probe.same_bits(f"{kind} of {shape}", weight, drawn(host, kind, shape))


@check("layers")
def spread_of_initialisers(probe: Probe) -> None:
    """Mean 0, variance ``2 / (in + out)`` or ``2 / in``, in uniform or normal numbers."""
    n, root = ROWS * COLUMNS, math.sqrt(ROWS * COLUMNS)
    for kind in get_args(Initializer):
        family, shape = kind.split("_")
        variance = 2.0 / (ROWS + COLUMNS if family == "xavier" else ROWS)
        x = drawn(probe.ops, kind, (ROWS, COLUMNS)).astype(np.float64) / math.sqrt(variance)
        # Fourth moment, and its own standard error, of numbers of variance 1.
        fourth, error = (1.8, 2.5) if shape == "uniform" else (3.0, 9.8)
        figures = {
            "mean": (float(x.mean()), 0.0, 1.0),
            "variance": (float((x * x).mean()), 1.0, math.sqrt(fourth - 1.0)),
            "fourth moment": (float((x**4).mean()), fourth, error),
        }
        for name, (found, wanted, deviation) in figures.items():
            limit = 5.0 * deviation / root
            what = f"{name} of {n} scaled numbers of {kind} is {found}, expected {wanted}"
            require(abs(found - wanted) < limit, what)
        inside = bool(np.abs(x).max() <= math.sqrt(3.0) * (1.0 + 1e-6))
        require(inside == (shape == "uniform"), f"the largest number of {kind} is not {shape}'s")
