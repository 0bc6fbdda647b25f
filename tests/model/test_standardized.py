"""Models whose start standardises the columns of vectors, through all that is asked of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dtgcnn_numpy import NumpyOps
from sklearn.datasets import load_wine
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

from dtgcnn import DTGCNN, CheckpointError, DTGCNNConfig, Ensemble, Trainer, TripletDataset
from dtgcnn.callbacks import StopAfter
from dtgcnn.data import TfidfEncoder
from dtgcnn.evaluation import SearchIndex, check_labels, discover, next_rows
from dtgcnn.model import ChosenRows
from dtgcnn.storage.files import read_arrays, write_arrays
from dtgcnn.training import train_on_all

from ..conftest import SETTINGS

WINE = load_wine()
X, LABELS = WINE.data.astype(np.float32), WINE.target
STANDARDIZED: dict[str, Any] = {**SETTINGS, "input_dim": 13, "num_epochs": 1}


def scaled(x: Any) -> Any:
    """By scikit-learn, and the constant."""
    z = StandardScaler().fit(X.astype(np.float64)).transform(x.astype(np.float64))
    return np.hstack([z, np.full((len(x), 1), 13**0.5)])


def unit(x: Any) -> Any:
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def trained(backend: str = "numpy", **settings: Any) -> DTGCNN:
    loader, _ = TripletDataset.from_arrays(X, LABELS).create_dataloaders(24, 1.0)
    model = DTGCNN(backend=backend, **{**STANDARDIZED, **settings})
    Trainer(model, train_loader=loader, progress=False).train()
    return model


def rows_alike(rows: Any) -> int:
    """Pairs of a class whose cosine is as large as that of near-duplicates."""
    alike = (rows @ rows.T > 0.97) & (LABELS[:, None] == LABELS[None, :])
    return int(np.triu(alike, 1).sum())


@pytest.fixture(scope="module")
def model() -> DTGCNN:
    return trained()


def test_rows_go_in_standardised(backend: str) -> None:
    model = trained(backend)
    assert model.start is not None
    assert model.start.standardizes
    on_device = model.ops.to_numpy(model.device_rows(X))
    np.testing.assert_allclose(on_device, unit(scaled(X)), atol=2e-6)
    np.testing.assert_allclose(model.input_vectors(X), scaled(X), atol=3e-5)
    assert model.vectors(X) is X
    found, wanted = model.encode(X), trained().encode(X)
    np.testing.assert_allclose(found, wanted, atol=1e-3)
    assert (np.array(model.predict(X)) == LABELS.astype(str)).mean() > 0.97


def test_a_setting_leaves_them_as_they_are() -> None:
    plain = trained(standardize=False)
    assert plain.start is not None
    assert not plain.start.standardizes
    assert plain.input_vectors(X) is X
    np.testing.assert_allclose(plain.device_rows(X), unit(X.astype(np.float64)), atol=1e-6)


def test_chosen_rows_are_standardised_block_by_block(model: DTGCNN) -> None:
    rows = model.input_vectors(ChosenRows(X, np.array([7, 2, 170])))
    assert isinstance(rows, ChosenRows)
    assert rows.shape == (3, 14)
    np.testing.assert_allclose(rows[:], scaled(X[[7, 2, 170]]), atol=3e-5)
    np.testing.assert_allclose(rows[[2]], scaled(X[[170]]), atol=3e-5)


def test_a_row_is_the_same_alone_and_in_blocks(
    model: DTGCNN, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = model.encode(X)
    np.testing.assert_array_equal(model.encode(X[5:6]), whole[5:6])
    np.testing.assert_array_equal(model.encode(X[::-1].copy())[::-1], whole)
    wanted = np.asarray(model.device_rows(X))
    monkeypatch.setattr("dtgcnn.model.input_rows.DEVICE_ROWS", 50)
    np.testing.assert_array_equal(np.asarray(model.device_rows(X)), wanted)


def test_a_saved_model_answers_alike(model: DTGCNN, tmp_path: Path, backend: str) -> None:
    model.save(tmp_path / "model")
    loaded = DTGCNN.load(tmp_path / "model", backend=backend)
    assert loaded.start is not None
    assert loaded.start.standardizes
    atol = 0.0 if backend == "numpy" else 1e-5
    np.testing.assert_allclose(loaded.encode(X), model.encode(X), atol=atol)
    assert loaded.predict(X) == model.predict(X)
    metadata, arrays = read_arrays(tmp_path / "model" / "model.safetensors")
    for name, wrong in (("column_mean", np.zeros(12, np.float32)), ("column_scale", None)):
        broken = {key: array for key, array in arrays.items() if key != f"start.{name}"}
        broken |= {} if wrong is None else {f"start.{name}": wrong}
        write_arrays(tmp_path / "model" / "model.safetensors", broken, metadata)
        with pytest.raises(CheckpointError, match=name):
            DTGCNN.load(tmp_path / "model", backend=backend)


def test_training_anew_and_training_on_keep_the_choice(tmp_path: Path) -> None:
    data = TripletDataset.from_arrays(X, LABELS)
    loader, val = data.create_dataloaders(24, 0.8)
    trainer = Trainer(DTGCNN(**STANDARDIZED), train_loader=loader, val_loader=val, progress=False)
    trainer.train()
    final = train_on_all(trainer, data).model
    for one, seen in ((trainer.model, X[loader.items]), (final, X)):
        assert one.start is not None
        mean = one.start.columns(one.ops)[0]  # type: ignore[index]
        np.testing.assert_allclose(mean, seen.mean(axis=0), rtol=1e-5)
    final.save(tmp_path / "model")
    loaded = DTGCNN.load(tmp_path / "model")
    before = loaded.encode(X)
    again = Trainer(loaded, train_loader=loader, val_loader=val, progress=False)
    again.train()
    assert again.model.start is not None
    own = final.start.columns(final.ops)  # type: ignore[union-attr]
    np.testing.assert_array_equal(again.model.start.columns(again.model.ops), own)
    assert before.shape == again.model.encode(X).shape


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_start_is_found_again_to_the_last_bit(dtype: str) -> None:
    model = DTGCNN(ops=NumpyOps(dtype=dtype), **STANDARDIZED)
    assert model.fit_start(X, LABELS) is not None
    assert model.fit_start(X, LABELS) is not None


def test_a_run_that_stopped_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    def run(state: Path, resume: bool = False, epochs: int = 3) -> Any:
        loader, val = TripletDataset.from_arrays(X, LABELS).create_dataloaders(24, 0.8)
        settings = {**STANDARDIZED, "num_epochs": 3}
        model = DTGCNN(**settings)
        trainer = Trainer(
            model, train_loader=loader, val_loader=val, progress=False, state_dir=state
        )
        trainer.train(callbacks=[StopAfter(epochs)], resume=resume)
        return model.encode(X)

    whole = run(tmp_path / "whole")
    run(tmp_path / "parts", epochs=1)
    np.testing.assert_array_equal(run(tmp_path / "parts", resume=True), whole)


def test_a_zero_row_is_a_row_like_others(model: DTGCNN) -> None:
    zero = np.zeros((1, 13), np.float32)
    assert model.tells(zero).all()
    assert np.isfinite(model.answers(zero).scores).all()
    assert np.linalg.norm(model.encode(zero)) == pytest.approx(1.0, abs=1e-5)
    assert len(model.add(zero, ["0"]).trained_bank()) == len(model.trained_bank()) + 1
    plain = trained(standardize=False)
    assert not plain.tells(zero).any()
    with pytest.raises(ValueError, match="zero vector"):
        plain.add(zero, ["0"])


def test_a_text_without_a_known_word_says_nothing() -> None:
    texts = [f"{word} {i}{i}" for i in range(20) for word in ("refund", "parcel", "password")]
    data = TripletDataset.from_labelled(texts, ["money", "way", "key"] * 20)
    loader, _ = data.create_dataloaders(24, 1.0)
    settings = {**STANDARDIZED, "input_dim": 8, "standardize": True}
    model = DTGCNN(**settings, encoder=TfidfEncoder(8).fit(texts))
    Trainer(model, train_loader=loader, progress=False).train()
    unknown = ["qqq"]
    assert not model.tells(model.vectors(unknown)).any()
    assert model.answers(unknown).scores == float("-inf")
    with pytest.raises(ValueError, match="knows no word of 'qqq'"):
        SearchIndex.over(model, data).search(unknown)
    with pytest.raises(ValueError, match="zero vector"):
        model.add(unknown, ["key"])


def test_numbers_far_off_give_numbers(model: DTGCNN) -> None:
    far = np.array([[3e38] * 13, [-3e38] * 13, [3e38, -3e38] + [0.0] * 11], np.float32)
    assert np.isfinite(model.encode(far)).all()
    assert np.isfinite(model.input_vectors(far)).all()
    assert len(model.predict(far)) == 3


def test_a_search_by_input_is_over_standardised_rows(model: DTGCNN, tmp_path: Path) -> None:
    data = TripletDataset.from_arrays(X, LABELS)
    index = SearchIndex.over(model, data)
    hits = index.search(X[:40] + np.float32(1e-3), 5, by="input")
    nearest = KNeighborsClassifier(5, metric="cosine").fit(scaled(X), LABELS)
    wanted = nearest.kneighbors(scaled(X[:40] + np.float32(1e-3)), return_distance=False)
    assert [[hit.row for hit in own] for own in hits] == wanted.tolist()
    assert {hit.row for hit in index.search(X[:1], 5)[0]} >= {0}
    index.save(tmp_path / "index")
    assert SearchIndex.load(tmp_path / "index").search(X[:40], 5) == index.search(X[:40], 5)
    several = Ensemble([model, trained(seed=1)])
    index = SearchIndex.build(several, data)
    index.save(tmp_path / "several")
    loaded = SearchIndex.load(tmp_path / "several", model=Ensemble.load(tmp_path / "several"))
    assert loaded.search(X[:40], 5) == index.search(X[:40], 5)


def test_groups_labels_and_what_to_label_next(model: DTGCNN, tmp_path: Path) -> None:
    found = discover(model, X, 3)
    assert (np.array(found.names) == LABELS.astype(str)).mean() > 0.95
    labels = LABELS.copy()
    labels[[3, 100, 150]] = [1, 2, 0]
    np.savez(tmp_path / "wine.npz", x=X, y=labels)
    checked = check_labels(tmp_path / "wine.npz")
    assert {row["row"] for row in checked.rows[:6]} >= {3, 100, 150}
    assert checked.near.counts["same class"] < 20 < rows_alike(unit(X))
    assert len(next_rows(model, X + np.float32(0.01), 5)) == 5


def test_models_of_an_ensemble_each_have_their_own() -> None:
    ensemble = Ensemble([trained(), trained(seed=1, standardize=False)])
    assert ensemble.input_vectors(X).shape == (len(X), 14)
    assert (np.array(ensemble.predict(X)) == LABELS.astype(str)).mean() > 0.9


def test_what_makes_no_use_of_it_is_refused() -> None:
    with pytest.raises(ValueError, match="standardize must be auto: the start 'none' makes no use"):
        DTGCNNConfig(start="none", standardize=True)
    with pytest.raises(ValueError, match="standardize must be one of false, true, auto, received"):
        DTGCNNConfig(standardize="yes")  # type: ignore[arg-type]


def test_vectors_are_standardised_in_blocks(
    model: DTGCNN, backend: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    model.save(tmp_path / "model")
    loaded = DTGCNN.load(tmp_path / "model", backend=backend)
    whole = loaded.input_vectors(X)
    monkeypatch.setattr("dtgcnn.model.dtgcnn.DEVICE_ROWS", 50)
    np.testing.assert_array_equal(loaded.input_vectors(X), whole)
    assert loaded.input_vectors(X[:0]).shape == (0, 14)


def test_what_is_standardised_where_there_is_no_start_or_no_code() -> None:
    assert DTGCNNConfig().standardizes == "auto"
    assert DTGCNNConfig(standardize=True, code_weight=0.0).standardizes is True
    for settings in ({"start": "none"}, {"code_weight": 0.0}, {"vocab_size": 50}):
        assert DTGCNNConfig(**settings).standardizes is False  # type: ignore[arg-type]
