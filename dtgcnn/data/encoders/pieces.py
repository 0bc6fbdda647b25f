"""PieceEncoder: the numbers of a text's pieces, for a model with an embedding layer."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import Self

import numpy as np

from ...errors import DataError
from ..reading.raw import FloatArray
from .encoding import digest, read_description, write_description
from .preprocessor import DataPreprocessor

__all__ = ["PieceEncoder"]


class PieceEncoder:
    """The numbers of each text's SentencePiece pieces, in rows filled up with 0.

    It makes no vectors: the model's embedding layer does, which is trained with the rest
    (``DTGCNNConfig.vocab_size`` and ``max_length``). Needs sentencepiece.

    Args:
        dim: pieces that are kept of a text, the width of the rows.
        vocab_size: pieces to learn.

    Raises:
        ValueError: an argument is out of its range.
    """

    name: str = "pieces"

    def __init__(self, dim: int = 64, vocab_size: int = 8000) -> None:
        self.preprocessor = DataPreprocessor(max_length=dim, vocab_size=vocab_size)
        """The tokeniser."""
        self.dim: int = self.preprocessor.max_length

    @property
    def fingerprint(self) -> str:
        """A sha256 of what the rows depend on."""
        return digest(self.name, str(self.dim), self.preprocessor.fingerprint)

    def fit(self, texts: Sequence[str]) -> Self:
        """Learn the pieces of texts; returns self. See ``DataPreprocessor.fit``."""
        self.preprocessor.fit(texts)
        return self

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """(N, dim) whole numbers, in float32; see ``DataPreprocessor.encode_padded``."""
        return self.preprocessor.encode_padded(texts).astype(np.float32)

    def save(self, directory: str | PathLike[str]) -> None:
        """Write ``encoder.json``, and the tokeniser beside it."""
        self.preprocessor.save(directory)
        write_description(directory, {"name": self.name, "dim": self.dim})

    @classmethod
    def load(cls, directory: str | PathLike[str]) -> Self:
        """Read what ``save`` wrote.

        Raises:
            DataError: a file is missing or damaged.
            MissingExtraError: sentencepiece is not installed.
        """
        found = read_description(directory)
        encoder = cls()
        encoder.preprocessor = DataPreprocessor.load(directory)
        encoder.dim = encoder.preprocessor.max_length
        if found.get("dim") != encoder.dim:
            raise DataError(f"{directory}: 'dim' must be {encoder.dim}, found {found.get('dim')!r}")
        return encoder
