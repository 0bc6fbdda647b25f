"""Rows that join a bank, or leave it, without training."""

from __future__ import annotations

import numpy as np

from ..comparison import require
from ..probe import Probe
from ..registry import check
from ..task import LABELS, VECTORS, model_of
from .propagation import BANK, HOPS, KINDS, QUERIES, UNKNOWN, moved


@check("training")
def rows_join_and_leave(probe: Probe) -> None:
    """A bank that rows joined, or left, is one that was built of the rows that are in it."""
    for kind in KINDS:
        model = moved(model_of(probe.ops, BANK, propagation_hops=HOPS, **kind))
        model.classes_ = [str(y) for y in range(int(max(LABELS)) + 1)]
        known, before = list(model.trained_bank().labels or []), model.encode(QUERIES)
        more = model.add(np.concatenate([UNKNOWN, VECTORS[:4]]), ["new"] * 20 + [None] * 4)
        require(
            more.trained_bank().labels == known + [len(model.classes_)] * len(UNKNOWN),
            f"{kind}: the labels of what joined, and of what was there, are wrong",
        )
        fewer = more.remove(VECTORS[5:15]).remove(labels=["new", model.classes_[0]])
        kept = [row for row in range(BANK) if not (5 <= row < 15 or known[row] == 0)]
        require(
            fewer.trained_bank().labels == [known[row] - 1 for row in kept],
            f"{kind}: the labels of what stays are wrong",
        )
        rows = {"joined": (more, np.concatenate([VECTORS[:BANK], UNKNOWN]))}
        rows["left"] = fewer, VECTORS[kept]
        for what, (changed, held) in rows.items():
            expected = model.index(held, hops=HOPS).encode(QUERIES).astype(np.float64)
            probe.values(f"{what}, {kind}", probe.array(changed.encode(QUERIES)), expected)
            off = float(np.abs(expected - before).max())
            require(off > 0.01, f"{what}, {kind}: embeddings move by {off:.3g} at most")
        require(np.array_equal(model.encode(QUERIES), before), "the model itself is changed")
