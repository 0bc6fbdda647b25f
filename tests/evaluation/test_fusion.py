"""Two rankings made one, by turns."""

from __future__ import annotations

import numpy as np
import pytest

from dtgcnn.evaluation import interleaved


def test_the_rankings_take_turns() -> None:
    first = [0.9, 0.8, 0.7, 0.1, 0.0]
    second = [0.0, 0.1, 0.2, 0.8, 0.9]
    assert interleaved(first, second, 4).tolist() == [0, 4, 1, 3]


def test_what_both_find_stands_once_and_the_next_moves_up() -> None:
    first = [0.9, 0.8, 0.7, 0.0]
    second = [0.9, 0.0, 0.8, 0.7]
    assert interleaved(first, second, 3).tolist() == [0, 1, 2]


@pytest.mark.parametrize("count", [1, 3, 10, 40])
def test_a_loop_by_turns_agrees(count: int) -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        first, second = rng.integers(0, 9, (2, 40)) / 8  # with ties
        orders = [sorted(range(40), key=lambda i, s=s: (-s[i], i)) for s in (first, second)]
        expected: list[int] = []
        for pair in zip(*orders, strict=True):
            expected += [i for i in dict.fromkeys(pair) if i not in expected]
        assert interleaved(first, second, count).tolist() == expected[:count]


def test_of_one_ranking_twice_it_is_that_ranking() -> None:
    scores = np.random.default_rng(1).normal(size=30)
    assert interleaved(scores, scores, 30).tolist() == np.argsort(-scores).tolist()


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"must both be \(N,\), received \(2,\) and \(3,\)"):
        interleaved([1, 2], [1, 2, 3], 1)
    with pytest.raises(ValueError, match="count must be at least 1, received 0"):
        interleaved([1.0], [1.0], 0)
