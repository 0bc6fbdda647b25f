"""Batches: their shape, their order, and the triplets they allow."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dtgcnn.data import Batch, ClassBalancedSampler, TripletDataset, TripletLoader, join

from ..conftest import DATA, blobs, text_triplets

R8_TRAIN_SIZES = [1596, 253, 2840, 41, 190, 206, 108, 251]


def labelled(*sizes: int) -> TripletDataset:
    labels = np.repeat(np.arange(len(sizes)), sizes)
    return TripletDataset.from_arrays(np.arange(2.0 * len(labels)).reshape(-1, 2), labels)


def train_loader(dataset: TripletDataset, batch_size: int, k: int = 4) -> TripletLoader:
    return dataset.create_dataloaders(batch_size, train_split=1.0, samples_per_class=k)[0]


def count_triplets(batch: Batch) -> int:
    """Anchor, positive and negative by definition, one by one."""
    same = batch.labels[:, None] == batch.labels[None, :]
    other_item = batch.items[:, None] != batch.items[None, :]
    return int(((same & other_item).sum(axis=1) * (~same).sum(axis=1)).sum())


def key_of(batches: list[Batch]) -> list[list[int]]:
    return [batch.items.tolist() for batch in batches]


# Triplets


def chain(count: int) -> TripletDataset:
    return TripletDataset.from_triplets([(f"a{i}", f"p{i}", f"n{i}") for i in range(count)])


def test_a_triplet_batch_holds_anchors_then_positives_then_negatives() -> None:
    dataset = chain(10)
    loader = train_loader(dataset, 4)
    batches = list(loader)
    assert len(batches) == len(loader) == 2
    assert dataset.texts is not None
    assert dataset.labels is not None
    for batch in batches:
        assert batch.triplets is not None
        assert batch.triplets.tolist() == [[i, 4 + i, 8 + i] for i in range(4)]
        assert (batch.items.dtype, batch.labels.dtype, batch.triplets.dtype) == (
            *(np.int64, np.int32, np.int32),
        )
        np.testing.assert_array_equal(batch.labels, dataset.labels[batch.items])
        texts = [dataset.texts[i] for i in batch.items]
        numbers = [text[1:] for text in texts[:4]]
        assert texts == [f"{role}{number}" for role in "apn" for number in numbers]
        assert batch.valid_triplets == 4


def test_every_epoch_has_an_order_of_its_own_and_keeps_it() -> None:
    for loader in (train_loader(chain(40), 4), train_loader(labelled(20, 30, 9, 2), 8, 2)):
        again = train_loader(loader.dataset, 8 if loader.dataset.kind == "labelled" else 4,
                             2 if loader.dataset.kind == "labelled" else 4)  # fmt: skip
        epochs = [key_of(list(loader.batches(epoch))) for epoch in range(3)]
        assert epochs[0] != epochs[1] != epochs[2]
        assert [key_of(list(loader)) for _ in range(3)] == epochs
        assert key_of(list(again.batches(2))) == epochs[2]


def test_iterators_of_two_epochs_do_not_disturb_each_other() -> None:
    loader = train_loader(chain(12), 4)
    first, second = iter(loader), iter(loader)
    mixed = [next(iterator) for iterator in (second, first, second, first)]
    assert key_of(mixed[1::2]) == key_of(list(loader.batches(0)))[:2]
    assert key_of(mixed[0::2]) == key_of(list(loader.batches(1)))[:2]


def test_a_small_set_of_triplets_is_one_batch() -> None:
    loader = train_loader(chain(5), 512)
    (batch,) = loader
    assert (len(loader), len(batch.items)) == (1, 15)


def test_validation_keeps_order_and_partial_batch() -> None:
    _, validation = chain(100).create_dataloaders(batch_size=8, train_split=0.9)
    batches = list(validation.batches(0))
    assert [batch.valid_triplets for batch in batches] == [8, 2]
    assert len(validation) == 2
    assert key_of(list(validation.batches(5))) == key_of(batches)
    anchors = np.concatenate([b.items[: b.valid_triplets] for b in batches])
    assert (np.diff(anchors) > 0).all()


# Classes


@pytest.mark.parametrize(
    ("sizes", "batch_size", "k", "shape"),
    [
        ([50] * 40, 64, 4, (16, 4)),
        ([50] * 40, 67, 4, (16, 4)),
        ([50] * 3, 64, 4, (3, 21)),
        ([50] * 3, 4, 4, (2, 2)),
        ([50] * 3, 7, 4, (2, 3)),
        ([10, 10], 512, 4, (2, 10)),
        ([3, 2], 512, 4, (2, 2)),
        ([2, 1], 512, 4, (2, 2)),
        (R8_TRAIN_SIZES, 512, 4, (8, 64)),
        (R8_TRAIN_SIZES, 16, 4, (4, 4)),
        ([20] + [1] * 30, 32, 4, (8, 4)),
        ([20, 20] + [1] * 30, 32, 4, (2, 16)),
        ([2] * 40, 512, 4, (20, 4)),
    ],
)
def test_every_batch_is_p_classes_times_k_items(
    sizes: list[int], batch_size: int, k: int, shape: tuple[int, int]
) -> None:
    dataset = labelled(*sizes)
    loader = train_loader(dataset, batch_size, k)
    p, k = shape
    assert len(loader) == -(-sum(sizes) // (p * k))
    for epoch in range(3):
        batches = list(loader.batches(epoch))
        assert len(batches) == len(loader)
        for batch in batches:
            classes, counts = np.unique(batch.labels, return_counts=True)
            assert (len(classes), set(counts.tolist())) == (p, {k})
            assert batch.triplets is None
            assert dataset.labels is not None
            np.testing.assert_array_equal(batch.labels, dataset.labels[batch.items])
            assert batch.valid_triplets == count_triplets(batch) > 0
            for c in classes:
                distinct = len(np.unique(batch.items[batch.labels == c]))
                assert distinct == min(k, sizes[c])


def test_p_times_k_on_the_unbalanced_classes_of_r8() -> None:
    path = DATA / "r8.minilm.npz"
    if not path.exists():
        pytest.skip(f"the data set r8.minilm.npz is not at {DATA}")
    loader, validation = TripletDataset(path).create_dataloaders(batch_size=64)
    for side in (loader, validation):
        for batch in side:
            classes, counts = np.unique(batch.labels, return_counts=True)
            assert (len(classes), set(counts.tolist())) == (8, {8})
            assert batch.valid_triplets > 0


def test_a_class_is_used_up_before_it_repeats() -> None:
    loader = train_loader(labelled(40, 40, 40, 40), 8)
    items = np.concatenate([batch.items for batch in loader.batches(0)])
    assert len(items) == 160
    counts = np.bincount(items, minlength=160)
    assert counts.max() - counts.min() <= 1
    for c in range(4):
        drawn = counts[40 * c : 40 * c + 40]
        assert drawn.max() - drawn.min() <= 1


def test_classes_are_drawn_in_proportion_to_their_size() -> None:
    sizes = [100, 200, 300, 400, 150, 50, 7, 3]
    loader = train_loader(labelled(*sizes), 8)
    drawn = np.zeros(8)
    for epoch in range(40):
        for batch in loader.batches(epoch):
            drawn += np.bincount(batch.labels, minlength=8)
    np.testing.assert_allclose(drawn / 40, sizes, rtol=0.05, atol=2)


def test_a_class_above_its_possible_share_is_in_every_batch() -> None:
    loader = train_loader(labelled(1000, 100, 100, 100), 8)
    batches = list(loader.batches(0))
    assert all((batch.labels == 0).sum() == 4 for batch in batches)
    others = np.bincount(np.concatenate([b.labels for b in batches]), minlength=4)[1:]
    assert others.max() - others.min() <= 4


def test_single_items_are_drawn_only_as_negatives_that_are_needed() -> None:
    unneeded = train_loader(labelled(20, 20, 1, 1), 8)
    assert all(batch.labels.max() == 1 for batch in unneeded)
    needed = train_loader(labelled(20, 1, 1, 1, 1), 8)
    seen = [set(batch.labels.tolist()) for epoch in range(5) for batch in needed.batches(epoch)]
    assert all(0 in classes for classes in seen)
    assert set().union(*seen) == {0, 1, 2, 3, 4}


def test_validation_without_a_triplet_has_no_batch_but_has_items() -> None:
    dataset = TripletDataset.from_arrays(np.eye(40), np.arange(40) // 4)
    _, validation = dataset.create_dataloaders(batch_size=8, train_split=0.85)
    assert len(validation.items) == 6
    assert (len(validation), list(validation)) == (0, [])


def test_validation_of_labelled_data_is_fixed() -> None:
    _, validation = labelled(60, 60).create_dataloaders(batch_size=8, train_split=0.5)
    assert key_of(list(validation)) == key_of(list(validation)) != []


def test_seeds_differ() -> None:
    labels = np.arange(100) % 5
    one, two = (ClassBalancedSampler(labels, 20, 4, seed) for seed in (1, 2))
    assert [b.tolist() for b in one.batches(0)] != [b.tolist() for b in two.batches(0)]


@pytest.mark.parametrize("seed", range(20))
def test_random_class_sizes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 2 ** rng.integers(1, 8), rng.integers(2, 60))
    sizes[0] = max(sizes[0], 2)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    batch_size, k = int(rng.integers(4, 100)), int(rng.integers(2, 9))
    sampler = ClassBalancedSampler(labels, batch_size, k, seed)
    assert max(4, batch_size) >= sampler.P * sampler.K
    assert min(sampler.P, sampler.K) >= 2
    batches = list(sampler.batches(0))
    assert len(batches) == sampler.num_batches == -(-len(labels) // (sampler.P * sampler.K))
    for picked in batches:
        classes, counts = np.unique(labels[picked], return_counts=True)
        assert (len(classes), set(counts.tolist())) == (sampler.P, {sampler.K})
        assert sizes[classes].max() >= 2


@settings(max_examples=150, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=25),
    batch_size=st.integers(4, 200),
    k=st.integers(2, 12),
    epoch=st.integers(0, 3),
)
def test_a_loader_yields_as_many_batches_as_its_length(
    sizes: list[int], batch_size: int, k: int, epoch: int
) -> None:
    loader = TripletLoader(
        labelled(*sizes), np.arange(sum(sizes)), batch_size, samples_per_class=k, seed=epoch
    )
    batches = list(loader.batches(epoch))
    assert len(batches) == len(loader)
    assert (len(loader) > 0) == (len(sizes) > 1 and max(sizes) > 1)
    assert len({batch.items.shape for batch in batches}) <= 1
    for batch in batches:
        counts = np.unique(batch.labels, return_counts=True)[1]
        assert len(set(counts.tolist())) == 1
        assert batch.valid_triplets > 0


@settings(max_examples=100, deadline=None)
@given(
    count=st.integers(1, 60), batch_size=st.integers(1, 70), training=st.booleans(),
    chosen=st.data(),
)  # fmt: skip
def test_a_loader_of_triplets_yields_as_many_batches_as_its_length(
    count: int, batch_size: int, training: bool, chosen: st.DataObject
) -> None:
    loader = TripletLoader(chain(count), np.arange(count), batch_size, training=training)
    if training and chosen.draw(st.booleans()):
        rows = st.lists(st.integers(0, count - 1), min_size=1)
        loader.restrict(np.array(chosen.draw(rows)))
    batches = list(loader.batches(chosen.draw(st.integers(0, 3))))
    assert len(batches) == len(loader) > 0
    seen = sum(batch.valid_triplets for batch in batches)
    assert seen == (count - count % min(batch_size, count) if training else count)


def test_with_seed_reorders_a_loader() -> None:
    loader = train_loader(labelled(20, 20, 20, 20), 24)
    before = [batch.items.tolist() for batch in loader.batches(1)]
    same, other = loader.with_seed(0), loader.with_seed(1)
    assert [batch.items.tolist() for batch in same.batches(1)] == before
    assert [batch.items.tolist() for batch in other.batches(1)] != before
    assert [batch.items.tolist() for batch in loader.batches(1)] == before
    with pytest.raises(ValueError, match="seed must be a whole number of at least 0, received -1"):
        loader.with_seed(-1)


def test_joined_triplets_point_at_their_own_rows() -> None:
    loader, _ = text_triplets().create_dataloaders(batch_size=24, train_split=1.0)
    batches = list(loader.batches(0))
    joint = join(batches)
    rows = [batch.items[batch.triplets] for batch in batches]
    np.testing.assert_array_equal(joint.items[joint.triplets], np.concatenate(rows))
    assert joint.valid_triplets == 120


def test_restrict_refuses_rows_that_are_not_there() -> None:
    loader, _ = text_triplets().create_dataloaders(batch_size=20, train_split=1.0)
    with pytest.raises(ValueError, match="rows must be one or more of 0 to 119, received 0 rows"):
        loader.restrict(np.array([], np.int64))
    with pytest.raises(ValueError, match="of 0 to 119, received 2 rows up to 120"):
        loader.restrict(np.array([3, 120]))
    labelled, _ = TripletDataset.from_arrays(*blobs()).create_dataloaders(24, 1.0)
    with pytest.raises(ValueError, match="two or more of each class, one has 1"):
        labelled.restrict(np.array([0]))


def test_what_no_loader_can_be_made_of_is_refused() -> None:
    x, labels = blobs()
    data = TripletDataset.from_arrays(x, [*labels[:-1].tolist(), None])
    with pytest.raises(ValueError, match=r"chosen must be items with a label, row 79 .* has none"):
        TripletLoader(data, np.arange(80), 24)
    for chosen in ([-1, 2], [80], ["a"], [0.5], (np.arange(3), np.arange(2))):
        with pytest.raises(ValueError, match=r"chosen must be row numbers \(T,\), from 0 to 79"):
            TripletLoader(data, chosen, 24)  # type: ignore[arg-type]
    for size in ("24", 0, None):
        with pytest.raises(ValueError, match="batch_size must be a whole number of at least 1"):
            TripletLoader(data, np.arange(79), size)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="dataset must hold triplets or labels"):
        TripletLoader(TripletDataset.from_arrays(x), np.arange(79), 24)
    with pytest.raises(ValueError, match="dataset must be a TripletDataset"):
        TripletLoader(x, np.arange(79), 24)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"shares must be a list of shares, received 0\.5"):
        data.split(0.5)  # type: ignore[arg-type]


def test_fewer_rows_than_a_batch() -> None:
    loader, _ = text_triplets().create_dataloaders(batch_size=50, train_split=1.0)
    assert loader.triplets is not None
    loader.restrict(np.arange(7))
    batches = list(loader.batches(0))
    assert [len(batch.triplets) for batch in batches] == [50, 50]
    wanted = list(map(tuple, loader.triplets[:7].tolist()))
    for batch in batches:
        drawn = [tuple(triplet) for triplet in batch.items[batch.triplets].tolist()]
        counts = [drawn.count(triplet) / wanted.count(triplet) for triplet in wanted]
        assert 6 <= min(counts) <= max(counts) <= 9  # each in turn: 50 / 7
