"""A stable argsort of numbers of 32 bits, by sorting words that hold a number and its place.

NumPy sorts words several times faster than it sorts indices by what they point to.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["stable_argsort"]

_SIGN = np.uint32(0x80000000)


def stable_argsort(x: Any, axis: int) -> Any:
    """int32 indices that sort ascending; equal numbers keep their order, and NaN comes last."""
    if x.dtype not in (np.float32, np.int32) or axis not in (-1, x.ndim - 1) or x.size == 0:
        return np.argsort(x, axis=axis, kind="stable").astype(np.int32)
    words = _ordered_bits(x).astype(np.uint64)
    words <<= np.uint64(32)
    words |= np.arange(x.shape[-1], dtype=np.uint64)
    words.sort(axis=-1)
    return words.astype(np.uint32).view(np.int32)


def _ordered_bits(x: Any) -> Any:
    """uint32 words in the order of the numbers."""
    if x.dtype == np.int32:
        return np.ascontiguousarray(x).view(np.uint32) ^ _SIGN
    bits = (x + np.float32(0)).view(np.uint32)  # −0 becomes 0
    # A negative float's bits fall as it rises: all are flipped, of the others only the sign.
    bits ^= np.where(bits >= _SIGN, np.uint32(0xFFFFFFFF), _SIGN)
    bits[np.isnan(x)] = 0xFFFFFFFF
    return bits
