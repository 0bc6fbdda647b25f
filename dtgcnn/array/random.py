"""Randomness as a function of a key: the same seed gives the same numbers on every backend.

A key is two 32-bit words. ``derive_key`` makes keys on the host from a seed and a path such as
``(seed, "dropout", step)``; ``split`` makes keys from a key on the device, inside a compiled step.
Numbers come from counter-based Threefry-2x32 (Salmon et al. 2011, doi:10.1145/2063384.2063405).
"""

from __future__ import annotations

import math
import zlib
from statistics import NormalDist

from .numerics import cut, native
from .ops import Array, ArrayOps

__all__ = ["bernoulli", "derive_key", "normal", "random_bits", "split", "threefry2x32", "uniform"]

_MASK = 0xFFFFFFFF
_ROTATIONS = (13, 15, 26, 6, 17, 29, 16, 24)


def threefry2x32(key: tuple[int, int], counter: tuple[int, int]) -> tuple[int, int]:
    """Encrypt one counter with Threefry-2x32-20. The definition that ``random_bits`` is held to."""
    schedule = (key[0], key[1], key[0] ^ key[1] ^ 0x1BD11BDA)
    x0, x1 = (counter[0] + schedule[0]) & _MASK, (counter[1] + schedule[1]) & _MASK
    for i in range(20):
        r = _ROTATIONS[i % 8]
        x0 = (x0 + x1) & _MASK
        x1 = ((x1 << r | x1 >> (32 - r)) & _MASK) ^ x0
        if i % 4 == 3:
            s = i // 4 + 1
            x0 = (x0 + schedule[s % 3]) & _MASK
            x1 = (x1 + schedule[(s + 1) % 3] + s) & _MASK
    return x0, x1


def derive_key(seed: int, *path: int | str) -> tuple[int, int]:
    """The key at the end of ``path`` below ``seed``; different paths give independent keys."""
    key = (seed & _MASK, (seed >> 32) & _MASK)
    for part in path:
        number = zlib.crc32(part.encode()) if isinstance(part, str) else part
        key = threefry2x32(key, (number & _MASK, 1 + isinstance(part, str)))
    return key


@native
def random_bits(ops: ArrayOps, key: Array, n: int) -> Array:
    """``n`` uint32 words of Threefry-2x32 with 20 rounds, equal bit for bit on every backend.

    ``key`` has shape (2,), uint32. With ``h = ⌈n / 2⌉`` words ``i`` and ``h + i`` are the cipher
    of the counter ``(i, h + i)``: those of ``mx.random.split(key, h)``, and of ``jax.random.split``
    without ``jax_threefry_partitionable``, one after the other. They depend on ``n``.
    """
    half = (n + 1) // 2
    mask = ops.asarray(_MASK, "uint32")  # an array: JAX refuses a scalar beyond int32
    first, second = key[:1], key[1:]
    schedule = (first, second, first ^ second ^ 0x1BD11BDA)
    counters = ops.astype(ops.arange(2 * half), "uint32")
    x0, x1 = (counters[:half] + first) & mask, (counters[half:] + second) & mask
    for i in range(20):
        r = _ROTATIONS[i % 8]
        x0 = (x0 + x1) & mask
        x1 = ((x1 << r) & mask | x1 >> (32 - r)) ^ x0
        if i % 4 == 3:
            s = i // 4 + 1
            x0 = (x0 + schedule[s % 3]) & mask
            x1 = (x1 + schedule[(s + 1) % 3] + s) & mask
    return ops.concat([x0, x1])[:n]


def split(ops: ArrayOps, key: Array, n: int) -> list[Array]:
    """``n`` independent keys from ``key``, which must not be used again."""
    return cut(ops, random_bits(ops, key, 2 * n), range(2, 2 * n + 1, 2))


def uniform(ops: ArrayOps, key: Array, shape: tuple[int, ...]) -> Array:
    """Uniform numbers in [0, 1), multiples of 2⁻²⁴: exact in float32, so equal everywhere."""
    n = math.prod(shape)
    bits = random_bits(ops, key, n)
    return ops.reshape(ops.astype(bits >> 8, ops.dtype) * 2.0**-24, shape)


def normal(ops: ArrayOps, key: Array, shape: tuple[int, ...]) -> Array:
    """Standard normal numbers, by the inverse of the distribution function (Wichura 1988, AS 241).

    The host computes them in float64, so they are the same on every backend. For initial weights:
    it is not made for use in a training step.
    """
    n = math.prod(shape)
    inverse = NormalDist().inv_cdf
    words = ops.to_numpy(random_bits(ops, key, n)).tolist()
    return ops.reshape(ops.asarray([inverse((w + 0.5) * 2.0**-32) for w in words]), shape)


@native
def bernoulli(ops: ArrayOps, key: Array, p: float, shape: tuple[int, ...]) -> Array:
    """True with probability ``p``, to the nearest multiple of 2⁻¹⁶: two draws from each word, of
    which the largest count."""
    n = math.prod(shape)
    words = random_bits(ops, key, (n + 1) // 2)
    limit = 65536 - round(p * 65536)
    draws = ops.concat([(words & 0xFFFF) >= limit, (words >> 16) >= limit])
    return ops.reshape(draws[:n], shape)
