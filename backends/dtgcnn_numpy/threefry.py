"""Threefry-2x32-20 over arrays of counters (Salmon et al. 2011, doi:10.1145/2063384.2063405), and
what ``dtgcnn.array.random`` makes of it, in blocks over threads."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .pool import blocks, each

__all__ = ["bernoulli", "random_bits", "threefry2x32"]

_BLOCK = 32768
"""Counters encrypted at a time: few enough to stay in the processor's cache."""

_ROTATIONS = (13, 15, 26, 6, 17, 29, 16, 24)


def threefry2x32(key: Any, x0: Any, x1: Any) -> tuple[Any, Any]:
    """Encrypt the counters (x0, x1), uint32 arrays of one shape, under ``key`` of shape (2,)."""
    schedule = (key[:1], key[1:], key[:1] ^ key[1:] ^ np.uint32(0x1BD11BDA))
    x0, x1 = x0 + schedule[0], x1 + schedule[1]
    high = np.empty_like(x1)
    for i in range(20):
        r = _ROTATIONS[i % 8]
        x0 += x1
        np.right_shift(x1, 32 - r, out=high)
        x1 <<= r
        x1 |= high
        x1 ^= x0
        if i % 4 == 3:
            s = i // 4 + 1
            x0 += schedule[s % 3]
            x1 += schedule[(s + 1) % 3] + np.uint32(s)
    return x0, x1


def random_bits(key: Any, n: int) -> Any:
    """``n`` words: the counters ``(i, h + i)``, ``h = ⌈n / 2⌉``, encrypted to words i and h + i."""
    half = (n + 1) // 2
    words = np.empty((2, half), np.uint32)

    def encrypt(block: slice) -> None:
        words[:, block] = _encrypted(key, block, half)

    each(encrypt, blocks(half, _BLOCK))
    return words.reshape(-1)[:n]


def bernoulli(key: Any, p: float, shape: tuple[int, ...]) -> Any:
    """True with probability ``p``: the lower halves of words, then the upper ones."""
    n, limit = math.prod(shape), 65536 - round(p * 65536)
    count = (n + 1) // 2
    half = (count + 1) // 2
    draws = np.empty((2, 2, half), np.bool_)

    def draw(block: slice) -> None:
        for words, lower, upper in zip(_encrypted(key, block, half), *draws, strict=True):
            np.greater_equal(words & 0xFFFF, limit, out=lower[block])
            np.greater_equal(words >> 16, limit, out=upper[block])

    each(draw, blocks(half, _BLOCK))
    if n == 4 * half:
        return draws.reshape(shape)
    return draws.reshape(2, -1)[:, :count].reshape(-1)[:n].reshape(shape)


def _encrypted(key: Any, block: slice, half: int) -> tuple[Any, Any]:
    counters = np.arange(block.start, block.stop, dtype=np.uint32)
    return threefry2x32(key, counters, counters + np.uint32(half))
