"""``synonym_replacement``: words replaced by synonyms of WordNet or of a thesaurus of one's own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from os import PathLike
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from ...errors import MissingExtraError
from ..encoders.encoding import require
from ..reading.raw import Record, listed
from ..reading.readers import read_records
from ..reading.source import Source, shorten

if TYPE_CHECKING:
    import wn

__all__ = ["SynonymReplacement", "Thesaurus", "read_thesaurus", "wordnet"]

TRIES = 3
"""Versions proposed of a text, of which the first that will do is taken."""

Thesaurus: TypeAlias = Callable[[str], Sequence[str]]
"""The synonyms of a word as a text has it, none where it is not known."""

_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")


class SynonymReplacement:
    """Replaces words by synonyms (Wei & Zou 2019, arXiv:1901.11196), in the case of the word.

    Args:
        thesaurus: the synonyms of a word.
        rate: share of the words of a text that are replaced, in (0, 1]; one at least, and only
            words that have synonyms.
    """

    def __init__(self, thesaurus: Thesaurus, rate: float = 0.1) -> None:
        self.thesaurus = thesaurus
        self.rate = rate

    def propose(self, texts: Sequence[str], rngs: Sequence[np.random.Generator]) -> list[list[str]]:
        """Versions of each text, decided by its generator; none where no word has a synonym."""
        return [self._versions(text, rng) for text, rng in zip(texts, rngs, strict=True)]

    def _versions(self, text: str, rng: np.random.Generator) -> list[str]:
        words = list(_WORD.finditer(text))
        known = [(match, own) for match in words if (own := self.thesaurus(match[0]))]
        if not known:
            return []
        count = min(len(known), max(1, round(self.rate * len(words))))
        versions = []
        for _ in range(TRIES):
            chosen = sorted(rng.permutation(len(known))[:count].tolist())
            parts, end = [], 0
            for match, own in (known[i] for i in chosen):
                synonym = own[rng.integers(len(own))]
                parts += [text[end : match.start()], _in_case_of(match[0], synonym)]
                end = match.end()
            versions.append("".join([*parts, text[end:]]))
        return versions


def _in_case_of(word: str, synonym: str) -> str:
    if word.isupper() and len(word) > 1:
        return synonym.upper()
    return synonym[0].upper() + synonym[1:] if word[0].isupper() else synonym


def read_thesaurus(
    thesaurus: str | PathLike[str] | Mapping[str, Sequence[str]],
) -> Thesaurus:
    """The thesaurus in a file or a mapping of words to their synonyms, or ``"wordnet"``.

    A file is a table or a list of objects, in any format that ``read_records`` takes, with the
    fields ``word`` and ``synonym``: one pair a row. Words are matched whatever their case. A pair
    holds one way only.

    Raises:
        DataError: the file or the mapping breaks a rule; names the row.
        MissingExtraError: see ``wordnet``.
    """
    if isinstance(thesaurus, Mapping):
        source, pairs = Source("thesaurus", "pair"), _pairs(thesaurus)
        table = _table(source, enumerate(pairs))
    elif thesaurus == "wordnet":
        return wordnet()
    else:
        source, records = read_records(thesaurus)
        with records:
            table = _table(source, records)
    return lambda word: table.get(word.lower(), ())


def _pairs(thesaurus: Mapping[str, Sequence[str]]) -> list[dict[str, object]]:
    for word, synonyms in thesaurus.items():
        if isinstance(synonyms, str) or not isinstance(synonyms, Sequence) or not synonyms:
            raise Source("thesaurus").error(
                f"must have a list of synonyms, received {shorten(synonyms)}", field=str(word)
            )
    return [{"word": word, "synonym": s} for word, own in thesaurus.items() for s in own]


def _table(source: Source, records: Iterable[Record]) -> dict[str, list[str]]:
    table: dict[str, dict[str, None]] = {}
    for row, record in records:
        word, synonym = (_field(source, row, record, name) for name in ("word", "synonym"))
        if not _WORD.fullmatch(word):
            raise source.error(
                f"must be one word of letters, received {shorten(word)}", row, "word"
            )
        if synonym.casefold() == word.casefold():
            message = f"must differ from the word, received {shorten(synonym)} as both"
            raise source.error(message, row, "synonym")
        table.setdefault(word.lower(), {})[synonym] = None
    if not table:
        raise source.error("holds no pairs of a word and a synonym")
    return {word: list(synonyms) for word, synonyms in table.items()}


def _field(source: Source, row: int, record: Mapping[str, object], name: str) -> str:
    if name not in record:
        raise source.error(f"is missing; found the fields {listed(record)}", row, name)
    value = record[name]
    if not isinstance(value, str):
        raise source.error(f"must be a string, received {shorten(value)}", row, name)
    text = " ".join(value.split())
    if not text:
        raise source.error(f"must not be blank, received {shorten(value)}", row, name)
    return text


def wordnet() -> Thesaurus:
    """The synonyms of English words by WordNet, as the library ``wn`` has it installed.

    A word has the synonyms of its most frequent sense (a baseline that is hard to beat: McCarthy et
    al. 2004), by the counts of the lexicon or else by the order of its senses. Function words have
    none, nor have inflected forms, whose synonyms would come uninflected, nor names: "china" has
    those of porcelain, and "China", which may begin a sentence, none.

    Raises:
        MissingExtraError: ``wn`` or scikit-learn is not installed, or no English lexicon.
    """
    user, extra = "synonym_replacement by WordNet", "wordnet"
    wn, morphy = require("wn", user, extra), require("wn.morphy", user, extra)
    stop_words = require("sklearn.feature_extraction.text", user, extra).ENGLISH_STOP_WORDS
    lexicons = sorted(lexicon.specifier() for lexicon in wn.lexicons(lang="en"))
    if not lexicons:
        raise MissingExtraError(
            f"{user} needs its data, and wn has no English lexicon: python -m wn download "
            "oewn:2024; or name a thesaurus of your own"
        )
    lexicon = wn.Wordnet(lexicons[-1], lemmatizer=morphy.Morphy(), expand="")

    @lru_cache(maxsize=1 << 16)
    def synonyms(word: str) -> tuple[str, ...]:
        plain = word.lower()
        if plain in stop_words or len(word) < 2:
            return ()
        # The library matches words of any case, of which a name is another word.
        found = [(sense, sense.word().lemma()) for sense in lexicon.senses(plain)]
        own = [sense for sense, form in found if form == plain or form.lower() != plain]
        if word != plain and len(own) < len(found):
            return ()
        return _of_first_sense(own, plain)

    return synonyms


def _of_first_sense(senses: list[wn.Sense], word: str) -> tuple[str, ...]:
    """The other lemmas of the most frequent sense, none if the word is a form of its lemma."""
    if not senses:
        return ()
    rank: dict[str, int] = {}
    ranked = []
    for sense in senses:
        lemma = sense.word()
        place = rank[lemma.id] = rank.get(lemma.id, -1) + 1
        ranked.append((-sum(map(int, sense.counts())), place, lemma.id, sense))
    best = min(ranked, key=lambda entry: entry[:3])[3]
    if best.word().lemma() != word:
        return ()
    lemmas = (str(lemma).replace("_", " ") for lemma in best.synset().lemmas())
    return tuple(lemma for lemma in lemmas if lemma.lower() != word)
