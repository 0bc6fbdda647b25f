"""HashingEncoder: words and character n-grams hashed into columns; nothing is learnt."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from os import PathLike
from typing import Any, Self

import numpy as np
from scipy.sparse import csr_array, hstack

from ...config import check_whole
from ...errors import DataError
from ..reading.raw import FloatArray
from .encoding import (
    checked_texts,
    digest,
    read_description,
    require,
    unit_batches,
    write_description,
)
from .ngrams import NGrams

__all__ = ["HashingEncoder"]

_WORDS: dict[str, Any] = {
    "analyzer": "word",
    "ngram_range": (1, 2),
    "token_pattern": r"(?u)\b\w+\b",
}
_CHARACTERS: dict[str, Any] = {"analyzer": "char_wb", "ngram_range": (3, 5)}
_UNSPACED = {"unspaced": 1}
"""The least length in words of scripts without spaces. A file that does not name it is of an
earlier release, to which all scripts were alike."""
_BUCKETS = 2**17  # of each block
_COLUMNS = 8  # that a bucket adds to


class HashingEncoder:
    """Words, word pairs and character 3- to 5-grams, in Chinese, Japanese, Korean, Thai and the
    like 1- to 5-grams, hashed; needs no fit and no vocabulary.

        encode(t) = normalise(R [w(t), c(t)])

    with w and c the L2-normalised counts 1 + ln(n) of words and of characters in 2^17 signed
    buckets each (Weinberger et al. 2009), and R a fixed sparse random projection with 8 entries of
    ±1 for each bucket (Achlioptas 2003). On Banking77 with 384 columns that is .7 points of MAP@R
    better than hashing into the columns themselves. Needs scikit-learn.

    Args:
        dim: width of the rows, at least 1.

    Raises:
        ValueError: ``dim`` is not a whole number of at least 1.
    """

    name: str = "hashing"

    def __init__(self, dim: int = 384) -> None:
        self.dim: int = check_whole("dim", dim, 1)
        self.progress = True
        self._unspaced = _UNSPACED

    @property
    def fingerprint(self) -> str:
        """A sha256 of what the rows depend on."""
        projection = _projection(self.dim)
        return digest(self.name, str(self._blocks()), projection.indices.data, projection.data.data)

    def fit(self, texts: Sequence[str]) -> Self:
        """Learn nothing; returns self."""
        return self

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """(N, dim) float32 rows of length 1, each independent of the other texts.

        Raises:
            DataError: an element is not a string or is blank.
            MissingExtraError: scikit-learn is not installed.
        """
        text = require("sklearn.feature_extraction.text", "HashingEncoder", "text")
        blocks = [
            text.HashingVectorizer(
                analyzer=NGrams(settings).of, n_features=_BUCKETS, norm=None, dtype=np.float32
            )
            for settings in self._blocks()
        ]
        texts = checked_texts("HashingEncoder.encode", texts)

        def rows_of(part: list[str]) -> FloatArray:
            counts = hstack([_weighted(block.transform(part)) for block in blocks])
            rows: FloatArray = (csr_array(counts) @ _projection(self.dim)).toarray()
            return rows

        return unit_batches("hashing texts", texts, self.dim, self.progress, rows_of)

    def save(self, directory: str | PathLike[str]) -> None:
        """Write ``encoder.json``."""
        write_description(directory, {"name": self.name, "dim": self.dim, **self._unspaced})

    @classmethod
    def load(cls, directory: str | PathLike[str]) -> Self:
        """Read what ``save`` wrote.

        Raises:
            DataError: the file is missing or damaged.
        """
        try:
            description = read_description(directory)
            encoder = cls(description["dim"])
            encoder._unspaced = {
                name: check_whole(name, description[name], 1)
                for name in _UNSPACED
                if name in description
            }
            return encoder
        except (KeyError, ValueError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(f"{directory}: is not a saved HashingEncoder: {error}") from None

    def _blocks(self) -> tuple[dict[str, Any], ...]:
        return _WORDS, {**_CHARACTERS, **self._unspaced}


def _weighted(counts: Any) -> csr_array[np.float32]:
    """Signed counts n as ±(1 + ln|n|), rows at unit length."""
    block = csr_array(counts)
    block.eliminate_zeros()  # of two n-grams of opposite signs in one bucket
    block.data = np.sign(block.data) * (1 + np.log(np.abs(block.data)))
    norms = np.sqrt(np.asarray((block * block).sum(axis=1))).reshape(-1, 1)
    scaled: csr_array[np.float32] = csr_array(block.multiply(1 / np.where(norms == 0, 1, norms)))
    return scaled.astype(np.float32)


@cache
def _projection(dim: int) -> csr_array[np.float32]:
    """(buckets, dim), 8 entries of ±1 a row. NumPy promises the raw bits of a generator for good,
    its distributions not, so the bits are taken."""
    count = 2 * _BUCKETS
    bits = np.random.PCG64(0).random_raw(count * _COLUMNS)
    columns = ((bits >> np.uint64(1)) % np.uint64(dim)).astype(np.int32)
    signs = 1 - 2 * (bits & np.uint64(1)).astype(np.float32)
    starts = np.arange(0, len(bits) + 1, _COLUMNS, dtype=np.int32)
    return csr_array((signs, columns, starts), shape=(count, dim))
