"""Classes that no training row has: held out, looked up among each other, and watched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtgcnn import DTGCNN, EarlyStopping, ModelCheckpoint, Trainer, TripletDataset
from dtgcnn.evaluation import retrieval_metrics, stratified_sample
from dtgcnn.training import validation

from ..conftest import SETTINGS, blobs

X, LABELS = blobs(classes=8, per_class=20)
NAMES = {"val_unseen_map@r", "val_unseen_recall@1"}


def held(share: float, **options: Any) -> tuple[Any, Any]:
    dataset = TripletDataset.from_arrays(X, LABELS)
    return dataset.create_dataloaders(24, 0.8, held_out_classes=share, **options)


def test_classes_are_held_out_as_a_whole() -> None:
    before, after = held(0.0), held(0.4)
    unseen = set(after[1].labels.tolist()) - set(after[0].labels.tolist())
    assert len(unseen) == 3
    for label in range(8):
        own = np.flatnonzero(np.equal(LABELS, label))
        at = [np.intersect1d(side.items, own) for side in after]
        if label in unseen:
            assert len(at[0]) == 0
            np.testing.assert_array_equal(at[1], own)
        else:
            for side, was in zip(at, before, strict=True):
                np.testing.assert_array_equal(side, np.intersect1d(was.items, own))


def test_the_seed_decides_which() -> None:
    def unseen(seed: int) -> set[int]:
        train, val = held(0.4, seed=seed)
        return set(val.labels.tolist()) - set(train.labels.tolist())

    assert unseen(1) == unseen(1)
    assert len({frozenset(unseen(seed)) for seed in range(5)}) > 1


@pytest.mark.parametrize(("share", "count"), [(0.31, 0), (0.32, 3), (0.9, 6)])
def test_fewer_than_three_are_not_held_out_and_two_are_left(share: float, count: int) -> None:
    train, val = held(share)
    assert len(set(val.labels.tolist()) - set(train.labels.tolist())) == count


@pytest.mark.parametrize("share", [-0.1, 1.0, True, "0.1"])
def test_a_share_that_is_none_is_refused(share: Any) -> None:
    with pytest.raises(ValueError, match=r"held_out_classes must be in \[0, 1\), received"):
        held(share)


def test_neither_a_text_nor_a_group_is_on_both_sides() -> None:
    groups = [f"{i % 20}" for i in range(len(X))]  # each of all classes
    train, val = held(0.4, groups=groups)
    sides = [{groups[item] for item in side.items} for side in (train, val)]
    assert not sides[0] & sides[1]
    x = X.copy()
    x[1::20] = x[0]  # one row of each class is equal to all those
    dataset = TripletDataset.from_arrays(x, LABELS)
    train, val = dataset.create_dataloaders(24, 0.8, held_out_classes=0.4)
    equal = set(range(1, len(x), 20)) | {0}
    assert not (equal & set(train.items.tolist()) and equal & set(val.items.tolist()))


def test_single_rows_are_no_class_to_hold_out() -> None:
    labels = np.concatenate([np.repeat(np.arange(4), 20), np.arange(4, 24)])
    x = np.concatenate([X[:80], X[:20] + 1.0])
    train, _ = TripletDataset.from_arrays(x, labels).create_dataloaders(24, held_out_classes=0.5)
    assert set(train.labels.tolist()) == set(range(24)), "two of the four classes of several rows"


def run(backend: str, share: float = 0.4, **options: Any) -> Trainer:
    train, val = held(share)
    model = DTGCNN(backend=backend, **SETTINGS)
    trainer = Trainer(model, train_loader=train, val_loader=val, progress=False, **options)
    trainer.train()
    return trainer


def test_unseen_classes_are_looked_up_among_each_other(backend: str) -> None:
    trainer = run(backend, keep_best=False)
    val, last = trainer.val_loader, trainer.history[-1]
    assert trainer.train_loader is not None
    assert val is not None
    assert set(trainer.start_metrics) >= NAMES
    z, seen = trainer.model.encode(X), np.unique(trainer.train_loader.labels)
    known = val.items[np.isin(val.labels, seen)]
    unseen = val.items[~np.isin(val.labels, seen)]
    gallery = trainer.train_loader.items
    of_known = retrieval_metrics(z[known], LABELS[known], z[gallery], LABELS[gallery])
    of_unseen = retrieval_metrics(z[unseen], LABELS[unseen])
    for name in ("map@r", "recall@1"):
        assert last[f"val_{name}"] == pytest.approx(of_known[name], abs=1e-5)
        assert last[f"val_unseen_{name}"] == pytest.approx(of_unseen[name], abs=1e-5)


def test_of_many_rows_of_unseen_classes_some_are_looked_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(validation, "MOST_UNSEEN", 12)
    train, val = held(0.4)
    model = DTGCNN(backend="numpy", **SETTINGS)
    Trainer(model, train_loader=train, progress=False).train()
    embeddings = model.encode(X[val.items])
    rows, count = validation.unseen_rows(model, val)
    assert (len(rows), count) == (60, 3)
    drawn = stratified_sample(val.labels[rows], 12)
    assert np.unique(val.labels[rows][drawn], return_counts=True)[1].tolist() == [4, 4, 4]
    expected = retrieval_metrics(embeddings[rows], val.labels[rows], only=drawn)
    found = validation.retrieval(model, val, embeddings)
    for name in ("map@r", "recall@1"):
        assert found[f"unseen_{name}"] == expected[name]


def test_those_of_unseen_classes_are_looked_up_that_can_be_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    labels = np.concatenate([LABELS, 8 + np.repeat(np.arange(33), [2] * 3 + [1] * 30)])
    x = np.concatenate([X, X[:36] + 1.0])
    splits = ["train"] * 160 + ["val"] * 36
    train, val = TripletDataset.from_arrays(x, labels, splits).create_dataloaders(24)
    model = DTGCNN(backend="numpy", **SETTINGS)
    Trainer(model, train_loader=train, progress=False).train()
    embeddings = model.encode(x[val.items])
    whole = validation.retrieval(model, val, embeddings)
    monkeypatch.setattr(validation, "MOST_UNSEEN", 6)
    assert validation.retrieval(model, val, embeddings) == whole
    monkeypatch.setattr(validation, "MOST_UNSEEN", 2)
    assert set(validation.retrieval(model, val, embeddings)) == set(whole)


def test_nothing_is_told_of_unseen_classes_where_there_are_fewer_than_three() -> None:
    assert not NAMES & set(run("numpy", 0.0).history[-1])
    labels = np.concatenate([LABELS, [8, 8, 9, 9, 10]])  # two that have two rows
    x = np.concatenate([X, X[:5] + 1.0])
    splits = ["train", "val"] * 80 + ["val"] * 5
    train, val = TripletDataset.from_arrays(x, labels, splits).create_dataloaders(24)
    trainer = Trainer(DTGCNN(backend="numpy", **SETTINGS), progress=False)
    assert not NAMES & set(trainer.train(train, val)[-1])


def test_only_unseen_classes(backend: str) -> None:
    splits = np.where(LABELS < 5, "train", "val").tolist()
    train, val = TripletDataset.from_arrays(X, LABELS, splits).create_dataloaders(24)
    trainer = Trainer(DTGCNN(backend=backend, **SETTINGS), progress=False)
    last = trainer.train(train, val)[-1]
    assert set(last) >= NAMES
    assert "val_map@r" not in last


def test_callbacks_may_watch_unseen_classes(tmp_path: Path) -> None:
    keeping = ModelCheckpoint(tmp_path, monitor="val_unseen_map@r", save_top_k=1)
    stopping = EarlyStopping("val_unseen_recall@1", patience=1, min_delta=1.0)
    trainer = run("numpy", epochs=6, callbacks=[keeping, stopping])
    assert len(trainer.history) == 2, "no epoch gains a whole point"
    best = max(entry["val_unseen_map@r"] for entry in trainer.history)
    saved = [path for path in tmp_path.iterdir() if path.is_dir()]
    assert len(saved) == 1
    epoch = next(i for i, e in enumerate(trainer.history, 1) if e["val_unseen_map@r"] == best)
    assert str(epoch) in saved[0].name
