"""The rows that leading columns leave open hold the nearest, whatever the other columns are."""

from __future__ import annotations

import numpy as np

from dtgcnn.array.ops import HostArray
from dtgcnn.model.graph import EfficientGraphConstructor
from dtgcnn.model.leading import COLUMNS, Leading

from ..comparison import require
from ..probe import Probe, normal
from ..registry import check

WIDTH, NEAREST = COLUMNS + 32, 11


def _unit(rows: HostArray) -> HostArray:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def _clusters() -> tuple[HostArray, HostArray]:
    """Rows around ten centres, and a query near the first one."""
    centres = normal(10, WIDTH, seed=1)
    rows = np.concatenate([centres[i % 10] + 0.4 * normal(1, WIDTH, seed=i) for i in range(900)])
    return _unit(rows), _unit(centres[:1] + 0.4 * normal(1, WIDTH, seed=1000))


def _misleading() -> tuple[HostArray, HostArray]:
    """Many rows whose leading columns are nearest, and a few whose others are much nearer."""
    query = np.zeros((1, WIDTH))
    query[0, [0, -1]] = 1.0
    rows = 0.01 * normal(900, WIDTH, seed=2)
    rows[:, 0] += 1.0
    rows[:, 1] += 1.0
    rows[400:415, 1] = 0.0
    rows[400:415, 0] -= 0.3
    rows[400:415, -1] += 1.0
    return _unit(rows), _unit(query)


@check("graph")
def leading_columns(probe: Probe) -> None:
    """What is left of a large bank holds a query's nearest rows, or nothing is left out."""
    ops = probe.ops
    for name, told, (rows, query) in (
        ("clusters", True, _clusters()),
        ("misleading columns", False, _misleading()),
    ):
        source = probe.array(rows)
        leading = Leading.of(ops, source)
        probe.values(f"{name}: the columns", leading.columns, rows[:, :COLUMNS])
        left = ops.to_numpy(leading.rest) - np.linalg.norm(rows[:, COLUMNS:], axis=1)
        require(bool((left >= 0.0).all()), f"{name}: the rest of a row is longer than was said")
        found = leading.candidates(ops, probe.array(query), source, NEAREST)
        require(found is not None or not told, f"{name}: no row is told from the nearest")
        if found is not None:
            near = ops.to_numpy(found).tolist()
            nearest = np.argsort(-(rows @ query[0]))[:NEAREST].tolist()
            require(set(nearest) <= set(near), f"{name}: a near row is missing")
            require(near == sorted(set(near)), f"{name}: rows must come once, in ascending order")
    _links(probe)


def _links(probe: Probe) -> None:
    """Links are those to all rows, also of a row that is there itself."""
    rows, query = _clusters()
    constructor, source = EfficientGraphConstructor(NEAREST - 1), probe.array(rows)
    leading = Leading.of(probe.ops, source)
    for name, itself, one in (("another row", -1, query), ("a row of the bank", 7, rows[7:8])):
        given = probe.array(one), source
        graph = leading.attach(probe.ops, constructor, *given, itself)
        require(graph is not None, f"{name}: no row is told from the nearest")
        assert graph is not None
        exclude = probe.array(np.array([itself], np.int32))
        whole = constructor.attach(probe.ops, *given, exclude)
        for part in ("neighbors", "weights", "own"):
            expected = probe.ops.to_numpy(getattr(whole, part))
            probe.values(f"{name}: {part}", getattr(graph, part), expected)
