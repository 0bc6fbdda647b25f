"""Saved models: what comes back is what was saved, and damage is named."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from dtgcnn import DTGCNN, CheckpointError, MultiTaskDTGCNN, Trainer, TripletDataset
from dtgcnn.array.tree import flatten
from dtgcnn.model import Network
from dtgcnn.storage.files import read_arrays, write_arrays

from ..conftest import SETTINGS, blobs, sentences


@pytest.fixture
def saved(trained: DTGCNN, tmp_path: Path) -> Path:
    return trained.save(tmp_path / "model")


def test_what_comes_back_is_what_was_saved(trained: DTGCNN, saved: Path) -> None:
    back = DTGCNN.load(saved, backend="numpy")
    assert back.config == trained.config
    for name, leaf in flatten(trained.params).items():
        np.testing.assert_array_equal(flatten(back.params)[name], leaf)
    np.testing.assert_array_equal(back.encode(blobs()[0]), trained.encode(blobs()[0]))


def test_the_folder_holds_weights_config_and_card(saved: Path) -> None:
    assert {p.name for p in saved.iterdir()} == {"model.safetensors", "config.json", "README.md"}
    names = set(load_file(saved / "model.safetensors"))
    assert {"params.gcn.0.linear.weight", "params.head.bias", "bank.x", "bank.states.1"} <= names
    config = json.loads((saved / "config.json").read_text())
    assert config["config"]["hidden_dims"] == [16, 16]
    assert config["trained_with"]["backend"] == "numpy"
    assert "DT-GCNN" in (saved / "README.md").read_text()


def test_running_statistics_are_kept(labelled: TripletDataset, tmp_path: Path) -> None:
    loader, _ = labelled.create_dataloaders(batch_size=24)
    model = DTGCNN(backend="numpy", use_batch_norm=True, **SETTINGS)
    Trainer(model, train_loader=loader, progress=False).train()
    back = DTGCNN.load(model.save(tmp_path / "m"), backend="numpy")
    moved = flatten(back.state)["gcn.0.norm.mean"]
    np.testing.assert_array_equal(moved, flatten(model.state)["gcn.0.norm.mean"])
    assert np.abs(moved).max() > 0
    np.testing.assert_array_equal(back.encode(blobs()[0]), model.encode(blobs()[0]))


def test_the_encoder_comes_along(text_file: Path, tmp_path: Path) -> None:
    dataset = TripletDataset(text_file)
    loader, _ = dataset.create_dataloaders(batch_size=24)
    model = DTGCNN(backend="numpy", **SETTINGS)
    Trainer(model, train_loader=loader, progress=False).train()
    back = DTGCNN.load(model.save(tmp_path / "m"), backend="numpy")
    assert dataset.texts is not None
    np.testing.assert_array_equal(back.encode(dataset.texts), model.encode(dataset.texts))
    model.save(tmp_path / "m", overwrite=True)
    assert len(list((tmp_path / "m").glob("encoder-*"))) == 1


def test_an_untrained_model_can_be_saved(tmp_path: Path) -> None:
    model = DTGCNN(backend="numpy", **SETTINGS)
    assert DTGCNN.load(model.save(tmp_path / "m"), backend="numpy").bank is None


def test_a_model_is_not_replaced_unasked(trained: DTGCNN, saved: Path) -> None:
    before = (saved / "model.safetensors").read_bytes()
    with pytest.raises(FileExistsError, match="already holds a model"):
        trained.save(saved)
    assert (saved / "model.safetensors").read_bytes() == before


def test_a_failed_save_leaves_the_last_model(
    trained: DTGCNN, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = trained.encode(blobs()[0])
    trained.params["head"]["bias"] = trained.params["head"]["bias"] + 1.0

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        trained.save(saved, overwrite=True)
    assert not list(saved.glob(".*"))
    np.testing.assert_array_equal(DTGCNN.load(saved, backend="numpy").encode(blobs()[0]), before)


def rewrite(change: Callable[[dict[str, Any], dict[str, Any]], object]) -> Callable[[Path], None]:
    """Another model's file: the arrays or metadata changed, the checksum made anew."""

    def write(path: Path) -> None:
        metadata, arrays = read_arrays(path)
        change(arrays, metadata)
        write_arrays(path, arrays, metadata)

    return write


def meddle(change: Callable[[dict[str, Any], dict[str, str]], object]) -> Callable[[Path], None]:
    """Change the arrays or the header behind the checksum's back."""

    def damage(path: Path) -> None:
        with safe_open(path, framework="np") as file:
            header = dict(file.metadata())
        arrays = dict(load_file(path))
        change(arrays, header)
        save_file(arrays, path, header)

    return damage


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)


