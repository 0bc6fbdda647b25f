"""Models of a user's own classes are saved, loaded and pickled."""

from __future__ import annotations

import gc
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtgcnn import DTGCNN, CheckpointError, DTGCNNConfig, MultiTaskDTGCNN, Trainer, TripletDataset
from dtgcnn.array import load_ops

from ..conftest import SETTINGS, blobs


class Plain(DTGCNN):
    """Adds a method alone."""


class StableDTGCNN(DTGCNN):
    """Takes the config alone, as the guide's own class does."""

    def __init__(self, config: DTGCNNConfig) -> None:
        super().__init__(config)
        self.note = "stable"


class TwoHeads(MultiTaskDTGCNN):
    """Takes the config alone, and gives its base what that asks for."""

    def __init__(self, config: DTGCNNConfig) -> None:
        super().__init__(config, num_classes=4, regression=False)


@pytest.mark.parametrize("kind", [Plain, StableDTGCNN, TwoHeads])
def test_a_users_class_is_saved_and_loaded(kind: Any, backend: str, tmp_path: Path) -> None:
    model = kind(DTGCNNConfig(**SETTINGS))
    x, labels = blobs()
    loader, _ = TripletDataset.from_arrays(x, labels).create_dataloaders(24, 1.0)
    Trainer(model, loader, epochs=1, progress=False).train()
    model.save(tmp_path / "model")
    expected = model.encode(x)
    for loaded in (
        kind.load(tmp_path / "model", backend=backend),
        DTGCNN.load(tmp_path / "model", ops=load_ops(backend)),
    ):
        assert type(loaded) is kind
        assert loaded.ops.name == backend
        assert getattr(loaded, "note", None) == getattr(model, "note", None)
        np.testing.assert_allclose(loaded.encode(x), expected, atol=1e-5)
    again = pickle.loads(pickle.dumps(model))
    assert type(again) is kind
    np.testing.assert_allclose(again.encode(x), expected, atol=1e-6)


def test_of_two_classes_of_one_name_the_one_that_is_asked_for(tmp_path: Path) -> None:
    Plain(DTGCNNConfig(**SETTINGS), backend="numpy").save(tmp_path / "model")
    other: Any = type("Plain", (DTGCNN,), {})
    assert type(Plain.load(tmp_path / "model", backend="numpy")) is Plain
    assert type(other.load(tmp_path / "model", backend="numpy")) is other


def test_a_class_that_is_not_imported_is_named(tmp_path: Path) -> None:
    type("Elsewhere", (DTGCNN,), {})(backend="numpy", **SETTINGS).save(tmp_path / "model")
    gc.collect()  # the class is gone, as in another program
    with pytest.raises(CheckpointError, match="'Elsewhere' is no class of models here"):
        DTGCNN.load(tmp_path / "model", backend="numpy")
