"""Batches assembled ahead: in order, bounded, and no thread left behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from dtgcnn import TripletDataset
from dtgcnn.data.batches.prefetch import Prefetcher

from ..conftest import blobs


def workers() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name.startswith("dtgcnn-prefetch")]


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    assert not workers()
    yield
    assert not workers()


def slow_square(x: int) -> int:
    time.sleep(0.01 if x % 3 == 0 else 0.0)  # the first of three ends last
    return x * x


@pytest.mark.parametrize(("num_workers", "factor"), [(0, 2), (1, 1), (3, 2), (8, 5)])
def test_results_come_in_order(num_workers: int, factor: int) -> None:
    results = Prefetcher(num_workers, factor).map(slow_square, range(20))
    assert list(results) == [x * x for x in range(20)]


@pytest.mark.parametrize(("num_workers", "factor"), [(1, 1), (1, 4), (3, 2)])
def test_no_more_are_in_flight_than_allowed(num_workers: int, factor: int) -> None:
    begun: list[int] = []
    results = Prefetcher(num_workers, factor).map(lambda x: begun.append(x) or x, range(50))
    most = []
    for taken, _ in enumerate(results, 1):
        time.sleep(0.002)  # time to run ahead, if anything let them
        most.append(len(begun) - taken)
    assert max(most) == num_workers * factor
    assert len(begun) == 50


def test_without_workers_nothing_is_computed_ahead() -> None:
    begun: list[int] = []
    results = Prefetcher(0).map(begun.append, range(5))
    next(results)
    assert begun == [0]


def test_workers_compute_at_the_same_time() -> None:
    meeting = threading.Barrier(3, timeout=10)  # breaks unless three arrive
    assert len(list(Prefetcher(3, 1).map(lambda x: meeting.wait(), range(3)))) == 3


@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("where", ["function", "iterable"])
def test_an_error_surfaces_where_its_result_would_have_come(where: str, num_workers: int) -> None:
    def numbers() -> Iterator[int]:
        yield from range(5)
        if where == "iterable":
            raise OSError("the sixth is bad")
        yield from range(5, 10)

    def same(x: int) -> int:
        if where == "function" and x == 5:
            raise OSError("the sixth is bad")
        return x

    got: list[int] = []
    with pytest.raises(OSError, match="the sixth is bad"):
        got.extend(Prefetcher(num_workers, 4).map(same, numbers()))
    assert got == [0, 1, 2, 3, 4]


def test_an_early_end_leaves_no_thread_and_runs_nothing_more() -> None:
    begun: list[int] = []
    for x in Prefetcher(2, 2).map(lambda x: begun.append(x) or x, range(1000)):
        if x == 3:
            break
    assert not workers()
    count = len(begun)
    time.sleep(0.02)
    assert len(begun) == count <= 4 + 1 + 2 * 2


def test_persistent_workers_are_kept_until_they_are_closed() -> None:
    prefetcher = Prefetcher(2, 1, persistent_workers=True)
    meeting = threading.Barrier(2, timeout=10)
    list(prefetcher.map(lambda x: meeting.wait(), range(2)))
    first = workers()
    assert len(first) == 2
    list(prefetcher.map(lambda x: meeting.wait(), range(2)))
    assert workers() == first
    prefetcher.close()
    assert not workers()
    assert list(prefetcher.map(slow_square, range(3))) == [0, 1, 4]  # it can begin anew
    prefetcher.close()


def test_threads_of_other_runs_are_new_without_persistence() -> None:
    prefetcher, seen = Prefetcher(1, 1), []
    for _ in range(2):
        seen += list(prefetcher.map(lambda x: threading.current_thread(), range(2)))
    assert seen[0] is seen[1] is not seen[2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-1,), "num_workers must be at least 0, received -1"),
        ((1, 0), "prefetch_factor must be at least 1, received 0"),
    ],
)
def test_numbers_out_of_range_are_refused(arguments: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Prefetcher(*arguments)


@pytest.mark.parametrize("kind", ["labelled", "triplets"])
def test_batches_are_those_without_threads(kind: str) -> None:
    x, labels = blobs()
    dataset = TripletDataset.from_arrays(x, labels)
    if kind == "triplets":
        texts = [(f"a{i}", f"p{i}", f"n{i}") for i in range(60)]
        dataset = TripletDataset.from_triplets(texts)
    loader, _ = dataset.create_dataloaders(8, 1.0)
    for start in (0, 3):
        plain = list(loader.batches(2, start))
        ahead = list(loader.batches(2, start, Prefetcher(3, 2)))
        assert len(plain) == len(ahead) == len(loader) - start > 0
        for one, two in zip(plain, ahead):
            np.testing.assert_array_equal(one.items, two.items)
            np.testing.assert_array_equal(one.labels, two.labels)
            assert (one.triplets is None) == (two.triplets is None) == (kind == "labelled")
            assert one.valid_triplets == two.valid_triplets


def test_rows_to_draw_from_are_checked() -> None:
    texts = [(f"a{i}", f"p{i}", f"n{i}") for i in range(40)]
    loader, val = TripletDataset.from_triplets(texts).create_dataloaders(4, 0.75)
    rows = np.array([3, 5, 8])
    loader.restrict(rows)
    drawn = np.concatenate([batch.items[: batch.valid_triplets] for batch in loader.batches(0)])
    assert loader.triplets is not None
    assert set(drawn) == set(loader.triplets[rows, 0])
    assert len(drawn) == 4 * len(loader)
    for wrong, message in (
        ([0.0, 1.0], "rows must be whole numbers, received an array of float64"),
        ([True, False], "rows must be whole numbers, received an array of bool"),
        ([], "rows must be one or more of 0 to 29, received 0 rows"),
        ([30], "rows must be one or more of 0 to 29, received 1 rows up to 30"),
    ):
        with pytest.raises(ValueError, match=message):
            loader.restrict(np.array(wrong))
    with pytest.raises(ValueError, match="the loader validates"):
        val.restrict(np.array([0]))
