"""A text encoder that was changed after it was saved is refused, but for where its model lies."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtgcnn import DTGCNN, CheckpointError, HashingEncoder, Trainer, TripletDataset
from dtgcnn.storage.encoder_folder import check_encoder, save_encoder

from ..conftest import SETTINGS, sentences


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    loader, _ = TripletDataset.from_labelled(*sentences()).create_dataloaders(24)
    model = DTGCNN(backend="numpy", **SETTINGS)
    Trainer(model, train_loader=loader, progress=False).train()
    return model.save(tmp_path_factory.mktemp("saved") / "model")


def encoder_of(model: Path) -> Path:
    (folder,) = model.glob("encoder-*")
    return folder


@pytest.mark.parametrize("name", ["encoder.safetensors", "encoder.json"])
def test_every_flipped_bit_is_refused(saved: Path, name: str) -> None:
    path, rng = encoder_of(saved) / name, np.random.default_rng(1)
    whole = path.read_bytes()
    try:
        for _ in range(100):
            content = bytearray(whole)
            content[rng.integers(len(whole))] ^= 1 << int(rng.integers(8))
            path.write_bytes(content)
            with pytest.raises(CheckpointError, match=r"encoder-[0-9a-f]{16}: damaged"):
                DTGCNN.load(saved, backend="numpy")
    finally:
        path.write_bytes(whole)
    assert DTGCNN.load(saved, backend="numpy").encode(["the cat"]).any()


def test_a_file_too_many_or_too_few_is_refused(saved: Path) -> None:
    folder = encoder_of(saved)
    (folder / ".DS_Store").write_text("what a file browser leaves")
    DTGCNN.load(saved, backend="numpy")
    (folder / "more").write_text("")
    with pytest.raises(CheckpointError, match="damaged"):
        DTGCNN.load(saved, backend="numpy")
    (folder / "more").unlink()
    arrays = (folder / "encoder.safetensors").read_bytes()
    (folder / "encoder.safetensors").unlink()
    with pytest.raises(CheckpointError, match="damaged"):
        DTGCNN.load(saved, backend="numpy")
    (folder / "encoder.safetensors").write_bytes(arrays)


def test_a_damaged_encoder_is_saved_anew(saved: Path, tmp_path: Path) -> None:
    model = DTGCNN.load(saved, backend="numpy")
    folder = encoder_of(model.save(tmp_path / "m"))
    (folder / "encoder.json").write_text("{}")
    model.save(tmp_path / "m", overwrite=True)
    check_encoder(folder)


def test_all_that_is_saved_has_one_mode(saved: Path) -> None:
    modes = {stat.S_IMODE(p.stat().st_mode) for p in saved.rglob("*") if p.is_file()}
    umask = os.umask(0)
    os.umask(umask)
    assert modes == {0o666 & ~umask}


class Pretrained:
    """What the encoders of pretrained models save."""

    name = "sentence-transformer"

    def save(self, directory: Path) -> None:
        described = {"name": self.name, "model": "/models/a", "dim": 4, "weights": "0" * 64}
        (directory / "encoder.json").write_text(json.dumps(described, indent=2))
        (directory / "vocabulary.txt").write_text("a\nb\n")
        (directory / "vocabulary.txt").chmod(0o600)


def test_where_a_pretrained_model_lies_may_be_changed_by_hand(tmp_path: Path) -> None:
    folder = tmp_path / save_encoder(Pretrained(), tmp_path)
    path = folder / "encoder.json"
    described = json.loads(path.read_text())
    path.write_text(json.dumps({**described, "model": "/models/moved"}))
    check_encoder(folder)
    path.write_text(json.dumps({**described, "dim": 5}))
    with pytest.raises(CheckpointError, match="damaged"):
        check_encoder(folder)


def test_names_of_earlier_releases_tell_the_bytes(tmp_path: Path) -> None:
    import hashlib

    plain, placed = tmp_path / "a", tmp_path / "b"
    for folder, description in ((plain, {"name": "tfidf"}), (placed, {"name": "x", "model": "m"})):
        folder.mkdir()
        content = json.dumps(description).encode()
        (folder / "encoder.json").write_bytes(content)
        name = hashlib.sha256(b"encoder.json" + content).hexdigest()[:12]
        folder = folder.rename(tmp_path / f"encoder-{name}")
        check_encoder(folder)
        (folder / "encoder.json").write_bytes(content + b" ")
        if "model" in description:  # its place may have been changed by hand
            check_encoder(folder)
        else:
            with pytest.raises(CheckpointError, match="damaged"):
                check_encoder(folder)


@pytest.mark.parametrize("content", [None, "{", "{}", "[]", '{"name": "other"}'])
def test_a_save_that_does_not_tell_the_name_is_refused(tmp_path: Path, content: str | None) -> None:
    class Own(HashingEncoder):
        name = "own"

        def save(self, directory: Any) -> None:
            if content is not None:
                (Path(directory) / "encoder.json").write_text(content)

    with pytest.raises(ValueError, match=r"save must write encoder\.json with its name, 'own'"):
        save_encoder(Own(8), tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("given", [{"name": "own"}, {"save": HashingEncoder.save}, {"name": 1}])
def test_what_cannot_be_saved_is_told(tmp_path: Path, given: dict[str, Any]) -> None:
    own = type("Own", (), given)()
    with pytest.raises(ValueError, match="an encoder that is saved must have a name and save"):
        save_encoder(own, tmp_path)
    assert not list(tmp_path.iterdir())


def test_no_other_folder_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"an encoder that cannot be|text encoder"):
        check_encoder(tmp_path / ".." / "encoder")
