"""How much a file may hold, so that a damaged or hostile one cannot fill memory or disk."""

from __future__ import annotations

import os

__all__ = ["limit_of", "record_limit", "text_limit", "unpacked_limit"]


def text_limit() -> int:
    """Characters of one text: 1 MiB, or ``DTGCNN_MAX_TEXT``."""
    return limit_of("DTGCNN_MAX_TEXT", 1 << 20)


def record_limit() -> int:
    """Characters of one line, or of one row of a table: those of sixteen texts."""
    return 16 * text_limit()


def unpacked_limit() -> int:
    """Bytes that a packed file may unpack to: 4 GiB, or ``DTGCNN_MAX_UNPACKED``."""
    return limit_of("DTGCNN_MAX_UNPACKED", 4 << 30)


def limit_of(variable: str, default: int) -> int:
    """The value of an environment variable, ``default`` where it is not set.

    Raises:
        ValueError: it is no whole number of at least 1.
    """
    value = os.environ.get(variable, "").strip()
    if not value:
        return default
    if not value.isdecimal() or int(value) < 1:
        raise ValueError(f"{variable} must be a whole number of at least 1, received {value!r}")
    return int(value)
