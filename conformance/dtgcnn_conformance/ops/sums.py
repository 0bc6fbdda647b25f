"""Sums of many terms, which one running total in float32 would leave off by percents."""

from __future__ import annotations

import numpy as np

from dtgcnn.array import numerics

from ..probe import Probe
from ..registry import check
from ..tolerances import LONG_SUMS

LENGTHS = (1000, 1025, 5000, 100_003, 1_000_000)
TENTH = float(np.float32(0.1))


@check("ops")
def long_sums(probe: Probe) -> None:
    """``sum`` of a million floats has few roundings, along any axis, of any layout."""
    ops, share = probe.ops, LONG_SUMS[probe.ops.dtype]
    for n in LENGTHS:
        line, rows = np.full(n, TENTH), np.full((2, n), TENTH)
        columns, total = np.full((n, 3), TENTH), np.array(n * TENTH)
        tall, wide = probe.array(columns), probe.array(rows)
        sums = {
            "a line": (ops.sum(probe.array(line)), total),
            "rows": (ops.sum(wide, axis=1), np.full(2, total)),
            "columns": (ops.sum(tall, axis=0), np.full(3, total)),
            "columns, kept": (ops.sum(tall, axis=0, keepdims=True), np.full((1, 3), total)),
            "turned rows": (ops.sum(ops.permute_dims(wide, (1, 0)), axis=0), np.full(2, total)),
            "turned columns": (ops.sum(ops.permute_dims(tall, (1, 0)), axis=-1), np.full(3, total)),
            "some of the columns": (ops.sum(tall[:, :2]), 2.0 * total),
            "all, kept": (ops.sum(wide, keepdims=True), np.full((1, 1), 2.0 * total)),
        }
        for name, (actual, expected) in sums.items():
            what = f"sum of {n} tenths, {name}"
            probe.relative(what, actual, np.asarray(expected), share)


@check("ops")
def long_means(probe: Probe) -> None:
    """Means, variances and norms of a million floats have few roundings."""
    ops, share = probe.ops, LONG_SUMS[probe.ops.dtype]
    for n in LENGTHS:
        x = np.full((n, 2), TENTH)
        x[::2, 1] *= -1.0
        own = probe.array(x)
        figures = {
            "mean": (numerics.mean(ops, own[:, :1]), np.array(TENTH)),
            "mean of columns": (numerics.mean(ops, own, 0)[:1], np.array([TENTH])),
            "variance": (numerics.var(ops, own, 0)[1:], np.array([x[:, 1].var()])),
            "norm": (numerics.global_norm(ops, [own]), np.sqrt(np.sum(x * x))),
        }
        for name, (actual, expected) in figures.items():
            probe.relative(f"{name} of {n} tenths", actual, np.asarray(expected), share)
