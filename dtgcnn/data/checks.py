"""What arguments that are numbers must be."""

from __future__ import annotations

from typing import Any, TypeGuard

import numpy as np

__all__ = ["check_part", "check_seed", "check_share", "check_whole"]


def check_part(name: str, value: object) -> None:
    """Raise ``ValueError`` unless ``value`` is a number in [0, 1)."""
    if not _is_number(value) or not 0 <= value < 1:  # type: ignore[operator]
        raise ValueError(f"{name} must be in [0, 1), received {value!r}")


def check_seed(value: object) -> None:
    """Raise ``ValueError`` unless ``value`` is a seed that scikit-learn takes."""
    if not _is_whole(value) or not 0 <= value < 2**32:
        raise ValueError(f"seed must be from 0 to {2**32 - 1}, received {value!r}")


def check_share(name: str, value: object) -> None:
    """Raise ``ValueError`` unless ``value`` is a number in (0, 1]."""
    if not _is_number(value) or not 0 < value <= 1:  # type: ignore[operator]
        raise ValueError(f"{name} must be in (0, 1], received {value!r}")


def check_whole(name: str, value: object, least: int) -> int:
    """``value``; raise ``ValueError`` unless it is a whole number of at least ``least``."""
    if not _is_whole(value) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, received {value!r}")
    return int(value)


def _is_whole(value: object) -> TypeGuard[int | np.integer[Any]]:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)
