"""Leading columns: a single query finds the rows that comparing all columns finds."""

from __future__ import annotations

import numpy as np
import pytest

from dtgcnn import DTGCNN, Trainer, TripletDataset
from dtgcnn.array import load_ops
from dtgcnn.model.leading import Leading

from .test_index import SETTINGS, blobs


def clustered(rows: int, width: int, seed: int, noise: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(9).normal(size=(12, width))
    x = centres[rng.integers(0, 12, rows)] + noise * rng.normal(size=(rows, width))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("backend", ["numpy", pytest.param("mlx", marks=pytest.mark.mlx)])
@pytest.mark.parametrize(("width", "noise"), [(96, 0.3), (96, 1.0), (40, 0.5), (256, 3.0)])
@pytest.mark.parametrize("k", [1, 11, 300])
def test_candidates_hold_the_nearest(backend: str, width: int, noise: float, k: int) -> None:
    ops = load_ops(backend)
    rows = clustered(6000, width, 1, noise)
    rows[50:70] = rows[50]
    rows[99] = 0.0
    leading, source = Leading.of(ops, ops.asarray(rows)), ops.asarray(rows)
    queries = np.concatenate([clustered(12, width, 2, noise), rows[[50, 99]]])
    told = 0
    for query in queries:
        found = leading.candidates(ops, ops.asarray(query[None]), source, k)
        if found is None:
            continue
        near, told = ops.to_numpy(found), told + 1
        cosines = rows.astype(np.float64) @ query.astype(np.float64)
        assert set(np.flatnonzero(cosines >= np.sort(cosines)[-k])) <= set(near.tolist())
        assert (np.diff(near) > 0).all()
    if noise < 1.0 and k < 300:
        assert told > 6
    if noise > 1.0:
        assert told < len(queries)


@pytest.mark.parametrize("hops", [0, 2])
def test_a_query_alone_has_the_same_bits(hops: int, monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = blobs(6, 20, seed=0)
    loader, _ = TripletDataset.from_arrays(x, y).create_dataloaders(32, 1.0)
    model = DTGCNN(backend="numpy", **SETTINGS)
    Trainer(model, train_loader=loader, epochs=2, progress=False).train()
    rows = blobs(6, 400, seed=3)[0]
    indexed, queries = model.index(rows, hops=hops), np.concatenate([rows[::300], rows[:9] + 0.1])
    whole = indexed.encode(queries)
    used = []
    candidates = Leading.candidates

    def counted(*given: object) -> object:
        used.append(candidates(*given))  # type: ignore[arg-type]
        return used[-1]

    monkeypatch.setattr(Leading, "candidates", counted)
    for least in (2401, 2400):  # a bank of 2,400 rows is small, and then large
        monkeypatch.setattr("dtgcnn.model.bank.LARGE_BANK", least)
        alone = np.concatenate([indexed.encode(query[None]) for query in queries])
        assert alone.tobytes() == whole.tobytes()
        assert (len(used) > 0) == (least == 2400)
    assert len(used) == (len(queries) - 1) * (1 + (hops > 0) * 1)
    assert sum(found is not None for found in used) > len(used) / 2
    indexed.refresh_bank()
    indexed.encode(queries[:1])
    again = indexed.encode(queries[1:2])
    assert again.tobytes() == whole[1:2].tobytes()
