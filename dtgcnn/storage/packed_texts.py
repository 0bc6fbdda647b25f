"""Texts as arrays, so that one of many can be read without the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

__all__ = ["PackedTexts", "packed"]


def packed(texts: Sequence[str]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The UTF-8 of N texts, one after the other, and where each ends (N,)."""
    written = [text.encode() for text in texts]
    ends = np.cumsum([len(text) for text in written], dtype=np.int64)
    return np.frombuffer(b"".join(written), np.uint8), ends


class PackedTexts(Sequence[str]):
    """The texts of such arrays, decoded when they are asked for."""

    def __init__(self, content: NDArray[np.uint8], ends: NDArray[np.int64]) -> None:
        self.content, self.ends = content, ends

    @override
    def __len__(self) -> int:
        return len(self.ends)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    @override
    def __getitem__(self, place: int | slice) -> str | list[str]:
        if isinstance(place, slice):
            return [self[i] for i in range(*place.indices(len(self)))]
        begin = self.ends[place - 1] if place > 0 else 0
        return self.content[begin : self.ends[place]].tobytes().decode()
