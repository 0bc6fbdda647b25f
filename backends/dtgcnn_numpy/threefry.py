"""Threefry-2x32-20 over arrays of counters (Salmon et al. 2011, doi:10.1145/2063384.2063405)."""

from __future__ import annotations

from typing import Any

import numpy as np

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
