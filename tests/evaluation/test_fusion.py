"""Two rankings made one, by turns."""

from __future__ import annotations

import numpy as np
import pytest

from dtgcnn.evaluation import interleaved


def test_the_rankings_take_turns() -> None:
    assert interleaved([0, 1, 2, 3, 4], [4, 3, 2, 1, 0], 4) == [0, 4, 1, 3]


def test_what_both_find_stands_once_and_the_next_moves_up() -> None:
    assert interleaved([0, 1, 2, 3], [0, 2, 3, 1], 3) == [0, 1, 2]


@pytest.mark.parametrize("count", [1, 3, 10, 40])
def test_a_loop_by_turns_agrees(count: int) -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        orders = [rng.permutation(40) for _ in range(2)]
        expected: list[int] = []
        for pair in zip(*orders, strict=True):
            expected += [int(i) for i in dict.fromkeys(pair) if i not in expected]
        assert interleaved(*orders, count) == expected[:count]


def test_of_one_ranking_twice_it_is_that_ranking() -> None:
    order = np.random.default_rng(1).permutation(30)
    assert interleaved(order, order, 30) == order.tolist()
    assert interleaved(order[:3], order[:3], 30) == order[:3].tolist()


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="must be of one length, received 2 and 3"):
        interleaved([1, 2], [1, 2, 3], 1)
    with pytest.raises(ValueError, match="count must be at least 1, received 0"):
        interleaved([1], [1], 0)
