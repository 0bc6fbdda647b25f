"""``NGrams``: texts as weighted counts of the n-grams that an encoder knows."""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, get_index_dtype

__all__ = ["NGrams"]

_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff"
    "\uff66-\uff9f\U0001b000-\U0001b16f\U00020000-\U0003ffff]"
)
"""Letters of scripts without spaces between words, Thai, Lao, Burmese, Khmer, kana and Han, and
Hangul's syllables: one or two of them are a word."""

_SHORT = 32
"""The longest word whose n-grams are kept: a text without spaces is a word of its own."""


class NGrams:
    """Words and runs of words, or of characters within words, in lower case, and their weights.

        w(t) = normalise((1 + ln n_j) idf_j),   n_j: how often n-gram j occurs in t

    These are the n-grams, but for those of "unspaced", and, to the last bit, the weights of
    scikit-learn's ``TfidfVectorizer``, which takes longer to load than a search does.

    Args:
        settings: "analyzer", "word" or "char_wb", "ngram_range", the least and the greatest length,
            and of words "token_pattern", as ``TfidfVectorizer`` takes them; and "unspaced", the
            least length in words of scripts without spaces, where that is another.
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = settings
        shortest, longest = settings["ngram_range"]
        self.lengths = range(shortest, longest + 1)
        self.unspaced = range(settings.get("unspaced", shortest), longest + 1)
        patterns: dict[str, Any] = {"word": settings.get("token_pattern"), "char_wb": r"\S+"}
        self.words: re.Pattern[str] = re.compile(patterns[settings["analyzer"]])
        self.vocabulary: dict[str, int] = {}
        self.idf: NDArray[np.floating[Any]] = np.zeros(0, np.float32)

    def know(self, terms: Sequence[str], idf: NDArray[np.floating[Any]]) -> None:
        """Take ``terms`` and their weights for what is counted.

        Raises:
            ValueError: a term comes twice, or there is another number of weights.
        """
        self.vocabulary = {term: number for number, term in enumerate(terms)}
        if not len(self.vocabulary) == len(terms) == len(idf):
            raise ValueError(f"idf must hold one weight for each of {len(terms)} different n-grams")
        self.idf = idf

    def of(self, text: str) -> list[str]:
        """The n-grams of a text, as often as they occur."""
        words = self.words.findall(text.lower())
        if self.settings["analyzer"] == "word":
            counts = self.lengths
            return [" ".join(words[i : i + n]) for n in counts for i in range(len(words) - n + 1)]
        return [part for word in words for part in self._parts_of(word)]

    def weigh(self, texts: Sequence[str]) -> csr_array[np.float32]:
        """(N, n-grams) weights, rows at unit length or zero."""
        columns, counts, ends = array("i"), array("i"), array("q", [0])
        for text in texts:
            known = Counter(map(self.vocabulary.get, self.of(text)))
            known.pop(None, None)
            columns.extend(known)  # type: ignore[arg-type]
            counts.extend(known.values())
            ends.append(len(columns))
        weights = 1 + np.log(np.array(counts, np.float32))
        weights *= self.idf[np.array(columns)]
        starts = np.array(ends, np.int64)
        starts = starts.astype(get_index_dtype((starts,), check_contents=True))
        rows = csr_array((weights, columns, starts), shape=(len(texts), len(self.vocabulary)))
        rows.sort_indices()
        squares = csr_array((rows.data**2, rows.indices, rows.indptr), rows.shape)
        norms = np.sqrt(squares @ np.ones(rows.shape[1]))
        rows.data /= np.repeat(norms, np.diff(rows.indptr))
        return rows

    def _parts_of(self, word: str) -> list[str]:
        parts = _parts if len(word) <= _SHORT else _parts.__wrapped__
        return parts(word, self.lengths, self.unspaced)


@lru_cache(2**14)
def _parts(word: str, lengths: range, unspaced: range) -> list[str]:
    """Runs of characters of a word with its borders, whole where it is shorter than a length;
    a border alone is none."""
    bordered = f" {word} "
    parts: list[str] = []
    for length in unspaced if unspaced != lengths and _UNSPACED.search(word) else lengths:
        if length == 1:
            parts += word
            continue
        parts += [bordered[i : i + length] for i in range(max(1, len(bordered) - length + 1))]
        if len(bordered) <= length:
            break
    return parts
