"""The training guide's Quick Start, as written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

QUICK_START = """
from dtgcnn import DTGCNN, Trainer, TripletDataset

# Load your data
dataset = TripletDataset("data/triplets.json")
train_loader, val_loader = dataset.create_dataloaders(
    batch_size=512,
    train_split=0.9
)

# Initialize model
model = DTGCNN(
    input_dim=768,
    hidden_dim=256,
    output_dim=128,
    num_gcn_layers=3
)

# Create trainer and train
trainer = Trainer(
    model=model,
    train_loader=train_loader,
    val_loader=val_loader,
    epochs=20
)

trainer.train()
"""


def test_the_quick_start_runs_as_written(
    triplet_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").mkdir()
    triplet_file.rename(tmp_path / "data" / "triplets.json")
    monkeypatch.chdir(tmp_path)
    scope: dict[str, Any] = {}
    exec(QUICK_START, scope)
    losses = [entry["loss"] for entry in scope["trainer"].history]
    assert len(losses) == 20
    assert losses[-1] < 0.5 * losses[0]
    embeddings = scope["model"].encode(["the cat and the dog today", "bread and soup"])
    assert embeddings.shape == (2, 128)
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1.0, atol=1e-6)
