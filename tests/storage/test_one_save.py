"""What another process saves over while it is read: all of it is of one save."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dtgcnn.data
import dtgcnn.evaluation.search_index
import dtgcnn.storage
from dtgcnn import DTGCNN, CheckpointError, Ensemble, SearchIndex, Trainer, TripletDataset
from dtgcnn.storage import of_one_save

from ..conftest import SETTINGS, blobs, sentences
from ..training.test_ensemble import train


def first_after(
    monkeypatch: pytest.MonkeyPatch, place: Any, name: str, save: Callable[[], object]
) -> list[int]:
    """Have ``save`` done once, when what ``place`` has of this name is first called; its calls."""
    real, calls = getattr(place, name), list[int]()

    def replaced(*arguments: Any, **named: Any) -> Any:
        calls.append(len(calls))
        found = real(*arguments, **named) if name.startswith("read") else None
        if len(calls) == 1:
            save()
        return real(*arguments, **named) if found is None else found

    monkeypatch.setattr(place, name, replaced)
    return calls


def of_texts(texts: list[str]) -> DTGCNN:
    loader, _ = TripletDataset.from_labelled(texts, [0, 1] * (len(texts) // 2)).create_dataloaders(
        batch_size=24, train_split=1.0
    )
    model = DTGCNN(backend="numpy", **SETTINGS)
    Trainer(model, train_loader=loader, progress=False).train()
    return model


def test_a_model_whose_encoder_goes_meanwhile_is_the_one_that_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = sentences()[0]
    folder = of_texts(texts).save(tmp_path / "m")
    other = of_texts(texts[: len(texts) // 2])
    calls = first_after(
        monkeypatch, dtgcnn.data, "load_encoder", lambda: other.save(folder, overwrite=True)
    )
    back = DTGCNN.load(folder, backend="numpy")
    assert len(calls) == 2
    np.testing.assert_array_equal(back.encode(texts), other.encode(texts))


def test_an_ensemble_whose_members_go_meanwhile_is_the_one_that_came(
    labelled: TripletDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensemble = train(labelled)
    folder, other = ensemble.save(tmp_path / "e"), Ensemble(ensemble.models[:2], "mean")
    first_after(
        monkeypatch, dtgcnn.storage, "read_ensemble", lambda: other.save(folder, overwrite=True)
    )
    back = Ensemble.load(folder, backend="numpy")
    np.testing.assert_array_equal(back.encode(blobs()[0]), other.encode(blobs()[0]))


def test_an_index_is_not_of_one_model_and_its_rows_of_another(
    trained: DTGCNN, labelled: TripletDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = TripletDataset.from_arrays(labelled.features[:20])
    folder = SearchIndex.build(trained, labelled).save(tmp_path / "i")
    other = SearchIndex.build(trained, part)
    first_after(
        monkeypatch,
        dtgcnn.evaluation.search_index,
        "read_index",
        lambda: other.save(folder, overwrite=True),
    )
    back = SearchIndex.load(folder, backend="numpy")
    np.testing.assert_array_equal(back.embeddings, other.embeddings)
    assert len(back.model.trained_bank()) == len(other.model.trained_bank())


def test_what_fails_in_a_folder_that_stays_is_read_once(tmp_path: Path) -> None:
    tries = []

    def read() -> None:
        tries.append(1)
        raise CheckpointError("no model here")

    with pytest.raises(CheckpointError, match="no model here"):
        of_one_save(tmp_path / "model.safetensors", read)
    assert len(tries) == 1


def test_what_is_replaced_again_and_again_is_read_at_last(tmp_path: Path) -> None:
    main, tries = tmp_path / "main", []

    def read() -> int:
        tries.append(1)
        main.write_bytes(b"." * len(tries))
        return len(tries)

    assert of_one_save(main, read) == len(tries) == 10
