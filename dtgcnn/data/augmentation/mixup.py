"""``mixup``: new vectors between two of one class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..reading.raw import FloatArray, IntArray

__all__ = ["MixUp"]

TRIES = 3
"""Mixtures proposed of an item, of which the first that will do is taken."""

CIRCLE = 8
"""Groups whose items are mixed with one another."""


LARGEST = 0.95
"""The share of the item itself at most: more is a copy."""


class MixUp:
    """Mixes an item's vector with that of another item of its class.

        x' = λ x_i + (1 − λ) x_j,  λ = min(max(λ', 1 − λ'), 0.95),  λ' ~ Beta(α, α),

    stretched to the length that lies as far between those of x_i and x_j, so that vectors of unit
    length keep it (Zhang et al. 2018, arXiv:1710.09412, between vectors of one class, which leaves
    the class as it is).

    A mixture knows both items, so no split may part them. The groups of a class are therefore
    divided at random into circles of about eight, and partners are of one circle.

    Args:
        features: (N, D) vectors.
        labels: (N,) classes.
        groups: (N,) numbers of what is not to be parted anyway.
        items: those that may be mixed.
        alpha: α, above 0; 1 gives every λ' the same chance.
        rng: decides the circles.
    """

    def __init__(
        self,
        features: FloatArray,
        labels: IntArray,
        groups: IntArray,
        items: IntArray,
        alpha: float,
        rng: np.random.Generator,
    ) -> None:
        self._features, self._alpha = features, alpha
        self._partners: dict[int, IntArray] = {}
        for label in np.unique(labels[items]):
            own = items[labels[items] == label]
            names = rng.permutation(np.unique(groups[own]))
            for circle in np.array_split(names, -(-len(names) // CIRCLE)):
                members = own[np.isin(groups[own], circle)]
                self._partners |= dict.fromkeys(members.tolist(), members)

    def propose(
        self, items: Sequence[int], rngs: Sequence[np.random.Generator]
    ) -> list[list[tuple[FloatArray, int, float]]]:
        """Mixtures of each item: the vector, the partner and λ; none where it has no partner."""
        return [
            [self._mixed(item, rng) for _ in range(TRIES) if len(self._partners[item]) > 1]
            for item, rng in zip(items, rngs, strict=True)
        ]

    def _mixed(self, item: int, rng: np.random.Generator) -> tuple[FloatArray, int, float]:
        members = self._partners[item]
        others = members[members != item]
        other = int(others[rng.integers(len(others))])
        share = float(rng.beta(self._alpha, self._alpha))
        share = min(max(share, 1.0 - share), LARGEST)
        x, y = (self._features[i].astype(np.float64) for i in (item, other))
        mixed = share * x + (1.0 - share) * y
        length = float(share * np.linalg.norm(x) + (1.0 - share) * np.linalg.norm(y))
        mixed *= length / (max(float(np.linalg.norm(mixed)), 1e-12 * length) or 1.0)
        return mixed.astype(np.float32), other, share
