"""The scale of the loss in half precision."""

from __future__ import annotations

import numpy as np
import pytest
from dtgcnn_numpy import NumpyOps

from dtgcnn.array import half_precision


def test_the_scale_is_torchs(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    monkeypatch.setattr(half_precision, "GROWTH_INTERVAL", 7)
    ops, rng = NumpyOps(), np.random.default_rng(0)
    state, seen = half_precision.init_loss_scale(ops), set[float]()
    scale, tracker = torch.tensor(65536.0), torch.tensor(0, dtype=torch.int32)
    for _ in range(200):
        finite = rng.random() > 0.1
        state = half_precision.update_loss_scale(ops, state, np.asarray(finite))
        found = torch.tensor(0.0 if finite else 1.0)
        torch._amp_update_scale_(scale, tracker, found, 2.0, 0.5, 7)
        seen.add(float(scale))
        assert float(state["loss_scale"]) == float(scale)
    assert len(seen) > 5
