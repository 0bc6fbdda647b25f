"""Which rows form each batch of an epoch: triplets in turn, or P classes times K items."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..reading.raw import IntArray
from ..splits.split import systematic_rounding

__all__ = ["ClassBalancedSampler", "TripletSampler"]


def _generator(seed: int, epoch: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64([seed, epoch]))


class TripletSampler:
    """Rows of triplets, B = min(batch_size, count) at a time.

    Training shuffles each epoch and drops a partial last batch; otherwise rows come in order and
    the partial batch is kept. ``restrict`` leaves a part of the rows to draw from.
    """

    def __init__(self, count: int, batch_size: int, seed: int, training: bool) -> None:
        self.count = count
        self.size = min(batch_size, count)
        self.seed = seed
        self._training = training
        self._rows = np.arange(count)

    def restrict(self, rows: IntArray | None) -> None:
        """Draw from these rows, or from all again, as many batches an epoch as before."""
        given = np.arange(self.count) if rows is None else np.asarray(rows)
        if given.size and given.dtype.kind not in "iu":
            raise ValueError(f"rows must be whole numbers, received an array of {given.dtype}")
        chosen = np.unique(given.astype(np.int64))
        if not len(chosen) or chosen[0] < 0 or chosen[-1] >= self.count:
            named = f"{len(chosen)} rows" + (f" up to {chosen[-1]}" if len(chosen) else "")
            raise ValueError(f"rows must be one or more of 0 to {self.count - 1}, received {named}")
        self._rows = chosen

    @property
    def num_batches(self) -> int:
        """Batches an epoch."""
        if not self.count:
            return 0
        return self.count // self.size if self._training else -(-self.count // self.size)

    def batches(self, epoch: int) -> Iterator[IntArray]:
        """The rows of each batch."""
        rows = self._rows
        if self._training:
            rng, rounds = _generator(self.seed, epoch), -(-self.count // max(len(rows), 1))
            rows = np.concatenate([rng.permutation(rows) for _ in range(rounds)] or [rows])
        for b in range(self.num_batches):
            yield rows[b * self.size : (b + 1) * self.size]


class ClassBalancedSampler:
    """Batches of exactly P distinct classes times K items, the same shape always.

    K is ``samples_per_class`` and P is batch_size // K. Where there are fewer classes than that, P
    is their number and K grows to batch_size // P; where the batch holds fewer than two classes of
    K, K shrinks to batch_size // 2; a batch exceeds neither ``batch_size`` nor the items there are
    (but holds 4 at least). Each class is a queue in random order that is used up before it is
    shuffled again; an item occurs twice in a batch only in a class of fewer than K. Over an epoch
    of ceil(N / PK) batches a class is drawn in proportion to its size, as far as that allows P
    distinct classes a batch. A class of one item is drawn only where no two classes have more.

    Args:
        labels: (N,) classes; batches are positions in it.
        batch_size: items a batch at most, at least 4.
        samples_per_class: K, at least 2.
        seed: decides every draw together with the epoch.
    """

    def __init__(
        self, labels: IntArray, batch_size: int, samples_per_class: int, seed: int
    ) -> None:
        order = np.argsort(labels, kind="stable")
        starts = np.unique(labels[order], return_index=True)[1]
        members = np.split(order, starts[1:]) if len(labels) else []
        several = [rows for rows in members if len(rows) > 1]
        self._all_members = self._members = several if len(several) != 1 else members
        self.seed = seed
        available = sum(map(len, self._members))
        size = max(4, min(batch_size, available))
        per_class = min(samples_per_class, size // 2)
        fitting = size // per_class
        self.P = min(fitting, len(self._members))
        self.K = size // self.P if 0 < self.P < fitting else per_class
        possible = len(several) >= 1 and len(self._members) >= 2
        self._num_batches = -(-len(labels) // (self.P * self.K)) if possible else 0

    def restrict(self, rows: IntArray | None) -> None:
        """Draw from these positions, or from all again, as many batches of the same shape as
        before.

        Raises:
            ValueError: a class has fewer than two of them, of which it has two or more.
        """
        if rows is None:
            self._members = self._all_members
            return
        members = [own[np.isin(own, rows)] for own in self._all_members]
        for own, all_own in zip(members, self._all_members, strict=True):
            if len(own) < min(2, len(all_own)):
                raise ValueError(f"rows must hold two or more of each class, one has {len(own)}")
        self._members = members

    @property
    def num_batches(self) -> int:
        """Batches an epoch; 0 where no triplet is possible."""
        return self._num_batches

    def batches(self, epoch: int) -> Iterator[IntArray]:
        """Positions of the items of each batch, class after class."""
        if not self.num_batches:
            return
        rng = _generator(self.seed, epoch)
        queues = [_Queue(members, rng) for members in self._members]
        for classes in self._schedule(rng):
            yield np.concatenate([queues[c].draw(self.K) for c in classes])

    def _schedule(self, rng: np.random.Generator) -> IntArray:
        """(batches, P) classes, those of a row distinct."""
        draws = systematic_rounding(self._shares(), rng)
        # Class after class, dealt out to the batches in turn: none gets a class twice, because no
        # class has more draws than there are batches.
        order = rng.permutation(len(draws))
        dealt = np.repeat(order, draws[order]).reshape(self.P, self.num_batches).T
        return rng.permuted(rng.permutation(dealt), axis=1)

    def _shares(self) -> NDArray[np.float64]:
        """Draws a class is due in an epoch: in proportion to size, one a batch at most."""
        sizes = np.array([len(members) for members in self._members], np.float64)
        total, limit = self.P * self.num_batches, float(self.num_batches)
        free = np.ones(len(sizes), bool)
        if (sizes > 1).sum() == 1:  # the only class that has pairs must be in every batch
            free = sizes == 1
        shares = np.full(len(sizes), limit)
        while True:
            left = total - limit * (~free).sum()
            shares[free] = np.minimum(left * sizes[free] / sizes[free].sum(), limit)
            full = free & (shares == limit)
            free &= ~full
            if not full.any() or not free.any():
                return shares


class _Queue:
    """The items of one class in random order, shuffled again when used up."""

    def __init__(self, members: IntArray, rng: np.random.Generator) -> None:
        self._members = members
        self._rng = rng
        self._left = rng.permutation(members)

    def draw(self, count: int) -> IntArray:
        """The next ``count`` items: distinct, or all of the class and some of them again."""
        while len(self._left) < count:
            fresh = self._rng.permutation(self._members)
            # Those still due from this round come last in the next, so that no item occurs twice
            # among the first draws while another is left.
            due = np.isin(fresh, self._left)
            self._left = np.concatenate([self._left, fresh[~due], fresh[due]])
        drawn, self._left = self._left[:count], self._left[count:]
        return drawn
