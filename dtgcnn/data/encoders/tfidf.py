"""TfidfEncoder: words and character n-grams, reduced by a truncated SVD (latent semantics)."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save
from scipy.sparse import csr_array, hstack

from ...array import one_thread
from ...config import check_whole
from ...errors import DataError
from ...storage import replace_file
from ..reading.raw import FloatArray
from .encoding import checked_texts, digest, progress_bar, require, unit_batches, write_description
from .ngrams import NGrams

__all__ = ["TfidfEncoder"]

_log = logging.getLogger("dtgcnn")

_WORDS: dict[str, Any] = {
    "analyzer": "word",
    "ngram_range": (1, 2),
    "token_pattern": r"(?u)\b\w+\b",
}
_CHARACTERS: dict[str, Any] = {"analyzer": "char_wb", "ngram_range": (3, 5), "unspaced": 1}
_MOST = 30_000  # n-grams of each kind
_RARE = 1000  # above this many texts, an n-gram of characters has to occur in two of them


class TfidfEncoder:
    """TF-IDF of words, word pairs and character 3- to 5-grams, in Chinese, Japanese, Korean, Thai
    and the like 1- to 5-grams, projected to ``dim`` dimensions.

        encode(t) = normalise(V [w(t), c(t)])

    with w and c the L2-normalised sublinear TF-IDF vectors and V the ``dim`` leading right
    singular vectors of the training corpus (Deerwester et al. 1990). Where the corpus has fewer
    directions than that, the columns after the first ``rank`` are zero. Fitting needs scikit-learn.

    Args:
        dim: width of the rows, at least 1.

    Raises:
        ValueError: ``dim`` is not a whole number of at least 1.
    """

    name: str = "tfidf"

    def __init__(self, dim: int = 384) -> None:
        self.dim: int = check_whole("dim", dim, 1)
        self.progress = True
        self._blocks: list[NGrams] = []
        self._components: FloatArray = np.zeros((0, 0), np.float32)  # (n-grams, rank)

    @property
    def rank(self) -> int:
        """How many of the ``dim`` columns are not zero throughout; 0 before ``fit``."""
        return int(self._components.shape[1])

    @property
    def fingerprint(self) -> str:
        """A sha256 of what the rows depend on.

        Raises:
            RuntimeError: the encoder is not fitted.
        """
        self._require_fitted("fingerprint")
        arrays = [np.ascontiguousarray(array) for array in self._arrays().values()]
        return digest(json.dumps(self._description()), *(array.data for array in arrays))

    def fit(self, texts: Sequence[str]) -> Self:
        """Learn vocabulary, weights and directions; returns self.

        Raises:
            DataError: there is no text, one is blank, or none has an n-gram.
            MissingExtraError: scikit-learn is not installed.
        """
        texts = checked_texts("TfidfEncoder.fit", texts)
        if not texts:
            raise DataError("TfidfEncoder.fit: 'texts': must hold at least one text, received none")
        blocks: list[NGrams] = []
        learnt = []
        with progress_bar("fitting TF-IDF", 3, self.progress) as advance:
            for settings, rarest in ((_WORDS, 1), (_CHARACTERS, 2 if len(texts) > _RARE else 1)):
                block = NGrams(settings)
                weights = _learn(block, texts, rarest)
                if weights is not None:
                    blocks.append(block)
                    learnt.append(weights)
                advance(1)
            if not learnt:
                raise DataError("TfidfEncoder.fit: no text has a word or n-gram to learn from")
            components = _directions(_beside(learnt), self.dim)
        self._blocks, self._components = blocks, components
        if self.rank < self.dim:
            _log.warning(
                "TfidfEncoder: %s texts allow %d dimensions; the other %d of %d are zero",
                *(f"{len(texts):,}", self.rank, self.dim - self.rank, self.dim),
            )
        return self

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """(N, dim) float32 rows of length 1, each independent of the other texts.

        A text without a known n-gram gives a row of zeros; their number is logged as a warning.

        Raises:
            DataError: an element is not a string or is blank.
            RuntimeError: the encoder is not fitted.
        """
        self._require_fitted("encode")
        texts = checked_texts("TfidfEncoder.encode", texts)

        def rows_of(part: list[str]) -> FloatArray:
            # CSR times dense sums row by row, so a row is the same in any company.
            rows: FloatArray = self._weigh(part) @ self._components
            return rows

        encoded = unit_batches("encoding texts", texts, self.dim, self.progress, rows_of)
        unknown = int((~encoded.any(axis=1)).sum())
        if unknown:
            _log.warning(
                "TfidfEncoder: %s of %s texts have no known n-gram, so their rows are zero",
                *(f"{unknown:,}", f"{len(texts):,}"),
            )
        return encoded

    def save(self, directory: str | PathLike[str]) -> None:
        """Write ``encoder.json`` (settings, vocabularies) and ``encoder.safetensors`` (weights).

        Raises:
            RuntimeError: the encoder is not fitted.
        """
        self._require_fitted("save")
        write_description(directory, self._description())
        replace_file(Path(directory) / "encoder.safetensors", save(self._arrays()))

    @classmethod
    def load(cls, directory: str | PathLike[str]) -> Self:
        """Read what ``save`` wrote; the loaded encoder gives bit-equal rows.

        Raises:
            DataError: a file is missing or damaged, or the two do not fit together.
        """
        folder = Path(directory)
        try:
            description = json.loads((folder / "encoder.json").read_text(encoding="utf-8"))
            arrays = load_file(folder / "encoder.safetensors")
            encoder = cls(description["dim"])
            for i, block in enumerate(description["blocks"]):
                terms = block.pop("vocabulary")
                encoder._blocks.append(NGrams(block))
                encoder._blocks[-1].know(terms, arrays[f"idf.{i}"])
            encoder._components = arrays["components"]
            _check_fit(encoder._blocks, encoder._components, encoder.dim)
        except Exception as error:  # a damaged file may fail in any of the parsers
            raise DataError(f"{folder}: is not a saved TfidfEncoder: {error}") from None
        return encoder

    def _description(self) -> dict[str, Any]:
        blocks = [
            {**block.settings, "vocabulary": list(block.vocabulary)} for block in self._blocks
        ]
        return {"name": self.name, "dim": self.dim, "blocks": blocks}

    def _arrays(self) -> dict[str, NDArray[Any]]:
        arrays = {f"idf.{i}": block.idf for i, block in enumerate(self._blocks)}
        return {**arrays, "components": self._components}

    def _weigh(self, texts: Sequence[str]) -> csr_array[np.float32]:
        """(N, n-grams) TF-IDF weights, the blocks side by side."""
        return _beside([block.weigh(texts) for block in self._blocks])

    def _require_fitted(self, method: str) -> None:
        if not self._blocks:
            raise RuntimeError(
                f"TfidfEncoder.{method} needs a fitted encoder: call fit(texts) first, "
                "or TfidfEncoder.load(directory)"
            )


def _beside(weights: list[csr_array[np.float32]]) -> csr_array[np.float32]:
    return csr_array(hstack(weights, format="csr"))


def _learn(block: NGrams, texts: list[str], rarest: int) -> csr_array[np.float32] | None:
    """Let a block know the n-grams of at least ``rarest`` texts; what it then weighs the texts, or
    None where there are none."""
    require("sklearn", "TfidfEncoder", "text")
    from sklearn.feature_extraction.text import TfidfVectorizer

    if not any(block.of(text) for text in texts):
        return None
    make: Any = TfidfVectorizer
    kept = {"max_features": _MOST, "min_df": rarest, "sublinear_tf": True, "dtype": np.float32}
    vectorizer = make(analyzer=block.of, **kept)
    try:
        weights = vectorizer.fit_transform(texts)
    except ValueError:  # nothing is left after pruning
        return None
    block.know(vectorizer.get_feature_names_out().tolist(), vectorizer.idf_)
    weights.sort_indices()
    return csr_array(weights)


def _directions(weights: csr_array[np.float32], dim: int) -> FloatArray:
    """(n-grams, rank) leading right singular vectors, rank at most ``dim``."""
    from sklearn.utils.extmath import randomized_svd

    # One power iteration: with the five of "auto" Banking77's fit takes twice as long, and held-out
    # training rows of it, R8, TREC and the sample are found no better.
    decompose: Any = randomized_svd
    with one_thread():  # its bits hang on their number
        _, values, vectors = decompose(weights, min(dim, *weights.shape), n_iter=1, random_state=0)
    real = values > values[0] * 1e-5  # float32 rounding gives directions below this
    return np.ascontiguousarray(vectors[real].T, dtype=np.float32)


def _check_fit(blocks: list[NGrams], components: FloatArray, dim: int) -> None:
    """Raise ``ValueError`` unless the directions fit the vocabularies."""
    terms = sum(len(block.vocabulary) for block in blocks)
    if components.ndim != 2 or components.shape[0] != terms or components.shape[1] > dim:
        shape = components.shape
        raise ValueError(f"components must have the shape ({terms}, up to {dim}), found {shape}")
