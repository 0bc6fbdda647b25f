"""Threefry-2x32-20 over arrays of counters (Salmon et al. 2011, doi:10.1145/2063384.2063405)."""

from __future__ import annotations

import mlx.core as mx

_ROTATIONS = (13, 15, 26, 6, 17, 29, 16, 24)


def threefry2x32(key: mx.array, x0: mx.array, x1: mx.array) -> tuple[mx.array, mx.array]:
    """Encrypt the counters (x0, x1), uint32 arrays of one shape, under ``key`` of shape (2,)."""
    parity = mx.array(0x1BD11BDA, mx.uint32)
    schedule = (key[0], key[1], key[0] ^ key[1] ^ parity)
    x0, x1 = x0 + schedule[0], x1 + schedule[1]
    for i in range(20):
        r = _ROTATIONS[i % 8]
        x0 = x0 + x1
        x1 = (x1 << r | x1 >> (32 - r)) ^ x0
        if i % 4 == 3:
            s = i // 4 + 1
            x0 = x0 + schedule[s % 3]
            x1 = x1 + schedule[(s + 1) % 3] + mx.array(s, mx.uint32)
    return x0, x1
