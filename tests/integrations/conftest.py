"""A model of texts, saved, for other libraries."""

from __future__ import annotations

from pathlib import Path

import pytest

from dtgcnn import DTGCNN, Trainer
from dtgcnn.data import load_sample


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = load_sample()
    loader, _ = data.create_dataloaders(64, 1.0)
    model = DTGCNN(input_dim=64, hidden_dims=(32,), output_dim=16, backend="numpy")
    Trainer(model, train_loader=loader, epochs=1, progress=False).train()
    return model.save(tmp_path_factory.mktemp("saved") / "model")