DAMAGE: dict[str, tuple[Callable[[Path], None], str]] = {
    "missing": (lambda path: path.unlink(), "no model here"),
    "empty": (lambda path: path.write_bytes(b""), "not a readable safetensors file"),
    "truncated": (
        lambda path: path.write_bytes(path.read_bytes()[:1000]),
        "not a readable safetensors file",
    ),
    "noise": (lambda path: path.write_bytes(b"\x07" * 999), "not a readable safetensors file"),
    "foreign": (
        lambda path: save_file({"x": np.zeros(3, np.float32)}, path),
        "not one that dtgcnn wrote",
    ),
    "lacking": (rewrite(lambda arrays, _: arrays.pop("params.head.bias")), "is missing"),
    "shape": (
        rewrite(lambda arrays, _: arrays.update({"params.head.bias": np.zeros(5, np.float32)})),
        r"must have shape \(8,\) by the config, it has \(5,\)",
    ),
    "bank": (rewrite(lambda arrays, _: arrays.pop("bank.states.1")), "'bank.states.1' is missing"),
    "config": (
        rewrite(lambda _, meta: meta.update(config={"a": 1})),
        "its config is not valid: unknown setting 'a'",
    ),
    "format": (rewrite(lambda _, meta: meta.update(format="x")), "format must be 'dtgcnn-2'"),
    "bit": (flip_a_bit, "damaged: its content does not agree with its checksum"),
    "array": (meddle(lambda arrays, _: arrays.pop("bank.states.1")), "damaged"),
    "unsigned": (meddle(lambda _, header: header.pop("sha256")), "damaged"),
    "text": (meddle(lambda _, header: header.update(dtgcnn="{")), "damaged"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_named_with_the_file(saved: Path, name: str) -> None:
    damage, message = DAMAGE[name]
    damage(saved / "model.safetensors")
    with pytest.raises(CheckpointError, match=message) as caught:
        DTGCNN.load(saved, backend="numpy")
    assert str(saved) in str(caught.value)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no model here"):
        DTGCNN.load(tmp_path / "nowhere")


def test_a_lost_encoder_is_named(text_file: Path, tmp_path: Path) -> None:
    loader, _ = TripletDataset(text_file).create_dataloaders(batch_size=24)
    model = DTGCNN(backend="numpy", **SETTINGS)
    Trainer(model, train_loader=loader, progress=False).train()
    model.save(tmp_path / "m")
    for folder in (tmp_path / "m").glob("encoder-*"):
        shutil.rmtree(folder)
    with pytest.raises(ValueError, match=r"encoder\.json: cannot be read"):
        DTGCNN.load(tmp_path / "m", backend="numpy")


def test_a_model_is_saved_as_the_same_bytes(trained: DTGCNN, tmp_path: Path) -> None:
    saved = [trained.save(tmp_path / str(i)) / "model.safetensors" for i in range(8)]
    assert len({path.read_bytes() for path in saved}) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"start": "none", "input_dim": 10**7},
        {"hidden_dims": [16, 10**7]},
        {"output_dim": 10**7},
        {"start": "none", "vocab_size": 10**8},
    ],
)
def test_a_crafted_size_is_refused_before_arrays_are_made(
    saved: Path, change: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    rewrite(lambda _, meta: meta["config"].update(change))(saved / "model.safetensors")
    monkeypatch.setattr(Network, "init", lambda *_: pytest.fail("arrays were made"))
    with pytest.raises(CheckpointError, match=r"must have shape|is missing"):
        DTGCNN.load(saved, backend="numpy")


def test_a_crafted_head_is_refused_before_arrays_are_made(tmp_path: Path) -> None:
    path = MultiTaskDTGCNN(num_classes=3, backend="numpy", **SETTINGS).save(tmp_path / "m")
    rewrite(lambda _, meta: meta["arguments"].update(num_classes=10**12))(
        path / "model.safetensors"
    )
    with pytest.raises(CheckpointError, match=r"must have shape \(8, 1000000000000\)"):
        MultiTaskDTGCNN.load(path, backend="numpy")


def test_models_that_are_saved_at_once_leave_one_whole_model(tmp_path: Path) -> None:
    """Each save deletes the encoder of the one before it, never that of the one it ends with."""
    models = []
    for i in range(2):
        texts, labels = sentences()
        dataset = TripletDataset.from_labelled([f"{text} {i}" for text in texts], labels)
        loader, _ = dataset.create_dataloaders(24, 1.0)
        model = DTGCNN(backend="numpy", **SETTINGS)
        Trainer(model, train_loader=loader, epochs=1, progress=False).train()
        models.append(model)

    def save(number: int) -> None:
        models[number % 2].save(tmp_path / "model", overwrite=True)

    save(0)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(save, range(24)))
    assert DTGCNN.load(tmp_path / "model", backend="numpy").encode(["the cat"]).any()
    assert not list((tmp_path / "model").glob(".*"))


@pytest.mark.parametrize("name", ["/no/such", "./model", "a/b/c"])
def test_a_folder_that_is_missing_is_not_sought_on_the_hub(name: str) -> None:
    with pytest.raises(CheckpointError, match=f"^{name}: no such folder$"):
        DTGCNN.from_pretrained(name)
