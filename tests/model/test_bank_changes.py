"""Rows that join the bank of a trained model, and leave it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dtgcnn import DTGCNN, Trainer, TripletDataset

from .test_index import SETTINGS, blobs

NAMES = list("abcdef")


@pytest.fixture(
    scope="module",
    params=[
        *("numpy", "numpy, no start"),
        pytest.param("mlx", marks=pytest.mark.mlx),
    ],
)
def model(request: pytest.FixtureRequest) -> DTGCNN:
    x, y = blobs(6, 20, seed=0)
    loader, _ = TripletDataset.from_arrays(x, [NAMES[i] for i in y]).create_dataloaders(32, 1.0)
    backend, _, plain = request.param.partition(", ")
    made = DTGCNN(backend=backend, **SETTINGS, **({"start": "none"} if plain else {}))
    Trainer(made, train_loader=loader, epochs=2, progress=False).train()
    return made


def rows_and_labels(model: DTGCNN) -> tuple[np.ndarray, list[str]]:
    bank = model.trained_bank()
    assert bank.labels is not None
    assert model.classes_ is not None
    return np.array(bank.host_x), [model.classes_[label] for label in bank.labels]


def test_rows_join_and_are_embedded_as_if_the_bank_was_built_of_all(model: DTGCNN) -> None:
    x, y = blobs(6, 4, seed=5)
    before, states = rows_and_labels(model), model.encode(x)
    more = model.add(x, [NAMES[i] for i in y])
    held, labels = rows_and_labels(more)
    assert (held == np.concatenate([before[0], x.astype(np.float32)])).all()
    assert labels == before[1] + [NAMES[i] for i in y]
    assert more.untrained_classes == []
    assert (model.encode(x) == states).all()
    rebuilt = model.index(held, hops=0)
    new = blobs(6, 5, seed=8)[0]
    assert more.encode(new) == pytest.approx(rebuilt.encode(new), abs=2e-5)
    assert np.abs(more.encode(new) - model.encode(new)).max() > 1e-4


def test_new_classes_come_last_are_told_and_are_saved(model: DTGCNN, tmp_path: Path) -> None:
    x = np.random.default_rng(3).normal(size=(5, 16))
    more = model.add(x, ["z", "a", 7, None, "y"])
    assert more.classes_ == [*NAMES, "z", "7", "y"]
    assert more.untrained_classes == ["z", "7", "y"]
    assert more.trained_bank().labels[-5:] == [6, 0, 7, -1, 8]  # type: ignore[index]
    assert (model.classes_, model.untrained_classes) == (NAMES, [])
    more.save(tmp_path / "m")
    loaded = DTGCNN.load(tmp_path / "m", backend=model.ops.name)
    assert (loaded.classes_, loaded.untrained_classes) == (more.classes_, ["z", "7", "y"])
    assert (loaded.encode(x) == more.encode(x)).all()
    assert loaded.add(x[:1] + 1.0, ["x"]).untrained_classes == ["z", "7", "y", "x"]


def test_equal_rows_join_once_and_take_a_label_where_they_had_none(model: DTGCNN) -> None:
    x = np.random.default_rng(4).normal(size=(3, 16))
    one = model.add(np.concatenate([x, x[:2]]), [None, "a", None, "b", None])
    held, count = one.trained_bank(), len(model.trained_bank())
    assert len(held) == count + 3
    assert held.labels is not None
    assert held.labels[count:] == [1, 0, -1]
    again = one.add(x, [None, None, "c"]).trained_bank()
    assert len(again) == count + 3
    assert again.labels is not None
    assert again.labels[count:] == [1, 0, 2]
    assert held.labels[count:] == [1, 0, -1]


def test_labels_are_named_as_those_that_are_trained_on(model: DTGCNN) -> None:
    x = np.random.default_rng(4).normal(size=(6, 16))
    more = model.add(x, [-1, "-1", float("nan"), None, f" {NAMES[0]} ", 7.0])
    held = more.trained_bank().labels
    assert held is not None
    assert held[-6:-2] == [-1] * 4
    assert more.classes_ is not None
    assert [more.classes_[label] for label in held[-2:]] == [NAMES[0], "7"]
    assert more.untrained_classes == ["7"]
    with pytest.raises(ValueError, match=r"row 1 .*'labels': must be a string or a number"):
        model.add(x[:2], ["a", True])


def test_labels_that_contradict_are_refused_with_both_named(model: DTGCNN) -> None:
    held, labels = rows_and_labels(model)
    other = next(name for name in NAMES if name != labels[7])
    with pytest.raises(
        ValueError, match=f"row 1 is labelled '{other}', and row 7 of the bank, .*'{labels[7]}'"
    ):
        model.add(held[[6, 7]], [labels[6], other])
    x = np.random.default_rng(4).normal(size=(1, 16))
    with pytest.raises(ValueError, match="row 2 is labelled 'b', and row 1, which is equal, 'a'"):
        model.add(np.repeat(x, 3, axis=0), [None, "a", "b"])
    with pytest.raises(ValueError, match="must be as many as the rows, received 2 for 1"):
        model.add(x, ["a", "b"])
    with pytest.raises(ValueError, match="row 0: a label must not be blank"):
        model.add(x, [" "])


def test_a_row_of_zeros_is_refused_by_its_place(model: DTGCNN) -> None:
    rows = np.ones((3, model.config.row_width), np.float32)
    rows[1] = 0.0
    before = len(model.trained_bank())
    with pytest.raises(ValueError, match="line 8 has a zero vector, near to no row"):
        model.add(rows, ["0"] * 3, places=lambda row: f"line {row + 7}")
    assert len(model.trained_bank()) == before


def test_a_name_alone_is_no_list_of_classes(model: DTGCNN) -> None:
    with pytest.raises(ValueError, match="labels must be a list of names, received 'ab'"):
        model.remove(labels="ab")
    with pytest.raises(ValueError, match="labels must be a list of names, received 'ab'"):
        model.add(np.random.default_rng(4).normal(size=(2, 16)), "ab")


def test_what_joined_and_leaves_leaves_the_model_as_it_was(model: DTGCNN) -> None:
    x = np.random.default_rng(3).normal(size=(9, 16))
    back = model.add(x, ["z"] * 9).remove(labels=["z"])
    assert (back.classes_, back.untrained_classes) == (NAMES, [])
    new = blobs(6, 5, seed=8)[0]
    assert back.encode(new) == pytest.approx(model.encode(new), abs=2e-6)
    gone = model.add(x, ["z"] * 9).remove(np.concatenate([x, x + 5.0]))
    assert gone.classes_ == [*NAMES, "z"]
    assert gone.encode(new) == pytest.approx(model.encode(new), abs=2e-6)


def test_a_class_leaves_and_the_others_keep_their_labels(model: DTGCNN) -> None:
    held, labels = rows_and_labels(model)
    fewer = model.remove(labels=["b", "e"])
    assert fewer.classes_ == ["a", "c", "d", "f"]
    kept = [row for row, label in enumerate(labels) if label not in ("b", "e")]
    assert (rows_and_labels(fewer)[0] == held[kept]).all()
    assert rows_and_labels(fewer)[1] == [labels[row] for row in kept]
    new = blobs(6, 5, seed=8)[0]
    expected = model.index(held[kept], hops=0).encode(new)
    assert fewer.encode(new) == pytest.approx(expected, abs=2e-5)


def test_labels_may_come_from_what_gives_them_once(model: DTGCNN) -> None:
    fewer, named = (
        model.remove(labels=given) for given in ((name for name in NAMES[:2]), NAMES[:2])
    )
    assert fewer.classes_ == named.classes_ == NAMES[2:]
    assert fewer.trained_bank().labels == named.trained_bank().labels
    x = blobs(6, 1, seed=5)[0]
    assert model.add(x, ("new" for _ in x)).untrained_classes == ["new"]
    with pytest.raises(ValueError, match="labels must be names of classes, which are texts: 0"):
        model.remove(labels=[0])  # type: ignore[list-item]


def test_what_cannot_be_removed_is_refused(model: DTGCNN) -> None:
    with pytest.raises(ValueError, match="rows or labels must be given"):
        model.remove()
    renamed = model.add(np.ones((1, 16)), ["card_lost"])
    with pytest.raises(ValueError, match="no class 'card_lots' among 7; like it: 'card_lost'"):
        renamed.remove(labels=["card_lots"])
    with pytest.raises(ValueError, match=r"rows 5 or more must stay, .* there are 0"):
        model.remove(labels=NAMES)
    held = rows_and_labels(model)[0]
    with pytest.raises(ValueError, match="without these 116 there are 4"):
        model.remove(held[4:])
    assert len(model.remove(held[5:]).trained_bank()) == 5


def test_a_bank_that_the_last_label_leaves_has_none(model: DTGCNN) -> None:
    held, _ = rows_and_labels(model)
    x = np.random.default_rng(4).normal(size=(8, 16))
    for fewer in (model.add(x).remove(held), model.add(x).remove(labels=NAMES)):
        assert fewer.trained_bank().labels is None
        assert not fewer.knows_classes
        assert fewer.add(x[:1], ["b"]).predict(x) == ["b"] * 8
    assert fewer.classes_ == []


def test_classes_of_an_index_which_has_no_labels_are_not_removed(model: DTGCNN) -> None:
    indexed = model.index(blobs(6, 5, seed=8)[0])
    with pytest.raises(ValueError, match="no row of the bank has one, as of an index"):
        indexed.remove(labels=["b"])
