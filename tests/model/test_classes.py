"""Asking a trained model for classes: votes, scores, refusals, and models that know none."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtgcnn import DTGCNN, CheckpointError, MultiTaskDTGCNN, Trainer, TripletDataset
from dtgcnn.training import train_on_all
from dtgcnn.training.calibration import calibrate

SETTINGS = {"input_dim": 16, "hidden_dims": (16, 16), "output_dim": 12, "graph_k_neighbors": 4}
RNG = np.random.default_rng(5)
CENTRES = RNG.normal(size=(5, 16))


def blobs(per_class: int, spread: float = 1.1) -> tuple[np.ndarray, list[str]]:
    """Clusters that overlap, and the names of their classes."""
    labels = np.repeat(np.arange(5), per_class)
    rows = CENTRES[labels] + spread * RNG.normal(size=(len(labels), 16))
    return rows.astype(np.float32), [f"c{label}" for label in labels]


X, Y = blobs(40)
TEST, TEST_Y = blobs(24)
FAR = 3.0 * RNG.normal(size=(60, 16)).astype(np.float32)


@pytest.fixture(scope="module", params=["numpy", pytest.param("mlx", marks=pytest.mark.mlx)])
def trainer(request: pytest.FixtureRequest) -> Trainer:
    sides = TripletDataset.from_arrays(X, Y).create_dataloaders(32, 0.7)
    model = DTGCNN(backend=request.param, **SETTINGS)
    done = Trainer(model, train_loader=sides[0], val_loader=sides[1], epochs=2, progress=False)
    done.train()
    return done


@pytest.fixture(scope="module")
def model(trainer: Trainer) -> DTGCNN:
    return trainer.model


def expected_votes(model: DTGCNN, x: np.ndarray, k: int, tau: float, epsilon: float) -> np.ndarray:
    """The formula, row by row in Python."""
    bank, z = model.trained_bank(), model.encode(x).astype(np.float64)
    own = model.bank_embeddings().astype(np.float64)
    assert bank.labels is not None
    count, rows = len(model.classes_ or []), []
    for query in z:
        cosines = own @ query
        votes = np.full(count, epsilon / count)
        for j in np.argsort(-cosines, kind="stable")[:k]:
            votes[bank.labels[j]] += np.exp((cosines[j] - 1.0) / tau)
        rows.append(votes / votes.sum())
    return np.array(rows)


@pytest.mark.parametrize("k", [1, 10, 25])
def test_probabilities_are_what_their_formula_says(model: DTGCNN, k: int) -> None:
    how = model.calibration.temperature, model.calibration.background
    p = model.predict_proba(TEST, k=k)
    assert p.dtype == np.float32
    assert p == pytest.approx(expected_votes(model, TEST, k, *how), abs=2e-5)
    assert p.sum(axis=1) == pytest.approx(np.ones(len(TEST)), abs=1e-6)
    assert (model.predict_proba(FAR, k=k) > 0).all()
    assert model.classes_ is not None
    assert model.predict(TEST, k=k) == [model.classes_[i] for i in p.argmax(axis=1)]


@pytest.mark.parametrize("k", [1, 10, 500])
def test_the_best_two_are_those_of_all_probabilities(model: DTGCNN, k: int) -> None:
    rows = np.concatenate([TEST, FAR, np.zeros((1, 16), np.float32)])
    p, answers = model.predict_proba(rows, k=k), model.answers(rows, k=k)
    order = np.argsort(-p, axis=1, kind="stable")[:, :2]
    assert (answers.best == order).all()
    assert (answers.sure == np.take_along_axis(p, order, axis=1)).all()


def test_memory_does_not_grow_with_classes(model: DTGCNN) -> None:
    few, known = model.answers(TEST), model.classes_
    assert known is not None
    try:
        model.classes_ = [*known, *(f"more {i}" for i in range(200_000))]
        model.voters()
        tracemalloc.start()
        many = model.answers(TEST)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    finally:
        model.classes_ = known
    assert peak < 20e6  # a probability of each class takes 96 MB
    assert (many.best[:, 0] == few.best[:, 0]).all()


def test_the_class_is_that_of_scikit_learns_weighted_neighbours(model: DTGCNN) -> None:
    neighbors = pytest.importorskip("sklearn.neighbors")
    bank, tau = model.trained_bank(), model.calibration.temperature
    peer = neighbors.KNeighborsClassifier(
        10, metric="cosine", algorithm="brute", weights=lambda d: np.exp(-d / tau)
    )
    peer.fit(model.bank_embeddings(), [(model.classes_ or [])[y] for y in bank.labels or []])
    rows = np.concatenate([TEST, FAR])
    shares = np.sort(peer.predict_proba(model.encode(rows)), axis=1)
    clear = shares[:, -1] - shares[:, -2] > 1e-3
    assert clear.mean() > 0.9
    told = np.array(model.predict(rows))
    assert (told == peer.predict(model.encode(rows)))[clear].all()


def test_a_row_does_not_depend_on_its_company(model: DTGCNN) -> None:
    rows = np.concatenate([TEST, FAR, X[:30], np.zeros((1, 16), np.float32)])
    together, p = model.answers(rows), model.predict_proba(rows)
    order = np.random.default_rng(1).permutation(len(rows))
    shuffled = model.answers(rows[order])
    assert (shuffled.best == together.best[order]).all()
    assert (shuffled.sure == together.sure[order]).all()
    assert (model.predict_proba(rows[order]) == p[order]).all()
    assert (shuffled.scores == together.scores[order]).all()
    many = model.answers(np.concatenate([rows, rows[::-1]]))  # more than one block
    assert (many.sure[: len(rows)] == together.sure).all()
    for row in (0, 7, len(TEST), len(rows) - 31, len(rows) - 1):
        alone = model.answers(rows[row : row + 1])
        assert (alone.sure[0] == together.sure[row]).all()
        assert (model.predict_proba(rows[row : row + 1])[0] == p[row]).all()
        assert alone.scores[0] == together.scores[row]
    assert model.predict_proba(rows[:0]).shape == (0, 5)


def test_what_an_answer_rests_on(model: DTGCNN) -> None:
    near = model.neighbors(TEST, 3)
    own, bank = model.bank_embeddings(), model.trained_bank()
    assert bank.labels is not None
    cosines = model.encode(TEST) @ own.T
    assert near.cosines == pytest.approx(-np.sort(-cosines, axis=1)[:, :3], abs=1e-5)
    assert near.cosines == pytest.approx(np.take_along_axis(cosines, near.rows, axis=1), abs=1e-5)
    assert (near.labels == np.array(bank.labels)[near.rows]).all()
    assert model.neighbors(TEST, 10_000).rows.shape == (len(TEST), len(bank))
    itself = model.neighbors(bank.host_x[:20], 1)
    assert itself.cosines == pytest.approx(np.ones((20, 1)), abs=1e-5)


def test_rows_without_a_label_never_vote(model: DTGCNN) -> None:
    bank = model.trained_bank()
    assert bank.labels is not None
    known, before = list(bank.labels), model.predict_proba(TEST)
    try:
        bank.labels[:] = [label if label != 2 else -1 for label in known]
        near = model.neighbors(TEST, 10)
        assert not (near.labels == 2).any()
        assert not np.isin(near.rows, np.flatnonzero(np.array(known) == 2)).any()
        assert set(model.predict(TEST)) <= {"c0", "c1", "c3", "c4"}
        bank.labels[:] = [-1] * len(known)
        with pytest.raises(ValueError, match="no row of the model's bank has a label"):
            model.predict(TEST)
    finally:
        bank.labels[:] = known
    assert (model.predict_proba(TEST) == before).all()


def test_a_rate_refuses_that_share_of_the_held_out_rows(trainer: Trainer) -> None:
    model, side = trainer.model, trainer.val_loader
    assert side is not None
    held = X[side.items]
    refused = []
    for rate in (0.05, 0.25, 0.6):
        told = model.predict(held, reject=rate)
        assert told.count(None) / len(held) == pytest.approx(rate, abs=1.5 / len(held))
        plain = model.predict(held)
        assert all(a is None or a == b for a, b in zip(told, plain, strict=True))
        refused.append(model.predict(FAR, reject=rate).count(None))
    assert refused == sorted(refused)
    assert refused[0] > 0.5 * len(FAR)  # rows of no class are refused rather than those
    for rate in (0.0, 1.0, -0.1, float("nan"), True, "a"):
        with pytest.raises(ValueError, match=r"reject must be a share in \(0, 1\)"):
            model.predict(TEST, reject=rate)  # type: ignore[arg-type]


def test_calibration_stays_with_the_model(trainer: Trainer, tmp_path: Path) -> None:
    model = trainer.model
    before = model.answers(TEST)
    model.save(tmp_path / "m")
    loaded = DTGCNN.load(tmp_path / "m", backend=model.ops.name)
    after = loaded.answers(TEST)
    assert (after.sure == before.sure).all()
    assert (after.scores == before.scores).all()
    assert loaded.threshold(0.123) == model.threshold(0.123)
    assert loaded.calibration.error == model.calibration.error
    again = train_on_all(trainer, TripletDataset.from_arrays(X, Y)).model
    assert again.calibration is model.calibration
    assert len(again.trained_bank()) == len(X)
    assert len(again.predict(TEST, reject=0.1)) == len(TEST)


def test_links_that_are_known_change_nothing(trainer: Trainer) -> None:
    model, held_out = trainer.model, trainer.val_loader
    assert held_out is not None
    before, x = model.calibration, model.vectors(X[held_out.items])
    linked: dict[int, Any] = {}
    model.embed(x, held=linked)
    assert linked
    for given in ({}, linked):
        calibrate(model, x, held_out.labels, given)
        for name, array in before.arrays.items():
            np.testing.assert_array_equal(model.calibration.arrays[name], array)
    model.calibration = before


def test_without_held_out_rows_there_is_a_default_and_no_refusal() -> None:
    loader, nothing = TripletDataset.from_arrays(X, Y).create_dataloaders(32, 1.0)
    model = DTGCNN(backend="numpy", **SETTINGS)
    Trainer(model, train_loader=loader, val_loader=nothing, epochs=1, progress=False).train()
    assert model.calibration.error is None
    assert model.predict_proba(TEST) == pytest.approx(
        expected_votes(model, TEST, 10, 0.15, 0.2), abs=2e-5
    )
    with pytest.raises(ValueError, match="held-out rows, and the model has none"):
        model.predict(TEST, reject=0.05)
    for k in (0, -3, 2.5, True):
        with pytest.raises(ValueError, match="k must be a whole number of at least 1"):
            model.predict(TEST, k=k)  # type: ignore[arg-type]
    assert model.predict(TEST, k=np.int64(3)) == model.predict(TEST, k=3)  # type: ignore[arg-type]


def test_models_that_know_no_classes_say_so(model: DTGCNN) -> None:
    with pytest.raises(ValueError, match="the model has no bank yet"):
        DTGCNN(backend="numpy", **SETTINGS).predict(TEST)
    rows = [*range(0, 40, 8), *range(40, 80, 8)]
    words = [(f"a {i} x", f"a {i + 1} y", f"b {i} z") for i in rows]
    loader, _ = TripletDataset.from_triplets(words).create_dataloaders(8, 1.0)

    class Letters:
        name, dim = "letters", 16

        def encode(self, texts: list[str]) -> np.ndarray:
            drawn = [np.random.default_rng(list(text.encode())) for text in texts]
            return np.array([one.normal(size=16) for one in drawn], np.float32)

    unnamed = DTGCNN(backend="numpy", encoder=Letters(), **SETTINGS)  # type: ignore[arg-type]
    Trainer(unnamed, train_loader=loader, epochs=1, progress=False).train()
    assert not unnamed.knows_classes
    for ask in (unnamed.predict, unnamed.predict_proba, unnamed.neighbors):
        with pytest.raises(ValueError, match="knows no classes: it was trained on triplets"):
            ask(["a 1 x"])
    indexed = model.index(TEST)
    assert not indexed.knows_classes
    with pytest.raises(ValueError, match="bank has no labels"):
        indexed.predict(TEST)


def test_damaged_calibrations_are_refused(model: DTGCNN, tmp_path: Path) -> None:
    from dtgcnn.storage import read_arrays, write_arrays

    for name, value in (
        ("temperature", np.array(-1.0)),
        ("background", np.array(np.nan)),
        ("weights", np.ones(2)),
        ("quantiles", np.ones(1)),
        ("offset", None),
    ):
        model.save(tmp_path / name)
        path = tmp_path / name / "model.safetensors"
        metadata, arrays = read_arrays(path, "dtgcnn-2")
        arrays = {n: a for n, a in arrays.items() if n != f"calibration.{name}"}
        if value is not None:
            arrays[f"calibration.{name}"] = value
        write_arrays(path, arrays, {"format": "dtgcnn-2", **metadata})
        with pytest.raises(CheckpointError, match=f"calibration.{name}"):
            DTGCNN.load(tmp_path / name, backend="numpy")


def test_models_of_earlier_releases_answer_by_the_default(model: DTGCNN, tmp_path: Path) -> None:
    from dtgcnn.storage import read_arrays, write_arrays

    model.save(tmp_path / "m")
    path = tmp_path / "m" / "model.safetensors"
    metadata, arrays = read_arrays(path, "dtgcnn-2")
    new = ("calibration.", "bank.neighbors", "bank.weights", "bank.own")
    old = {n: a for n, a in arrays.items() if not n.startswith(new)}
    assert len(old) < len(arrays)
    write_arrays(path, old, {"format": "dtgcnn-2", **metadata})
    loaded = DTGCNN.load(tmp_path / "m", backend=model.ops.name)
    assert (loaded.encode(TEST) == model.encode(TEST)).all()
    found = loaded.predict_proba(TEST)
    assert found == pytest.approx(expected_votes(model, TEST, 10, 0.15, 0.2), abs=2e-5)


def test_a_model_of_several_tasks_answers_alike() -> None:
    sides = TripletDataset.from_arrays(X, Y).create_dataloaders(32, 0.7)
    model = MultiTaskDTGCNN(backend="numpy", num_classes=5, **SETTINGS)
    loaders = dict(zip(("train_loader", "val_loader"), sides, strict=True))
    Trainer(model, **loaders, epochs=2, progress=False).train()
    how = model.calibration.temperature, model.calibration.background
    p = model.predict_proba(TEST)
    assert p == pytest.approx(expected_votes(model, TEST, 10, *how), abs=2e-5)
    assert np.mean(np.array(model.predict(TEST)) == TEST_Y) > 0.7
    assert None in model.predict(FAR, reject=0.2)
