"""The device of a model, and what its files tell of what computed it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dtgcnn import DTGCNN, Trainer, load_ops

from ..conftest import SETTINGS


@pytest.mark.mlx
def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="device must be 'cpu' for the numpy backend, received"):
        DTGCNN(backend="numpy", device="gpu")
    mx = pytest.importorskip("mlx.core")
    if mx.is_available(mx.gpu):
        assert DTGCNN(backend="mlx", device="gpu").ops.device == "gpu"
        return
    with pytest.raises(ValueError, match=r"device must be one of \['cpu'\], received 'gpu'"):
        DTGCNN(backend="mlx", device="gpu")


def test_the_cpu_is_there_for_every_backend(backend: str) -> None:
    model = DTGCNN(backend=backend, **SETTINGS, device="cpu")
    assert (model.ops.device, model.made_with()["device"]) == ("cpu", "cpu")
    if backend == "mlx":
        mx = pytest.importorskip("mlx.core")
        assert mx.default_device() == mx.Device(mx.cpu)
        assert mx.default_stream(mx.default_device()).device == mx.Device(mx.cpu)


def test_a_model_of_another_device_is_loaded_on_this_one(trained: DTGCNN, tmp_path: Path) -> None:
    trained.config = trained.config.replace(device="gpu")  # as if it had been trained on one
    loaded = DTGCNN.load(trained.save(tmp_path / "m"), backend="numpy")
    assert (loaded.config.device, loaded.ops.device) == ("auto", "cpu")
    Trainer(loaded, progress=False)


def test_the_metadata_name_what_computed(backend: str) -> None:
    made = DTGCNN(ops=load_ops(backend, device="cpu"), **SETTINGS).made_with()
    assert {"dtgcnn", "python", "backend", "device", "dtype", "threads"} <= made.keys()
    library = __import__("mlx.core").core if backend == "mlx" else np
    assert made[backend] == library.__version__
    assert made.get("tf32", False) is False  # a CPU has none
    json.dumps(made)


@pytest.mark.mlx
@pytest.mark.parametrize(("value", "expected"), [("1", True), ("0", False), (None, True)])
def test_the_metadata_tell_of_tf32(
    value: str | None, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mlx.core")
    ops = load_ops("mlx", device="cpu")
    monkeypatch.setattr(ops, "device", "gpu")
    monkeypatch.delenv("MLX_ENABLE_TF32", raising=False)
    if value is not None:
        monkeypatch.setenv("MLX_ENABLE_TF32", value)
    assert ops.made_with()["tf32"] is expected  # type: ignore[attr-defined]
