"""Wrong sums over neighbour lists, and wrong random words."""

from __future__ import annotations

from typing import Any
from unittest import mock

import numpy as np
from autograd.tracer import getval
from dtgcnn_numpy import NumpyOps, threefry

from .fault import rejected_by


@rejected_by("ops/gather_sum")
class UnweightedGather(NumpyOps):
    """``gather_sum`` counts a neighbour of weight 0 in full."""

    def gather_sum(self, x: Any, indices: Any, weights: Any) -> Any:
        return super().gather_sum(x, indices, self.where(weights == 0, 1.0, weights))


@rejected_by("ops/gather_sum")
class DistinctNeighbours(NumpyOps):
    """``gather_sum`` counts a repeated neighbour once."""

    def gather_sum(self, x: Any, indices: Any, weights: Any) -> Any:
        earlier = np.tril(indices[:, :, None] == indices[:, None, :], -1).any(axis=2)
        return super().gather_sum(x, indices, self.where(earlier, 0.0, weights))


@rejected_by("ops/scatter_sum")
class LastDuplicateWins(NumpyOps):
    """``scatter_sum`` assigns where it should add."""

    def scatter_sum(self, x: Any, indices: Any, weights: Any, n: int) -> Any:
        out = np.zeros((n, x.shape[1]), getval(x).dtype)
        out[indices] = getval(weights)[..., None] * getval(x)[:, None, :]
        return out


@rejected_by("ops/scatter_sum")
class TransposedScatter(NumpyOps):
    """``scatter_sum`` sums by rows, as ``gather_sum`` does, where their numbers agree."""

    def scatter_sum(self, x: Any, indices: Any, weights: Any, n: int) -> Any:
        square = n == x.shape[0] == indices.shape[0]
        return (
            self.gather_sum(x, indices, weights)
            if square
            else super().scatter_sum(x, indices, weights, n)
        )


@rejected_by("ops/scatter_sum")
class ScatterToTheLast(NumpyOps):
    """``scatter_sum`` has no rows beyond the last target."""

    def scatter_sum(self, x: Any, indices: Any, weights: Any, n: int) -> Any:
        return super().scatter_sum(x, indices, weights, int(indices.max(initial=-1)) + 1)


@rejected_by("determinism/sums_of_duplicates_again")
class AtomicScatter(NumpyOps):
    """``scatter_sum`` of 512 rows and more adds in an order that changes from call to call."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._order = np.random.default_rng(0)

    def scatter_sum(self, x: Any, indices: Any, weights: Any, n: int) -> Any:
        if len(indices) < 512:
            return super().scatter_sum(x, indices, weights, n)
        order = self._order.permutation(len(indices)).astype(np.int32)
        x, weights = (self.take(part, order) for part in (x, weights))
        return super().scatter_sum(x, indices[order], weights, n)


@rejected_by("random/random_bits", "random/normal")
class BiasedBits(NumpyOps):
    """Random words have their lowest bit set."""

    def random_bits(self, key: Any, n: int) -> Any:
        return super().random_bits(key, n) | np.uint32(1)


@rejected_by("random/many_random_bits")
class WordsInBlocks(NumpyOps):
    """Of many random words the first are those of a draw of their own."""

    def random_bits(self, key: Any, n: int) -> Any:
        words = super().random_bits(key, n)
        words[:100] = super().random_bits(key, 200)[: min(n, 100)] if n > 200 else words[:100]
        return words


@rejected_by("random/many_random_bits")
class CountersOfSixteenBits(NumpyOps):
    """The counters of random words begin anew after 2¹⁶."""

    def random_bits(self, key: Any, n: int) -> Any:
        i = np.arange((n + 1) // 2, dtype=np.uint32)
        return _words(key, i, (i + np.uint32(len(i))) & np.uint32(0xFFFF))[:n]


@rejected_by("random/random_bits")
class OtherByteOrder(NumpyOps):
    """Random words have their bytes in the other order."""

    def random_bits(self, key: Any, n: int) -> Any:
        return super().random_bits(key, n).byteswap()


@rejected_by("random/random_bits")
class SwappedKey(NumpyOps):
    """The two words of a key are exchanged."""

    def random_bits(self, key: Any, n: int) -> Any:
        return super().random_bits(key[::-1], n)


@rejected_by("random/random_bits")
class OneCounter(NumpyOps):
    """The counter is ``(i, 0)`` where it should be ``(i, h + i)``."""

    def random_bits(self, key: Any, n: int) -> Any:
        i = np.arange((n + 1) // 2, dtype=np.uint32)
        return _words(key, i, np.zeros_like(i))[:n]


@rejected_by("random/random_bits")
class SwappedCounter(NumpyOps):
    """The counter is ``(h + i, i)`` where it should be ``(i, h + i)``."""

    def random_bits(self, key: Any, n: int) -> Any:
        i = np.arange((n + 1) // 2, dtype=np.uint32)
        return _words(key, i + np.uint32(len(i)), i)[:n]


@rejected_by("random/random_bits", "random/split", "random/normal")
class WordsInTurns(NumpyOps):
    """The two words of a cipher follow each other, and its counter is ``(i, 0)``."""

    def random_bits(self, key: Any, n: int) -> Any:
        i = np.arange((n + 1) // 2, dtype=np.uint32)
        return _words(key, i, np.zeros_like(i)).reshape(2, -1).T.reshape(-1)[:n]


@rejected_by("random/random_bits")
class CounterPaddedWithZero(NumpyOps):
    """Of an odd count the last counter is ``(h − 1, 0)``, as in ``jax.random.bits``."""

    def random_bits(self, key: Any, n: int) -> Any:
        i = np.arange(n + n % 2, dtype=np.uint32)
        i[n:] = 0
        return _words(key, *i.reshape(2, -1))[:n]


@rejected_by("random/random_bits")
class EvenNumberOfWords(NumpyOps):
    """An odd number of random words ends in a 0."""

    def random_bits(self, key: Any, n: int) -> Any:
        words = super().random_bits(key, n)
        words[n - n % 2 :] = 0
        return words


def _words(key: Any, first: Any, second: Any) -> Any:
    """The first words of the ciphers of these counters, then the second."""
    return np.concatenate(threefry.threefry2x32(key, first, second))


class _Rounds(NumpyOps):
    """Threefry with another number of rounds."""

    rounds: int

    def random_bits(self, key: Any, n: int) -> Any:
        with mock.patch.object(threefry, "range", return_value=range(self.rounds), create=True):
            return super().random_bits(key, n)


@rejected_by("random/random_bits")
class TwelveRounds(_Rounds):
    """Threefry with 12 rounds in place of 20."""

    rounds = 12


@rejected_by("random/random_bits")
class NineteenRounds(_Rounds):
    """Threefry with 19 rounds in place of 20."""

    rounds = 19
