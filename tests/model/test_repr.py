"""What a model and an ensemble say of themselves in a line."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from dtgcnn import DTGCNN, Ensemble, HashingEncoder, MultiTaskDTGCNN

from ..conftest import blobs

SETTINGS: dict[str, Any] = {
    "input_dim": 12,
    "hidden_dims": (8, 6),
    "output_dim": 4,
    "graph_k_neighbors": 3,
    "backend": "numpy",
}


def with_bank(**settings: Any) -> DTGCNN:
    model = DTGCNN(**{**SETTINGS, **settings})
    x, labels = blobs(per_class=300)
    model.fit_start(model.vectors(x), labels)
    model.build_bank(model.vectors(x), labels.tolist())
    return model


def test_model_tells_shape_size_backend_and_bank() -> None:
    told = "12 → 8, 6 → 4, 150 parameters, numpy (cpu)"
    assert repr(DTGCNN(**SETTINGS)) == f"<DTGCNN {told}, untrained>"
    assert repr(with_bank()) == f"<DTGCNN {told}, bank of 1,200 rows>"
    plain = "12 → 8, 6 → 4, 214 parameters, numpy (cpu)"
    assert repr(DTGCNN(**SETTINGS, start="none")) == f"<DTGCNN {plain}, untrained>"


def test_model_names_its_encoder() -> None:
    model = DTGCNN(**SETTINGS, encoder=HashingEncoder(12))
    assert repr(model).endswith(", untrained, encoder hashing>")
    model.encoder = SimpleNamespace(dim=12, encode=HashingEncoder(12).encode)  # without a name
    assert repr(model).endswith(", untrained, encoder SimpleNamespace>")


def test_embedding_layer_tells_its_pieces() -> None:
    model = DTGCNN(**SETTINGS, vocab_size=1000, max_length=6)
    told = "6 of 1,000 pieces → 12 → 8, 6 → 4, 12,214 parameters"
    assert repr(model) == f"<DTGCNN {told}, numpy (cpu), untrained>"


@pytest.mark.parametrize(
    ("heads", "told"),
    [
        ({"num_classes": 5}, "5 classes, 175 parameters"),
        ({"regression": True}, "regression, 155 parameters"),
        ({"num_classes": 5, "regression": True}, "5 classes, regression, 180 parameters"),
    ],
)
def test_multitask_model_tells_its_heads(heads: dict[str, Any], told: str) -> None:
    model = MultiTaskDTGCNN(**SETTINGS, **heads)
    assert repr(model) == f"<MultiTaskDTGCNN 12 → 8, 6 → 4, {told}, numpy (cpu), untrained>"


def test_ensemble_tells_its_models_together() -> None:
    models = [with_bank(seed=seed, encoder=HashingEncoder(12)) for seed in range(3)]
    told = "450 parameters, numpy (cpu), encoder hashing"
    assert repr(Ensemble(models, "mean")) == f"<Ensemble of 3 models, mean, 12 → 4, {told}>"
    assert repr(Ensemble(models, "concat")) == f"<Ensemble of 3 models, concat, 12 → 12, {told}>"


def test_ensemble_without_an_encoder_names_none() -> None:
    told = "300 parameters, numpy (cpu)"
    ensemble = Ensemble([with_bank(), with_bank(seed=1)])
    assert repr(ensemble) == f"<Ensemble of 2 models, procrustes, 12 → 4, {told}>"
