"""Splits that keep groups whole: nothing leaks, and classes keep their shares as well as can be."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dtgcnn.data import TripletDataset, TripletLoader
from dtgcnn.data.splits.groups import held_out_shares, join_groups, split_grouped
from dtgcnn.errors import DataError


def grouped(
    classes: int, groups: int, count: int, seed: int = 0, mixing: float = 0.5
) -> tuple[TripletDataset, np.ndarray]:
    """Items in groups of unequal sizes, each group with a leaning to some classes."""
    rng = np.random.default_rng(seed)
    group = rng.choice(groups, count, p=rng.dirichlet(np.ones(groups)))
    leaning = rng.dirichlet(np.full(classes, mixing), groups)
    labels = np.array([rng.choice(classes, p=leaning[g]) for g in group])
    return TripletDataset.from_labelled([f"t{i}" for i in range(count)], labels.tolist()), group


def sides(dataset: TripletDataset, **arguments: Any) -> tuple[TripletLoader, TripletLoader]:
    return dataset.create_dataloaders(batch_size=8, **arguments)


def deviation(labels: np.ndarray, validation: np.ndarray, share: float) -> float:
    return float(np.nanmax(np.abs(held_out_shares(labels, validation) - share)))


@pytest.mark.parametrize("train_split", [0.5, 0.8, 0.9])
def test_no_group_lies_on_both_sides(train_split: float) -> None:
    for seed in range(5):
        dataset, group = grouped(6, 80, 1500, seed)
        train, validation = sides(dataset, train_split=train_split, seed=seed, groups=group)
        assert not set(group[train.items]) & set(group[validation.items])
        assert len(train.items) + len(validation.items) == 1500
        assert abs(len(validation.items) / 1500 - (1 - train_split)) < 0.03


def test_without_groups_the_same_data_do_leak() -> None:
    dataset, group = grouped(6, 80, 1500)
    train, validation = sides(dataset)
    assert set(group[train.items]) & set(group[validation.items])


def test_classes_keep_their_shares_as_well_as_in_scikit_learn() -> None:
    """The worst class of StratifiedGroupKFold's first fold, and of GroupShuffleSplit, is further
    from a tenth; nothing leaks in any of the three."""
    model_selection = pytest.importorskip("sklearn.model_selection")
    ours, stratified, shuffled = [], [], []
    for seed in range(12):
        dataset, group = grouped(8, 150, 3000, seed)
        assert dataset.labels is not None
        _, validation = sides(dataset, train_split=0.9, seed=seed, groups=group)
        ours.append(deviation(dataset.labels, validation.items, 0.1))
        folds = model_selection.StratifiedGroupKFold(10, shuffle=True, random_state=seed)
        test = next(folds.split(group, dataset.labels, group))[1]
        stratified.append(deviation(dataset.labels, test, 0.1))
        splitter = model_selection.GroupShuffleSplit(1, test_size=0.1, random_state=seed)
        test = next(splitter.split(group, dataset.labels, group))[1]
        shuffled.append(deviation(dataset.labels, test, 0.1))
    assert np.median(ours) < np.median(stratified) < np.median(shuffled)
    assert np.median(ours) < 0.02


def test_groups_of_one_are_stratified_to_an_item() -> None:
    dataset = TripletDataset.from_labelled(
        [f"t{i}" for i in range(300)], np.repeat([0, 1, 2], [200, 60, 40])
    )
    _, validation = sides(dataset, groups=np.arange(300))
    assert dataset.labels is not None
    assert np.bincount(dataset.labels[validation.items]).tolist() == [20, 6, 4]


def test_equal_texts_join_groups() -> None:
    texts = [f"t{i // 2}" if i % 40 < 2 else f"u{i}" for i in range(400)]
    texts[0], texts[399] = "Same  text", "same text"
    labels, group = np.arange(400) // 2 % 4, np.arange(400) // 4
    dataset = TripletDataset.from_labelled(texts, labels)
    for seed in range(10):
        train, validation = sides(dataset, train_split=0.6, seed=seed, groups=group)
        assert not set(group[train.items]) & set(group[validation.items])
        assert ({0, 399} <= set(train.items)) or ({0, 399} <= set(validation.items))


def test_groups_that_are_classes_hold_out_whole_classes() -> None:
    labels = np.repeat(np.arange(20), 10)
    dataset = TripletDataset.from_labelled([f"t{i}" for i in range(200)], labels)
    train, validation = sides(dataset, train_split=0.8, groups=labels)
    assert len(np.unique(labels[validation.items])) == 4
    assert not set(labels[train.items]) & set(labels[validation.items])


def test_a_class_keeps_two_training_items() -> None:
    labels = [0] * 50 + [1] * 3
    dataset = TripletDataset.from_labelled([f"t{i}" for i in range(53)], labels)
    group = [*range(50), 50, 50, 51]
    for seed in range(10):
        train, _ = sides(dataset, train_split=0.3, seed=seed, groups=group)
        assert (train.labels == 1).sum() >= 2


def test_groups_too_large_for_their_share_still_validate() -> None:
    dataset = TripletDataset.from_labelled([f"t{i}" for i in range(12)], [0, 1] * 6)
    train, validation = sides(dataset, groups=np.arange(12) // 4)
    assert (len(train.items), len(validation.items)) == (8, 4)


def test_where_no_group_can_be_held_out_all_train(caplog: pytest.LogCaptureFixture) -> None:
    dataset = TripletDataset.from_labelled([f"t{i}" for i in range(8)], [0, 1] * 4)
    with caplog.at_level(logging.WARNING, "dtgcnn"):
        train, validation = sides(dataset, groups=["one"] * 8)
    assert (len(train.items), len(validation.items)) == (8, 0)
    assert "the 1 groups and the classes are so mixed that none can be held out" in caplog.text


def test_the_class_furthest_from_its_share_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    labels = ["common"] * 90 + ["rare"] * 10
    dataset = TripletDataset.from_labelled([f"t{i}" for i in range(100)], labels)
    group = [*range(90), *[90] * 5, *[91] * 5]
    with caplog.at_level(logging.INFO, "dtgcnn"):
        sides(dataset, groups=group)
    assert re.search(r"9 of 92 groups validate, 9.0% .* 10.0% should; .* 'rare', it is 0.0%",
                     caplog.text)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_groups_and_classes(data: st.DataObject) -> None:
    count = data.draw(st.integers(4, 60))
    whole = st.lists(st.integers(0, 7), min_size=count, max_size=count)
    labels, groups, equal = (np.array(data.draw(whole)) for _ in range(3))
    share = data.draw(st.floats(0.05, 1.0))
    units = join_groups(groups * 1000, equal * 1000)  # numbers need not be below the count
    rng = np.random.default_rng(data.draw(st.integers(0, 5)))
    train, validation = split_grouped(labels, units, share, rng)
    assert sorted([*train, *validation]) == list(range(count))
    for names in (groups, equal, units):
        assert not set(names[train]) & set(names[validation])
    if len(validation):
        assert share < 1
        kept = np.unique(labels[train], return_counts=True)[1]
        assert len(kept) >= 2
        assert kept.max() >= 2


# Where groups come from


def test_a_column_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    rows = [f"t{i},{i % 3},{i // 6}" for i in range(120)]
    path.write_text("\n".join(["text,label,group", *rows]))
    dataset = TripletDataset(path)
    assert dataset.groups == [str(i // 6) for i in range(120)]
    train, validation = sides(dataset)
    assert {i // 6 for i in validation.items}.isdisjoint(i // 6 for i in train.items)
    assert len(validation.items) == 12
    _, own = sides(dataset, groups=np.arange(120) // 3)
    assert {len(v.items) for v in (validation, own)} == {12}


def test_only_groups_of_the_train_split_matter() -> None:
    dataset = TripletDataset.from_labelled(
        [f"t{i}" for i in range(80)],
        [i // 2 % 2 for i in range(80)],
        ["train", "test"] * 40,
        [i // 8 for i in range(80)],
    )
    train, validation = sides(dataset, train_split=0.5)
    assert sorted([*train.items, *validation.items]) == list(range(0, 80, 2))
    assert {i // 8 for i in validation.items}.isdisjoint(i // 8 for i in train.items)


def test_groups_of_triplets(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    rows = [f"a{i},p{i},n{i},{i // 5}" for i in range(100)]
    path.write_text("\n".join(["anchor,positive,negative,group", *rows]))
    dataset = TripletDataset(path)
    assert dataset.triplets is not None
    of = {tuple(row): i // 5 for i, row in enumerate(dataset.triplets.tolist())}
    for seed in range(5):
        train, validation = dataset.create_dataloaders(batch_size=4, seed=seed)
        assert train.triplets is not None
        assert validation.triplets is not None
        held = {of[tuple(row)] for row in validation.triplets.tolist()}
        assert len(held) == 2
        assert held.isdisjoint(of[tuple(row)] for row in train.triplets.tolist())


def test_groups_of_triplets_that_contradict_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("anchor,positive,negative,group\na,b,x,1\nb,c,y,2\na,x,y,3\nc,d,a,4\n")
    assert TripletDataset(path).groups == ["2", "3"]


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ([1, 2], r"'groups': must be one value a row, shape \(4,\), received shape \(2,\)"),
        ("abcd", "'groups': must be a list or an array, received 'abcd'"),
        ([1, 2, None, 4], "record 2 .*'groups': must be a string or a number, received None"),
        ([1, 2, "", 4], "record 2 .*'groups': must not be blank"),
        ([1, 2, np.nan, 4], "record 2 .*'groups': must be finite"),
    ],
)
def test_wrong_groups(groups: Any, message: str) -> None:
    dataset = TripletDataset.from_labelled(list("abcd"), [0, 0, 1, 1])
    with pytest.raises(DataError, match=message):
        dataset.create_dataloaders(groups=groups)


def test_groups_of_a_part_have_larger_numbers_than_items() -> None:
    splits = ["test"] * 60 + ["train"] * 12
    labels, group = [i % 2 for i in range(72)], [*range(60), *(60 + i // 2 for i in range(12))]
    dataset = TripletDataset.from_labelled([f"t{i}" for i in range(72)], labels, splits, group)
    train, validation = sides(dataset, train_split=0.5)
    assert len(train.items) == len(validation.items) == 6
    assert {i // 2 for i in train.items}.isdisjoint(i // 2 for i in validation.items)


# Several parts


def test_three_parts_share_nothing_and_are_stratified() -> None:
    labels = np.repeat(np.arange(4), [400, 200, 100, 50])
    dataset = TripletDataset.from_labelled([f"t{i}" for i in range(750)], labels)
    parts = dataset.split((0.8, 0.1, 0.1), seed=3)
    assert sorted(np.concatenate(parts)) == list(range(750))
    assert [np.bincount(labels[part]).tolist() for part in parts] == [
        [320, 160, 80, 40],
        [40, 20, 10, 5],
        [40, 20, 10, 5],
    ]
    again = dataset.split((0.8, 0.1, 0.1), seed=3)
    assert all((one == two).all() for one, two in zip(parts, again, strict=True))
    assert len(list(TripletLoader(dataset, parts[2], batch_size=16))) > 0


def test_three_parts_keep_groups() -> None:
    dataset, group = grouped(5, 120, 2000)
    parts = dataset.split((0.7, 0.2, 0.1), groups=group)
    assert sorted(np.concatenate(parts)) == list(range(2000))
    assert sum(len(np.unique(group[part])) for part in parts) == len(np.unique(group))
    for part, share in zip(parts, (0.7, 0.2, 0.1), strict=True):
        assert abs(len(part) / 2000 - share) < 0.02


def test_three_parts_of_triplets() -> None:
    rows = [(f"a{i}", f"p{i}", f"n{i}") for i in range(200)]
    dataset = TripletDataset.from_triplets(rows)
    assert dataset.triplets is not None
    parts = dataset.split((0.5, 0.25, 0.25))
    assert [len(part) for part in parts] == [100, 50, 50]
    items = [set(dataset.triplets[part].ravel()) for part in parts]
    assert not items[0] & items[1]
    assert not items[1] & items[2]
    assert not items[0] & items[2]


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ((1.0,), r"shares must be two or more that sum to 1, received \(1.0,\)"),
        ((0.5, 0.4), "shares must be two or more that sum to 1"),
        ((1.2, -0.2), r"shares must be in \(0, 1\], received 1.2"),
        ((0.5, "0.5"), r"shares must be in \(0, 1\], received '0.5'"),
    ],
)
def test_wrong_shares(shares: Any, message: str) -> None:
    dataset = TripletDataset.from_labelled(list("abcd"), [0, 0, 1, 1])
    with pytest.raises(ValueError, match=message):
        dataset.split(shares)
