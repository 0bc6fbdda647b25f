"""Which items are equal, and which are joined."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

import numpy as np

from .raw import FloatArray, IntArray

__all__ = ["components", "equal_groups", "text_key"]


def text_key(text: str) -> str:
    """What texts that are equal but for case and white space have in common."""
    return " ".join(text.casefold().split())


def equal_groups(texts: list[str] | None, features: Iterable[FloatArray] | None) -> IntArray:
    """A number for each item by first appearance, the same for items that are equal.

    Texts are equal when they differ only in case and white space, feature rows when bit-equal.
    """
    index: dict[str | bytes, int] = {}
    keys: Iterable[str] | Iterable[bytes]
    if texts is not None:
        keys = map(text_key, texts)
    else:
        assert features is not None  # maybe more than fits in memory, so by their digests
        keys = (blake2b(row.tobytes(), digest_size=16).digest() for row in features)
    return np.fromiter((index.setdefault(key, len(index)) for key in keys), np.int64)


def components(edges: IntArray, num_items: int) -> IntArray:
    """The connected component of each item in the undirected graph of the (E, 2) ``edges``."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ones = np.ones(len(edges), np.int8)
    graph = coo_array((ones, (edges[:, 0], edges[:, 1])), shape=(num_items, num_items))
    return connected_components(graph, directed=False)[1].astype(np.int64)
