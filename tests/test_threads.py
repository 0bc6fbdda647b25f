"""Every public call works from any thread, several at once, whichever thread made the model."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtgcnn import DTGCNN, Ensemble, MultiTaskDTGCNN, Trainer, TripletDataset
from dtgcnn.evaluation import SearchIndex

from .conftest import SETTINGS, blobs, sentences

THREADS = 8
X, Y = blobs()
OTHERS = blobs(classes=2)[0] + 1.0


def elsewhere(call: Callable[[], Any]) -> Any:
    """What ``call`` gives in a thread of its own, which ends before the result is used."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call).result()


def at_once(call: Callable[[], Any]) -> list[Any]:
    """What ``call`` gives in eight threads that begin it together."""
    together = threading.Barrier(THREADS)

    def wait_and_call() -> Any:
        together.wait()
        return call()

    with ThreadPoolExecutor(THREADS) as pool:
        return [future.result() for future in [pool.submit(wait_and_call) for _ in range(THREADS)]]


def trained(backend: str, **settings: Any) -> DTGCNN:
    model = DTGCNN(backend=backend, **{**SETTINGS, **settings})
    train, val = TripletDataset.from_arrays(X, Y).create_dataloaders(24, 0.8)
    Trainer(model, train_loader=train, val_loader=val, progress=False).train()
    return model


def searched(model: Any) -> list[Any]:
    index = SearchIndex.over(model, TripletDataset.from_arrays(X, Y))
    return [[hit.row for hit in found] for found in index.search(OTHERS[:5], top=3)]


CALLS: dict[str, Callable[[DTGCNN], Any]] = {
    "encode": lambda model: model.encode(OTHERS),
    "predict": lambda model: list(model.predict(OTHERS)),
    "predict_proba": lambda model: model.predict_proba(OTHERS),
    "neighbors": lambda model: model.neighbors(OTHERS)[0],
    "bank_embeddings": lambda model: model.bank_embeddings(),
    "input_vectors": lambda model: model.input_vectors(OTHERS),
    "index": lambda model: model.index(OTHERS).encode(X[:4]),
    "search": searched,
    "add": lambda model: model.add(OTHERS, ["new"] * len(OTHERS)).encode(X[:4]),
    "remove": lambda model: model.remove(X[:20]).encode(X[:4]),
    "refresh_bank": lambda model: (model.refresh_bank(), model.encode(X[:4]))[1],
    "checkpoint": lambda model: model.checkpoint().arrays["params.head.weight"],
}
"""Each public call that reads a model, and what it gives."""

VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "no start": {"start": "none", "graph_self_weight": 0.8},
    "one layer and hops": {"hidden_dims": (16,), "propagation_hops": 2},
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", CALLS)
def test_eight_threads_ask_a_model_that_another_loaded(
    backend: str, name: str, variant: str, tmp_path: Path
) -> None:
    folder = saved(backend, variant, tmp_path)
    expected = CALLS[name](DTGCNN.load(folder, backend=backend))
    model = elsewhere(lambda: DTGCNN.load(folder, backend=backend))
    for found in at_once(lambda: CALLS[name](model)):
        np.testing.assert_array_equal(found, expected)


FOLDERS: dict[tuple[str, str], Path] = {}


def saved(backend: str, variant: str, tmp_path: Path) -> Path:
    """Where a model of the variant was saved by another thread than the one that trained it."""
    if (backend, variant) not in FOLDERS:
        model = elsewhere(lambda: trained(backend, **VARIANTS[variant]))
        FOLDERS[backend, variant] = elsewhere(lambda: model.save(tmp_path / "model"))
    return FOLDERS[backend, variant]


def test_eight_threads_load_train_and_save_models(backend: str, tmp_path: Path) -> None:
    expected = trained(backend).encode(OTHERS)
    models = at_once(lambda: trained(backend))
    for i, model in enumerate(models):
        np.testing.assert_array_equal(model.encode(OTHERS), expected)
        elsewhere(lambda i=i, model=model: model.save(tmp_path / str(i)))
    loaded = at_once(lambda: DTGCNN.load(tmp_path / "0", backend=backend))
    for model in loaded:
        np.testing.assert_array_equal(elsewhere(lambda model=model: model.encode(OTHERS)), expected)


def test_a_model_is_made_trained_changed_and_asked_by_four_threads(backend: str) -> None:
    model = elsewhere(lambda: DTGCNN(backend=backend, **SETTINGS))
    train, _ = TripletDataset.from_arrays(X, Y).create_dataloaders(24, 1.0)
    trainer = elsewhere(lambda: Trainer(model, train_loader=train, progress=False))
    elsewhere(trainer.train)
    before = elsewhere(lambda: model.encode(OTHERS))
    more = elsewhere(lambda: model.add(OTHERS, labels=["new"] * len(OTHERS)))
    assert list(elsewhere(lambda: more.predict(OTHERS[:1]))) == ["new"]
    fewer = elsewhere(lambda: more.remove(OTHERS))
    np.testing.assert_allclose(elsewhere(lambda: fewer.encode(OTHERS)), before, atol=1e-5)


def test_eight_threads_ask_a_model_of_several_tasks(backend: str, tmp_path: Path) -> None:
    model = elsewhere(lambda: MultiTaskDTGCNN(num_classes=4, backend=backend, **SETTINGS))
    elsewhere(lambda: model.checkpoint())
    train, _ = TripletDataset.from_arrays(X, Y).create_dataloaders(24, 1.0)
    elsewhere(Trainer(model, train_loader=train, progress=False).train)
    expected = model.classify(OTHERS)
    model.save(tmp_path / "model")
    loaded = elsewhere(lambda: MultiTaskDTGCNN.load(tmp_path / "model", backend=backend))
    for asked in (model, loaded):
        for found in at_once(lambda asked=asked: asked.classify(OTHERS)):
            np.testing.assert_array_equal(found, expected)


def test_eight_threads_ask_an_ensemble(backend: str) -> None:
    models = [elsewhere(lambda s=s: trained(backend, seed=s)) for s in range(2)]
    ensemble = elsewhere(lambda: Ensemble(models))
    expected = elsewhere(lambda: ensemble.predict(OTHERS))
    for found in at_once(lambda: ensemble.predict(OTHERS)):
        assert list(found) == list(expected)


def test_eight_threads_encode_texts(backend: str, tmp_path: Path) -> None:
    texts, labels = sentences()
    dataset = TripletDataset.from_labelled(texts, labels)
    train, _ = dataset.create_dataloaders(24, 1.0)
    model = DTGCNN(backend=backend, **{**SETTINGS, "input_dim": 64})
    Trainer(model, train_loader=train, progress=False).train()
    model.save(tmp_path / "model")
    loaded = elsewhere(lambda: DTGCNN.load(tmp_path / "model", backend=backend))
    for found in at_once(lambda: loaded.encode(texts[:20])):
        np.testing.assert_array_equal(found, model.encode(texts[:20]))


def test_eight_threads_ask_a_large_bank_one_row_each(
    backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dtgcnn.model.bank.LARGE_BANK", 10)
    monkeypatch.setattr("dtgcnn.model.leading.CANDIDATES", (16, 32))
    folder = saved(backend, "one layer and hops", tmp_path)
    expected = DTGCNN.load(folder, backend=backend).encode(OTHERS[:1])
    model = elsewhere(lambda: DTGCNN.load(folder, backend=backend))
    for _ in range(3):  # what a query leaves for the next ones is made at the second
        elsewhere(lambda: model.encode(OTHERS[:1]))
        for found in at_once(lambda: model.encode(OTHERS[:1])):
            np.testing.assert_array_equal(found, expected)
