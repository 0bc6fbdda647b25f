"""TripletDataset: its constructors, its classes, and sides that share no text."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtgcnn import DTGCNN
from dtgcnn.data import TripletDataset, TripletLoader, load_sample, sample_path
from dtgcnn.errors import DataError

from ..conftest import DATA


def real(name: str) -> Path:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"the data set {name} is not at {DATA}")
    return path


def key(text: str) -> str:
    return " ".join(text.casefold().split())


def texts_of(loader: TripletLoader) -> set[str]:
    texts = loader.dataset.texts
    assert texts is not None
    return {key(texts[i]) for i in loader.items}


def labelled(**sizes: int) -> TripletDataset:
    labels = [name for name, size in sizes.items() for _ in range(size)]
    return TripletDataset.from_labelled([f"text {i}" for i in range(len(labels))], labels)


# What a dataset holds


def test_triplets_join_equal_texts_to_classes() -> None:
    dataset = TripletDataset.from_triplets(
        [("a", "b", "x"), ("b", "c", "y"), ("x", "z", "a"), ("p", "q", "y")]
    )
    assert dataset.texts == ["a", "b", "x", "c", "y", "z", "p", "q"]
    assert (dataset.kind, len(dataset), dataset.num_items) == ("triplets", 4, 8)
    assert dataset.labels is not None
    of = dict(zip(dataset.texts, dataset.labels.tolist(), strict=True))
    assert of["a"] == of["b"] == of["c"]
    assert of["x"] == of["z"]
    assert of["p"] == of["q"]
    assert len(set(of.values())) == 4
    assert dataset.label_names is None


def test_triplets_may_be_rows_of_an_array() -> None:
    rows = [("a", "b", "x"), ("b", "c", "y")]
    of_rows = TripletDataset.from_triplets(rows)
    for array in (np.array(rows), np.array(rows, object)):
        given = TripletDataset.from_triplets(array)
        assert (given.texts, given.triplets.tolist()) == (of_rows.texts, of_rows.triplets.tolist())
    with pytest.raises(DataError, match="must be three texts"):
        TripletDataset.from_triplets(np.array(rows)[:, :2])


def test_labels_count_names_in_order() -> None:
    named = TripletDataset.from_labelled(["t", "u", "v"], ["b", "a", "b"])
    assert named.labels is not None
    assert (named.label_names, named.labels.tolist()) == (["a", "b"], [1, 0, 1])
    x = np.eye(12)
    numbered = TripletDataset.from_arrays(x, labels=np.arange(12)[::-1])
    assert numbered.labels is not None
    assert numbered.labels.tolist() == list(range(12))[::-1]
    assert numbered.texts is None
    assert numbered.features is not None
    assert numbered.features.dtype == np.float32


def test_file_and_call_give_the_same(tmp_path: Path) -> None:
    path = tmp_path / "l.csv"
    path.write_text("text,label,split\na,1,train\nb,2,test\n")
    read, called = (
        TripletDataset(path),
        TripletDataset.from_labelled(["a", "b"], [1, 2], ["train", "test"]),
    )
    assert read.texts == called.texts
    assert read.label_names == called.label_names == ["1", "2"]
    assert read.splits == called.splits
    assert read.source == str(path)


def test_contradictory_triplets_are_left_out_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "t.csv"
    path.write_text("anchor,positive,negative\na,b,x\nb,c,y\na,x,y\nc,d,a\n")
    with caplog.at_level(logging.WARNING, "dtgcnn"):
        dataset = TripletDataset(path)
    assert dataset.triplets is not None
    assert [[dataset.texts[i] for i in row] for row in dataset.triplets] == [  # type: ignore[index]
        ["b", "c", "y"],
        ["a", "x", "y"],
    ]
    assert f"{path}: left out 2 of 4 triplets" in caplog.text
    assert "the first is line 2" in caplog.text


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TripletDataset("absent.json"), "absent.json: no such file"),
        (lambda: TripletDataset.from_triplets([]), "from_triplets: holds no records"),
        (lambda: TripletDataset.from_triplets("abc"), "must be a list of triplets"),
        (lambda: TripletDataset.from_triplets(None), "must be a list of triplets, received None"),
        (lambda: TripletDataset.from_triplets([("a", "b")]), "record 0 .*three texts, received"),
        (lambda: TripletDataset.from_triplets(["abc"]), "record 0 .*three texts, received 'abc'"),
        (lambda: TripletDataset.from_triplets([("a", "b", "a")]), "record 0 .*differ from the anc"),
        (lambda: TripletDataset.from_triplets([("a", "b", 1)]), "'negative': must be a string"),
        (
            lambda: TripletDataset.from_triplets([("a", "b", "c"), ("b", "c", "a")]),
            "no triplet has a valid negative; of the first, record 0",
        ),
        (lambda: TripletDataset.from_labelled([], []), "holds no records"),
        (lambda: TripletDataset.from_labelled("ab", ["x", "y"]), "'texts': must be a list"),
        (lambda: TripletDataset.from_labelled(["a", "b"], ["x"]), r"'labels': .*\(2,\).*\(1,\)"),
        (lambda: TripletDataset.from_labelled(["a"], ["x"], []), "'splits': must be one value a"),
        (lambda: TripletDataset.from_labelled(["a", ""], [1, 2]), "record 1 .*'text': must not be"),
        (lambda: TripletDataset.from_labelled(["a"], [None]), "'label': holds no label"),
        (lambda: TripletDataset.from_arrays([[1.0]]), "'x': must be a float16, float32 or float64"),
        (lambda: TripletDataset.from_arrays(np.ones(3)), r"'x': must have the shape \(N, D\)"),
        (lambda: TripletDataset.from_arrays(np.full((2, 2), np.inf)), "row 0 .*'x': must be finit"),
        (lambda: TripletDataset.from_arrays(np.ones((2, 2)), [1]), "'labels': must be one value"),
        (lambda: TripletDataset.from_arrays(np.ones((1, 2)), 5), "'labels': must be a list or an"),
        (lambda: TripletDataset.from_arrays(np.ones((1, 2)), [""]), "'label': holds no label"),
    ],
)
def test_constructors_check_their_input(make: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        make()


# What can be trained on


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (TripletDataset.from_arrays(np.eye(3)), "has no labels and no triplets"),
        (labelled(a=5), "at least two classes, found one class only, of 5 items"),
        (labelled(a=1, b=1), "class with at least two items, found 2 classes of one item each"),
        (
            TripletDataset.from_labelled(["a", "b", "c"], [0, 0, 1], ["test", "test", "dev"]),
            "no item is in the split 'train'; found the splits dev, test",
        ),
        (
            TripletDataset.from_labelled(["a", "b", "c"], [0, 0, 1], ["train", "train", "test"]),
            "found one class only, of 2 items",
        ),
    ],
)
def test_what_cannot_be_trained_on_says_why(dataset: TripletDataset, message: str) -> None:
    with pytest.raises(DataError, match=message):
        dataset.require_trainable()
    with pytest.raises(DataError, match=message):
        dataset.create_dataloaders()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 3}, "batch_size must be a whole number of at least 4, received 3"),
        ({"batch_size": 8.0}, "batch_size .*received 8.0"),
        ({"batch_size": True}, "batch_size .*received True"),
        ({"samples_per_class": 1}, "samples_per_class .*at least 2, received 1"),
        ({"seed": -1}, "seed .*at least 0, received -1"),
        ({"train_split": 0}, r"train_split must be in \(0, 1\], received 0"),
        ({"train_split": 1.1}, "train_split .*received 1.1"),
        ({"train_split": float("nan")}, "train_split .*received nan"),
        ({"train_split": "0.9"}, "train_split .*received '0.9'"),
    ],
)
def test_arguments_of_create_dataloaders(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        labelled(a=5, b=5).create_dataloaders(**arguments)
    triplets = TripletDataset.from_triplets([("a", "b", "c")])
    with pytest.raises(ValueError, match=r"batch_size .*at least 1, received 0"):
        triplets.create_dataloaders(batch_size=0)


# Sides that share nothing


def test_labelled_split_is_stratified_and_keeps_two_of_each_class() -> None:
    dataset = labelled(a=100, b=50, c=3, d=2, e=1)
    train, validation = dataset.create_dataloaders(train_split=0.8)
    assert sorted([*train.items, *validation.items]) == list(range(156))
    assert dataset.labels is not None
    counts = np.bincount(dataset.labels[validation.items], minlength=5)
    assert counts[:2].tolist() == [20, 10]
    assert counts[2] <= 1
    assert counts[3:].tolist() == [0, 0]


def test_small_classes_share_the_quota() -> None:
    """77 classes of 5 at 10% owe half an item each, hence 38 or 39 in all."""
    dataset = labelled(**{f"class {c}": 5 for c in range(77)})
    _, validation = dataset.create_dataloaders()
    assert len(validation.items) in (38, 39)


def test_equal_texts_stay_together() -> None:
    texts = [f"{word} {i // 2}" if i % 2 else f" {word.upper()}   {i // 2}" for word in ("ab", "cd")
             for i in range(40)]  # fmt: skip
    labels = [text.split()[0].lower() for text in texts]
    texts[40], texts[41] = "AB 0", "ab 0"  # one text under two labels
    for seed in range(5):
        train, validation = TripletDataset.from_labelled(texts, labels).create_dataloaders(
            train_split=0.7, seed=seed
        )
        assert not texts_of(train) & texts_of(validation)
        assert 20 <= len(validation.items) <= 25


def test_a_text_under_two_labels_trains() -> None:
    texts = [f"t{i}" for i in range(20)] + ["t0", "t1"]
    dataset = TripletDataset.from_labelled(texts, ["a"] * 20 + ["b"] * 2)
    for seed in range(5):
        train, validation = dataset.create_dataloaders(train_split=0.2, seed=seed)
        assert {0, 1, 20, 21} <= set(train.items)
        assert len(validation.items) == 16


def test_equal_feature_rows_stay_together() -> None:
    x = np.random.default_rng(0).normal(size=(20, 3)).repeat(2, axis=0)
    train, validation = TripletDataset.from_arrays(x, np.arange(40) // 20).create_dataloaders(
        train_split=0.7
    )
    assert len(validation.items) > 4
    assert not set(train.items // 2) & set(validation.items // 2)


def test_only_the_train_split_is_used() -> None:
    splits = ["train_5", "Train", "test"] * 20
    labels = [i // 3 % 2 for i in range(60)]
    dataset = TripletDataset.from_labelled([f"t{i}" for i in range(60)], labels, splits)
    train, validation = dataset.create_dataloaders(train_split=0.8)
    used = sorted([*train.items, *validation.items])
    assert used == [i for i in range(60) if i % 3 != 2]
    assert dataset.split_items("test").tolist() == list(range(2, 60, 3))
    assert len(validation.items) == 8


def test_triplets_split_without_shared_texts() -> None:
    rng = np.random.default_rng(0)
    rows = [(f"a{i}", f"p{i % 150}", f"{'A' if rng.random() < 0.5 else 'n'}{rng.integers(300)}")
            for i in range(300)]  # fmt: skip
    dataset = TripletDataset.from_triplets(
        [row for row in rows if int(row[0][1:]) % 150 != int(row[2][1:]) % 150]
    )
    for seed in range(5):
        train, validation = dataset.create_dataloaders(seed=seed, train_split=0.7, batch_size=1)
        assert len(train) > 0
        assert len(validation) > 0
        assert not texts_of(train) & texts_of(validation)
        assert train.dropped == validation.dropped == len(dataset) - len(train) - len(validation)


def test_left_out_triplets_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    rows = [(f"a{i}", f"b{i}", f"a{(i + 1) % 40}") for i in range(40)]
    with caplog.at_level(logging.INFO, "dtgcnn"):
        train, validation = TripletDataset.from_triplets(rows).create_dataloaders(batch_size=1)
    assert train.dropped > 0
    assert f"{train.dropped} of 40 triplets left out" in caplog.text
    assert f"{len(train)} train and {len(validation)} validate" in caplog.text


def test_large_counts_of_triplets_are_told_in_groups_of_digits(
    caplog: pytest.LogCaptureFixture,
) -> None:
    triplets = [(f"a{i}", f"b{i}", f"a{(i + 1) % 1200}") for i in range(1200)]
    with caplog.at_level(logging.INFO, logger="dtgcnn"):
        train, _ = TripletDataset.from_triplets(triplets).create_dataloaders(64)
    assert f"{train.dropped} of 1,200 triplets left out" in caplog.text


@pytest.mark.parametrize("train_split", [0.8, 1])
def test_splits_of_the_data_drop_no_triplet(train_split: float) -> None:
    splits = ["train"] * 12 + ["val"] * 4
    dataset = TripletDataset.from_table(
        {"text": [f"t{i}" for i in range(16)], "label": [i % 2 for i in range(16)], "split": splits}
    )
    for loader in dataset.create_dataloaders(8, train_split):
        assert loader.dropped == 0


def test_two_triplets_are_one_for_each_side() -> None:
    rows = [("a", "b", "c"), ("d", "e", "f")]
    train, validation = TripletDataset.from_triplets(rows).create_dataloaders()
    assert (len(train), len(validation), train.dropped) == (1, 1, 0)


def test_a_division_is_found_where_one_exists() -> None:
    """A ring of eight whose every component has a large share; only opposite ones can part."""
    rows = [(f"{c}{i}", f"{c}{i + 1}", f"{(c + 1) % 8}{i}") for c in range(8) for i in range(9)]
    dataset = TripletDataset.from_triplets(rows)
    for seed in range(5):
        train, validation = dataset.create_dataloaders(batch_size=1, seed=seed)
        assert len(train) > 0
        assert len(validation) > 0
        assert not texts_of(train) & texts_of(validation)


def test_triplets_that_cannot_part_all_train(caplog: pytest.LogCaptureFixture) -> None:
    rows = [("a", "b", "n"), ("c", "d", "n"), ("e", "f", "N")]
    train, validation = TripletDataset.from_triplets(rows).create_dataloaders(batch_size=1)
    assert (len(train), len(validation), train.dropped) == (3, 0, 0)
    assert list(validation) == []
    assert "none can be held out; all 3 train" in caplog.text


@pytest.mark.parametrize(
    "dataset", [labelled(a=9, b=9), TripletDataset.from_triplets([("a", "b", "c")] * 3)]
)
def test_a_share_of_one_leaves_validation_empty(dataset: TripletDataset) -> None:
    train, validation = dataset.create_dataloaders(train_split=1.0)
    assert len(train.items) == dataset.num_items
    assert (len(validation), len(validation.items), list(validation)) == (0, 0, [])


@pytest.mark.parametrize("name", ["banking77_triplets_train.json", "banking77_triplets_test.csv"])
def test_real_triplets_do_not_leak(name: str) -> None:
    dataset = TripletDataset(real(name))
    for seed in range(3):
        train, validation = dataset.create_dataloaders(batch_size=1, seed=seed)
        assert not texts_of(train) & texts_of(validation)
        assert len(train) > 0.8 * len(dataset)
        assert len(validation) > 0.08 * len(dataset)


def test_real_labelled_split_does_not_leak() -> None:
    dataset = TripletDataset(real("r8.csv.gz"))
    train, validation = dataset.create_dataloaders()
    assert not texts_of(train) & texts_of(validation)
    assert 530 <= len(validation.items) <= 549
    assert len(train.items) + len(validation.items) == 5485


def test_real_vectors_have_the_labels_of_the_texts() -> None:
    vectors, texts = (
        TripletDataset(real("r8.minilm.npz")),
        TripletDataset(real("r8.csv.gz")),
    )
    assert vectors.label_names == texts.label_names
    np.testing.assert_array_equal(vectors.labels, texts.labels)
    assert vectors.splits == texts.splits


def test_the_sample_can_be_trained_on() -> None:
    assert sample_path().is_file()
    dataset = load_sample()
    dataset.require_trainable()
    train, validation = dataset.create_dataloaders()
    assert not texts_of(train) & texts_of(validation)
    assert {"train", "test"} <= set(dataset.splits or [])


def test_what_a_mask_hides_is_not_known() -> None:
    x, y = np.ones((6, 3), np.float32), [0, 1] * 3
    hidden = np.ma.masked_array(x, np.eye(6, 3, -4, bool))
    assert TripletDataset.from_arrays(np.ma.masked_array(x), y).num_items == 6
    with pytest.raises(DataError, match=r"row 4 .*'x': must be finite in float32"):
        TripletDataset.from_arrays(hidden, y)
    with pytest.raises(DataError, match=r"row 4 .*'x': must be finite in float32"):
        TripletDataset.from_table({"x": hidden, "y": y})
    model = DTGCNN(input_dim=3, hidden_dims=[4], output_dim=2, backend="numpy")
    with pytest.raises(ValueError, match="x must be finite; row 4 holds nan"):
        model.vectors(hidden)
    dataset = TripletDataset.from_arrays(x, y)
    dataset.set_targets(np.ma.masked_array(y, [i == 2 for i in range(6)]))
    np.testing.assert_array_equal(dataset.targets, [0, 1, np.nan, 1, 0, 1])
