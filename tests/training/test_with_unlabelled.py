"""Training with unlabelled rows: the same graph, pseudo-labels and order of data on both backends,
and answers that do not depend on company."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from dtgcnn import DTGCNN, TfidfEncoder, Trainer, TripletDataset
from dtgcnn.callbacks import Callback
from dtgcnn.data import fit_encoder, with_pseudo_labels
from dtgcnn.evaluation import compare
from dtgcnn.training import train_on_all
from tests.conftest import STARTS
from tests.data.test_unlabelled import corpus


class Order(Callback):
    """Keeps the items and classes of every batch."""

    def __init__(self) -> None:
        self.batches: list[tuple[list[int], list[int]]] = []

    def on_batch_begin(self, trainer: Any, batch: Any, batch_idx: int) -> None:
        self.batches.append((batch.items.tolist(), batch.labels.tolist()))


X, CLASSES, GIVEN = corpus(120, 10, spread=1.0)


@cache
def trained(backend: str, start: str) -> tuple[Trainer, Trainer, Order]:
    dataset = TripletDataset.from_arrays(X, GIVEN)
    model = DTGCNN(backend=backend, **{**STARTS[start], "input_dim": 12})
    loader, val = dataset.create_dataloaders(24, 0.7)
    more, found = with_pseudo_labels(loader, model.vectors(dataset.inputs), val, always=True)
    assert found.used
    assert len(more.pseudo) > 200
    order = Order()
    trainer = Trainer(
        model, train_loader=more, val_loader=val, epochs=2, progress=False, callbacks=[order]
    )
    trainer.train()
    return trainer, train_on_all(trainer, dataset), order


@pytest.mark.mlx
@pytest.mark.parametrize("start", list(STARTS))
def test_graph_pseudo_labels_and_order_are_the_same(start: str) -> None:
    pytest.importorskip("mlx.core", reason="MLX is not installed")
    on_numpy, on_mlx = trained("numpy", start), trained("mlx", start)
    assert on_numpy[2].batches == on_mlx[2].batches
    assert len(on_numpy[2].batches) > 20
    for first, second in zip(on_numpy[:2], on_mlx[:2], strict=True):
        sides, banks = [], []
        for trainer in (first, second):
            assert trainer.train_loader is not None
            sides.append(trainer.train_loader)
            banks.append(trainer.model.trained_bank())
        for name in ("items", "labels", "pseudo", "nodes"):
            np.testing.assert_array_equal(*(getattr(side, name) for side in sides))
        assert banks[0].host_x.tobytes() == banks[1].host_x.tobytes()
        assert banks[0].labels == banks[1].labels
        graphs = []
        for trainer, bank in zip((first, second), banks, strict=True):
            assert bank.graph is not None
            ops = trainer.model.ops
            graphs.append([ops.to_numpy(array) for array in bank.graph[:3]])
        np.testing.assert_array_equal(graphs[0][0], graphs[1][0])
        for mine, other in zip(graphs[0][1:], graphs[1][1:], strict=True):
            np.testing.assert_allclose(mine, other, atol=1e-6)


@pytest.mark.parametrize("start", list(STARTS))
def test_rows_are_encoded_and_told_alike_alone_and_together(backend: str, start: str) -> None:
    final = trained(backend, start)[1].model
    rng = np.random.default_rng(3)
    rows = np.concatenate([X[::37], X[::53] + 0.2, rng.normal(size=(3, 12))]).astype(np.float32)
    labels = final.trained_bank().labels
    assert labels is not None
    assert final.classes_ is not None
    assert {-1} < set(labels)
    together, order = final.encode(rows), rng.permutation(len(rows))
    p = final.predict_proba(rows)
    assert final.encode(rows[order]).tobytes() == together[order].tobytes()
    assert final.predict_proba(rows[order]).tobytes() == p[order].tobytes()
    for i, row in enumerate(rows):
        assert final.encode(row[None]).tobytes() == together[i : i + 1].tobytes()
        assert final.predict_proba(row[None]).tobytes() == p[i : i + 1].tobytes()
        assert final.predict(row[None]) == [final.classes_[p[i].argmax()]]


def test_rows_without_a_label_are_neither_measured_nor_encoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    final = trained("numpy", "closed_form")[1].model
    known = np.flatnonzero(GIVEN >= 0)[::-1]
    both = TripletDataset.from_arrays(X[::-1], GIVEN[::-1])
    alone = compare(final, TripletDataset.from_arrays(X[known], GIVEN[known]))
    embed, seen = final.embed, []
    monkeypatch.setattr(final, "embed", lambda x, **_: seen.append(len(x)) or embed(x))
    found = compare(final, both)
    assert found is not None
    assert alone is not None
    assert found.to_dict() == alone.to_dict()
    assert seen == [len(known)]


@pytest.mark.parametrize(("unlabelled", "fits"), [(60, 1), (4, 2)])
def test_an_encoder_that_knows_the_corpus_is_fitted_once(
    unlabelled: int, fits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("sklearn")
    words = ("cat", "dog", "fish", "car")
    given = [(f"the {word} number {i} here", word) for word in words for i in range(10)]
    more = [(f"the {words[i % 4]} number {i % 10} here {i}", "") for i in range(unlabelled)]
    texts, labels = zip(*given, *more, strict=True)
    dataset = TripletDataset.from_labelled(list(texts), list(labels))
    loader, val = dataset.create_dataloaders(24, 0.7)
    fitted: list[list[str]] = []
    fit = TfidfEncoder.fit

    def noted(self: TfidfEncoder, texts: Any) -> TfidfEncoder:
        fitted.append(list(texts))
        return fit(self, texts)

    monkeypatch.setattr(TfidfEncoder, "fit", noted)
    encoder = TfidfEncoder(12)
    fit_encoder(encoder, loader, unlabelled=True)
    model = DTGCNN(backend="numpy", encoder=encoder, **STARTS["closed_form"])
    loader, _ = with_pseudo_labels(loader, model.vectors(dataset.inputs), val, always=True)
    trainer = Trainer(model, train_loader=loader, val_loader=val, epochs=1, progress=False)
    trainer.train()
    final = train_on_all(trainer, dataset, TfidfEncoder(12)).model
    assert len(fitted) == fits
    assert len(fitted[0]) == len(texts) - len(val.items)
    if fits == 1:
        assert final.encoder is encoder
    else:
        assert fitted[1] == list(texts)
