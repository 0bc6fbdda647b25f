"""``NearRows``: what is told from leading columns is what sorting all cosines finds."""

from __future__ import annotations

import numpy as np
import pytest

from dtgcnn.evaluation import nearest
from dtgcnn.evaluation.nearest import NearRows
from tests.model.test_leading import clustered


@pytest.mark.parametrize(("width", "noise"), [(96, 0.3), (96, 1.0), (40, 0.5), (256, 3.0)])
@pytest.mark.parametrize("count", [1, 10, 3000])
def test_it_finds_what_sorting_finds(
    width: int, noise: float, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nearest, "LARGE", 3000)
    monkeypatch.setattr(nearest, "MOST", 0.2)
    rows = clustered(3000, width, 1, noise)
    rows[50:70] = rows[50]
    rows[99] = 0.0
    queries = np.concatenate([clustered(12, width, 2, noise), rows[[50, 99]]]).astype(np.float64)
    few, near = [], NearRows(rows, ordered=True)
    candidates = near._candidates
    monkeypatch.setattr(near, "_candidates", lambda *a: few.append(candidates(*a)) or few[-1])
    for query in queries:
        (found,) = near.nearest(query[None], count)
        cosines = (rows.astype(np.float64) * query).sum(axis=1)
        np.testing.assert_array_equal(found, np.argsort(-cosines, kind="stable")[:count])
    assert few[0] is None
    told = sum(one is not None for one in few)
    assert told > 6 if noise < 1.0 and count < 3000 else told < len(queries)
    together = near.nearest(queries, count)
    for query, found in zip(queries, together, strict=True):
        np.testing.assert_array_equal(found, near.nearest(query[None], count)[0])
