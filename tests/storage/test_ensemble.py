"""Saved ensembles: what comes back is what was saved, and damage is named."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtgcnn import DTGCNN, CheckpointError, Ensemble, TripletDataset
from dtgcnn.storage.files import write_arrays
from dtgcnn.training.ensemble import Mode

from ..conftest import SETTINGS, blobs
from ..training.test_ensemble import MODES, train


@pytest.fixture
def ensemble(labelled: TripletDataset) -> Ensemble:
    return train(labelled)


@pytest.mark.parametrize("mode", MODES)
def test_what_comes_back_is_what_was_saved(ensemble: Ensemble, mode: Mode, tmp_path: Path) -> None:
    ensemble = Ensemble(ensemble.models, mode)
    back = Ensemble.load(ensemble.save(tmp_path / "e"), backend="numpy")
    assert back.mode == mode
    assert [model.config.seed for model in back.models] == [0, 1, 2]
    np.testing.assert_array_equal(back.encode(blobs()[0]), ensemble.encode(blobs()[0]))
    card = (tmp_path / "e" / "README.md").read_text()
    assert "seeds 0, 1, 2" in card
    assert f"`{mode}`" in card


def test_an_ensemble_is_not_replaced_unasked(ensemble: Ensemble, tmp_path: Path) -> None:
    folder = ensemble.save(tmp_path / "e")
    with pytest.raises(FileExistsError, match="already holds an ensemble"):
        ensemble.save(folder)
    other = Ensemble(ensemble.models[:2], "mean")
    other.save(folder, overwrite=True)
    assert len(list(folder.glob("member-*"))) == 2
    back = Ensemble.load(folder, backend="numpy")
    np.testing.assert_array_equal(back.encode(blobs()[0]), other.encode(blobs()[0]))


def test_models_and_ensembles_do_not_overwrite_each_other(
    ensemble: Ensemble, tmp_path: Path
) -> None:
    model = ensemble.models[0]
    ensemble.save(tmp_path / "e")
    model.save(tmp_path / "m")
    with pytest.raises(FileExistsError, match="must be empty or hold an ensemble"):
        ensemble.save(tmp_path / "m", overwrite=True)
    with pytest.raises(FileExistsError, match="must be empty or hold a model"):
        model.save(tmp_path / "e", overwrite=True)
    with pytest.raises(CheckpointError, match="no ensemble here"):
        Ensemble.load(tmp_path / "m")


@pytest.mark.parametrize("writes", range(12))
def test_a_failed_save_leaves_the_last_ensemble(
    ensemble: Ensemble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    """Every file that a save writes, but the two that only people read, is refused in turn."""
    folder = Ensemble(ensemble.models, "concat").save(tmp_path / "e")
    before = Ensemble.load(folder, backend="numpy").encode(blobs()[0])
    replace, done = os.replace, 0

    def full(source: Any, target: Any) -> None:
        nonlocal done
        done += 1
        if done > writes:
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        ensemble.save(folder, overwrite=True)
    index_written = writes >= 10  # three files a member, then the index
    wanted = ensemble.encode(blobs()[0]) if index_written else before
    back = Ensemble.load(folder, backend="numpy")
    np.testing.assert_array_equal(back.encode(blobs()[0]), wanted)
    assert len(list(folder.glob("member-*"))) == 3


def test_leftovers_of_a_killed_save_are_in_nobodys_way(ensemble: Ensemble, tmp_path: Path) -> None:
    shutil.copytree(ensemble.models[0].save(tmp_path / "m"), tmp_path / "e" / "member-0-0123abcd")
    ensemble.save(tmp_path / "e")
    assert len(list((tmp_path / "e").glob("member-*"))) == 3


def spoil(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "no index": (lambda e: (e / "ensemble.safetensors").unlink(), "no ensemble here"),
    "index": (lambda e: spoil(e / "ensemble.safetensors"), "damaged"),
    "foreign": (
        lambda e: write_arrays(e / "ensemble.safetensors", {}, {"format": "x"}),
        "the format must be 'dtgcnn-ensemble-1', it is 'x'",
    ),
    "missing member": (
        lambda e: shutil.rmtree(next(e.glob("member-1-*"))),
        r"member-1-\w+: no model here",
    ),
    "damaged member": (
        lambda e: spoil(next(e.glob("member-2-*")) / "model.safetensors"),
        r"member-2-\w+.*damaged",
    ),
    "another member": (
        lambda e: DTGCNN(backend="numpy", **SETTINGS).save(
            next(e.glob("member-1-*")), overwrite=True
        ),
        r"its members do not fit together: models must be trained, models\[1\] is not",
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_named(ensemble: Ensemble, tmp_path: Path, name: str) -> None:
    folder = ensemble.save(tmp_path / "e")
    damage, message = DAMAGE[name]
    damage(folder)
    with pytest.raises(CheckpointError, match=message) as caught:
        Ensemble.load(folder, backend="numpy")
    assert str(folder) in str(caught.value)
