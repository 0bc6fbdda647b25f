"""TfidfEncoder: words and character n-grams, reduced by a truncated SVD (latent semantics)."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from scipy.sparse import csr_array, hstack
from typing_extensions import Self

from .errors import DataError, MissingExtraError, Source, shorten
from .raw import FloatArray

__all__ = ["TfidfEncoder"]

_log = logging.getLogger("dtgcnn")

_WORDS: dict[str, Any] = {
    "analyzer": "word",
    "ngram_range": (1, 2),
    "token_pattern": r"(?u)\b\w+\b",
    "max_features": 30_000,
}
_CHARACTERS: dict[str, Any] = {"analyzer": "char_wb", "ngram_range": (3, 5), "max_features": 30_000}
_KEPT = ("analyzer", "ngram_range", "token_pattern")  # what still matters for a known vocabulary
_RARE = 1000  # above this many texts, an n-gram of characters has to occur in two of them


class TfidfEncoder:
    """TF-IDF of words, word pairs and character 3- to 5-grams, projected to ``dim`` dimensions.

        encode(t) = normalise(V [w(t), c(t)])

    with w and c the L2-normalised sublinear TF-IDF vectors and V the ``dim`` leading right
    singular vectors of the training corpus (Deerwester et al. 1990). Where the corpus has fewer
    directions than that, the columns after the first ``rank`` are zero. Needs scikit-learn.

    Args:
        dim: width of the rows, at least 1.

    Raises:
        ValueError: ``dim`` is not a whole number of at least 1.
    """

    name: str = "tfidf"

    def __init__(self, dim: int = 384) -> None:
        if isinstance(dim, bool) or not isinstance(dim, int | np.integer) or dim < 1:
            raise ValueError(f"dim must be a whole number of at least 1, received {dim!r}")
        self.dim: int = int(dim)
        self._blocks: list[Any] = []  # fitted TfidfVectorizers
        self._settings: list[dict[str, Any]] = []  # and what they were made with
        self._components: FloatArray = np.zeros((0, 0), np.float32)  # (n-grams, rank)

    @property
    def rank(self) -> int:
        """How many of the ``dim`` columns are not zero throughout; 0 before ``fit``."""
        return int(self._components.shape[1])

    def fit(self, texts: Sequence[str]) -> Self:
        """Learn vocabulary, weights and directions; returns self.

        Raises:
            DataError: there is no text, one is blank, or none has an n-gram.
            MissingExtraError: scikit-learn is not installed.
        """
        texts = _checked("TfidfEncoder.fit", texts)
        characters = {**_CHARACTERS, "min_df": 2 if len(texts) > _RARE else 1}
        fitted = [(settings, _fit_block(settings, texts)) for settings in (_WORDS, characters)]
        fitted = [(settings, block) for settings, block in fitted if block is not None]
        if not fitted:
            raise DataError("TfidfEncoder.fit: no text has a word or n-gram to learn from")
        self._settings = [settings for settings, _ in fitted]
        self._blocks = [block for _, block in fitted]
        self._components = _directions(self._weigh(texts), self.dim)
        if self.rank < self.dim:
            _log.warning(
                "TfidfEncoder: %d texts allow %d dimensions; the other %d of %d are zero",
                *(len(texts), self.rank, self.dim - self.rank, self.dim),
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
        if not len(texts):
            return np.zeros((0, self.dim), np.float32)
        # CSR times dense sums row by row, so a row is the same in any company.
        rows = self._weigh(_checked("TfidfEncoder.encode", texts)) @ self._components
        norms = np.sqrt((rows * rows).sum(axis=1, keepdims=True))
        unknown = int((norms == 0).sum())
        if unknown:
            _log.warning(
                "TfidfEncoder: %d of %d texts have no known n-gram, so their rows are zero",
                *(unknown, len(texts)),
            )
        encoded = np.zeros((len(rows), self.dim), np.float32)
        encoded[:, : self.rank] = rows / np.where(norms == 0, 1, norms)
        return encoded

    def save(self, directory: str | PathLike[str]) -> None:
        """Write ``encoder.json`` (settings, vocabularies) and ``encoder.safetensors`` (weights).

        Raises:
            RuntimeError: the encoder is not fitted.
        """
        self._require_fitted("save")
        folder = Path(directory)
        folder.mkdir(parents=True, exist_ok=True)
        blocks = [
            {name: value for name, value in settings.items() if name in _KEPT}
            | {"vocabulary": block.get_feature_names_out().tolist()}
            for settings, block in zip(self._settings, self._blocks, strict=True)
        ]
        description = {"name": self.name, "dim": self.dim, "blocks": blocks}
        text = json.dumps(description, ensure_ascii=False)
        (folder / "encoder.json").write_text(text, encoding="utf-8")
        arrays = {f"idf.{i}": np.asarray(block.idf_) for i, block in enumerate(self._blocks)}
        save_file({**arrays, "components": self._components}, folder / "encoder.safetensors")

    @classmethod
    def load(cls, directory: str | PathLike[str]) -> Self:
        """Read what ``save`` wrote; the loaded encoder gives bit-equal rows.

        Raises:
            DataError: a file is missing or damaged, or the two do not fit together.
            MissingExtraError: scikit-learn is not installed.
        """
        _require_sklearn()
        folder = Path(directory)
        try:
            description = json.loads((folder / "encoder.json").read_text(encoding="utf-8"))
            arrays = load_file(folder / "encoder.safetensors")
            encoder = cls(description["dim"])
            for i, block in enumerate(description["blocks"]):
                vocabulary = block.pop("vocabulary")
                settings = {name: block[name] for name in _KEPT if name in block}
                settings["ngram_range"] = tuple(settings["ngram_range"])
                encoder._settings.append(settings)
                encoder._blocks.append(_known_block(settings, vocabulary, arrays[f"idf.{i}"]))
            encoder._components = arrays["components"]
            _check_fit(encoder._blocks, encoder._components, encoder.dim)
        except Exception as error:  # a damaged file may fail in any of the parsers
            raise DataError(f"{folder}: is not a saved TfidfEncoder: {error}") from None
        return encoder

    def _weigh(self, texts: Sequence[str]) -> csr_array[np.float32]:
        """(N, n-grams) TF-IDF weights, the blocks side by side."""
        return csr_array(hstack([block.transform(texts) for block in self._blocks], format="csr"))

    def _require_fitted(self, method: str) -> None:
        if not self._blocks:
            raise RuntimeError(
                f"TfidfEncoder.{method} needs a fitted encoder: call fit(texts) first, "
                "or TfidfEncoder.load(directory)"
            )


def _require_sklearn() -> None:
    try:
        import sklearn  # noqa: F401
    except ImportError:
        message = "TfidfEncoder needs scikit-learn: pip install 'dtgcnn[text]'"
        raise MissingExtraError(message) from None


def _checked(caller: str, texts: Sequence[str]) -> list[str]:
    """``texts`` as a list, every one a string that is not blank, and at least one."""
    source = Source(caller)
    if isinstance(texts, str):
        raise source.error(f"must be a list of texts, received {shorten(texts)}", field="texts")
    if not len(texts):
        raise source.error("must hold at least one text, received none", field="texts")
    for i, text in enumerate(texts):
        if not isinstance(text, str) or not text.strip():
            message = f"must be a string that is not blank, received {shorten(text)}"
            raise source.error(message, i, "texts")
    return list(texts)


def _vectorizer(settings: dict[str, Any], **options: Any) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    make: Any = TfidfVectorizer
    return make(**settings, **options, sublinear_tf=True, dtype=np.float32)


def _fit_block(settings: dict[str, Any], texts: list[str]) -> Any | None:
    """A vectoriser fitted to the texts, or None where they hold nothing that it counts."""
    _require_sklearn()
    vectorizer = _vectorizer(settings)
    analyze = vectorizer.build_analyzer()
    if not any(analyze(text) for text in texts):
        return None
    try:
        return vectorizer.fit(texts)
    except ValueError:  # nothing is left after pruning
        return None


def _known_block(settings: dict[str, Any], vocabulary: list[str], idf: NDArray[Any]) -> Any:
    """A vectoriser with the given vocabulary and weights."""
    vectorizer = _vectorizer(settings, vocabulary={term: i for i, term in enumerate(vocabulary)})
    vectorizer.idf_ = idf
    return vectorizer


def _directions(weights: csr_array[np.float32], dim: int) -> FloatArray:
    """(n-grams, rank) leading right singular vectors, rank at most ``dim``."""
    from sklearn.utils.extmath import randomized_svd

    # Three power iterations instead of five: on Banking77 a fifth less time, equal accuracy.
    decompose: Any = randomized_svd
    _, values, vectors = decompose(weights, min(dim, *weights.shape), n_iter=3, random_state=0)
    real = values > values[0] * 1e-5  # float32 rounding gives directions below this
    return np.ascontiguousarray(vectors[real].T, dtype=np.float32)


def _check_fit(blocks: list[Any], components: FloatArray, dim: int) -> None:
    """Raise ``ValueError`` unless the arrays fit the vocabularies and each other."""
    terms = sum(len(block.vocabulary) for block in blocks)
    sizes = [len(block.vocabulary) for block in blocks]
    if [len(block.idf_) for block in blocks] != sizes:
        raise ValueError(f"idf must have the lengths of the vocabularies, {sizes}")
    if components.ndim != 2 or components.shape[0] != terms or components.shape[1] > dim:
        shape = components.shape
        raise ValueError(f"components must have the shape ({terms}, up to {dim}), found {shape}")
