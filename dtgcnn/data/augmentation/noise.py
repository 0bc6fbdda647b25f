"""``noise_injection``: the slips of people who type, at the level of characters and of words."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np

__all__ = ["NoiseInjection"]

TRIES = 3
"""Noisy versions proposed of a text, of which the first that will do is taken."""

RUN = 256
"""Words among which a slip is sought: among all of a long text time would grow by their square."""

_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_LETTERS = re.compile(r"[^\W\d_]{4,}")
_NEGATIONS = frozenset(["no", "not", "nor", "never", "none", "without", "cannot"])

Edit = Callable[[list[str], np.random.Generator], bool]


class NoiseInjection:
    """Writes a text as if it had been typed in a hurry.

    Each slip is, with equal chance: a letter replaced by its neighbour on the keyboard, a letter
    left out, or two neighbouring letters swapped (Belinkov & Bisk 2018, arXiv:1711.02173); a word
    left out, or two neighbouring words swapped (Wei & Zou 2019, arXiv:1901.11196, whose swaps are
    of any two words). Slips of letters happen in words of four letters or more and spare the first
    and the last; words with digits and negations are never touched, and no word is left out of a
    text of three. White space becomes single blanks.

    Args:
        rate: slips per word, in (0, 1]; a text has one at least.
    """

    def __init__(self, rate: float = 0.1) -> None:
        self.rate = rate

    def propose(self, texts: Sequence[str], rngs: Sequence[np.random.Generator]) -> list[list[str]]:
        """Noisy versions of each text, decided by its generator."""
        return [
            [self._noisy(text, rng) for _ in range(TRIES)]
            for text, rng in zip(texts, rngs, strict=True)
        ]

    def _noisy(self, text: str, rng: np.random.Generator) -> str:
        words = text.split()
        runs = [words[start : start + RUN] for start in range(0, len(words), RUN)] or [[]]
        slips = max(1, round(self.rate * len(words)))
        shares = [len(run) / max(len(words), 1) for run in runs]
        for run, count in zip(runs, rng.multinomial(slips, shares).tolist(), strict=True):
            for _ in range(count):
                for edit in rng.permutation(len(_EDITS)):
                    if _EDITS[edit](run, rng):
                        break
        return " ".join(word for run in runs for word in run)


def _is_kept(word: str) -> bool:
    """Whether the meaning hangs on the word: numbers, and negations of English."""
    folded = word.casefold().strip(".,;:!?\"'()")
    negates = folded in _NEGATIONS or folded.endswith(("n't", "n’t"))
    return negates or any(character.isdigit() for character in word)


def _letters(words: list[str], rng: np.random.Generator) -> tuple[int, int, int] | None:
    """A word that may have a slip: its place, and where its letters begin and end."""
    found = [
        (i, match.start(), match.end())
        for i, word in enumerate(words)
        if not _is_kept(word) and (match := _LETTERS.search(word))
    ]
    return found[rng.integers(len(found))] if found else None


def _mistype(words: list[str], rng: np.random.Generator) -> bool:
    chosen = _letters(words, rng)
    if chosen is None:
        return False
    i, start, end = chosen
    word = words[i]
    places = [at for at in range(start + 1, end - 1) if word[at].lower() in _NEIGHBOURS]
    if not places:
        return False
    at = places[rng.integers(len(places))]
    near = _NEIGHBOURS[word[at].lower()]
    letter = near[rng.integers(len(near))]
    words[i] = word[:at] + (letter.upper() if word[at].isupper() else letter) + word[at + 1 :]
    return True


def _omit_letter(words: list[str], rng: np.random.Generator) -> bool:
    chosen = _letters(words, rng)
    if chosen is None:
        return False
    i, start, end = chosen
    at = int(rng.integers(start + 1, end - 1))
    words[i] = words[i][:at] + words[i][at + 1 :]
    return True


def _swap_letters(words: list[str], rng: np.random.Generator) -> bool:
    chosen = _letters(words, rng)
    if chosen is None:
        return False
    i, start, end = chosen
    word = words[i]
    places = [at for at in range(start + 1, end - 2) if word[at] != word[at + 1]]
    if not places:
        return False
    at = places[rng.integers(len(places))]
    words[i] = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return True


def _omit_word(words: list[str], rng: np.random.Generator) -> bool:
    places = [i for i, word in enumerate(words) if not _is_kept(word)]
    if len(words) < 4 or not places:
        return False
    del words[places[rng.integers(len(places))]]
    return True


def _swap_words(words: list[str], rng: np.random.Generator) -> bool:
    free = [not _is_kept(word) and len(word) > 1 for word in words]
    places = [
        i
        for i in range(len(words) - 1)
        if free[i] and free[i + 1] and words[i].casefold() != words[i + 1].casefold()
    ]
    if not places:
        return False
    i = places[rng.integers(len(places))]
    words[i], words[i + 1] = words[i + 1], words[i]
    return True


def _keyboard() -> dict[str, str]:
    """The letters that touch each letter of a QWERTY keyboard."""
    place = {letter: (r, c) for r, row in enumerate(_ROWS) for c, letter in enumerate(row)}
    steps = {(0, -1), (0, 1), (1, -1), (1, 0), (-1, 0), (-1, 1)}
    return {
        letter: "".join(o for o, (r, c) in place.items() if (r - row, c - column) in steps)
        for letter, (row, column) in place.items()
    }


_NEIGHBOURS = _keyboard()
_EDITS: tuple[Edit, ...] = (_mistype, _omit_letter, _swap_letters, _omit_word, _swap_words)
