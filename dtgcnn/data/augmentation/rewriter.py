"""``paraphrase`` and ``back_translation``: texts reworded by a function or a model, and kept."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from os import PathLike
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, TypeAlias

import numpy as np
from typing_extensions import override

from ...errors import DataError
from ..encoders.encoding import digest, progress_bar
from ..reading.source import shorten
from .seq2seq import Seq2Seq

__all__ = ["Rewrite", "Rewriter", "RoundTrip", "as_rewrite"]

Rewrite: TypeAlias = Callable[[list[str]], Sequence[Any]]
"""Takes texts and returns one text, or a list of versions, for each; see ``Rewriter``."""

BATCH = 32

_REFERENCE = re.compile(r"[^\W\d][\w.]*:[\w.]+")  # as in the entry points of packages

_OUTPUTS = ("generated_text", "translation_text")  # of pipelines of transformers


class Rewriter:
    """Asks a function for other wordings of texts, 32 at a time, and remembers its answers.

    Args:
        strategy: its name, for messages.
        rewrite: takes a list of texts and returns, for each, a text, a list of versions in the
            order of preference, or what a ``transformers`` pipeline returns.
        cache: a file that keeps the answers, by the function's name and the text; made where it is
            missing. The name is ``rewrite.name``, or that under which its module holds it: it has
            to change when the function does.

    Raises:
        DataError: answers are to be kept of a function without a name, such as a lambda.
    """

    def __init__(
        self, strategy: str, rewrite: Rewrite, cache: str | PathLike[str] | None = None
    ) -> None:
        self.strategy, self.rewrite = strategy, rewrite
        self.cache = None if cache is None else Path(cache)
        self._name = "" if cache is None else _name(strategy, rewrite)

    def propose(self, texts: Sequence[str], rngs: Sequence[np.random.Generator]) -> list[list[str]]:
        """The versions of each text; the generators do not matter.

        Raises:
            DataError: the function returns another number of answers than it was given texts, or
                one that holds no strings; or the cache is no cache.
        """
        with self._opened() as answers:
            known = {text: answers.get(text) for text in dict.fromkeys(texts)}
            missing = [text for text, versions in known.items() if versions is None]
            with progress_bar(self.strategy, len(missing), bool(missing)) as advance:
                for start in range(0, len(missing), BATCH):
                    batch = missing[start : start + BATCH]
                    versions = self._asked(batch)
                    answers.keep(batch, versions)
                    known.update(zip(batch, versions, strict=True))
                    advance(len(batch))
        return [known[text] or [] for text in texts]

    def _asked(self, texts: list[str]) -> list[list[str]]:
        answers: object = self.rewrite(list(texts))
        if isinstance(answers, np.ndarray):
            answers = answers.tolist()
        rule = f"{self.strategy}: the function must return a list with an answer for each text"
        if not isinstance(answers, list | tuple):
            raise DataError(f"{rule}, received {shorten(answers)}")
        if len(answers) != len(texts):
            raise DataError(f"{rule}: was given {len(texts)}, returned {len(answers)}")
        return [self._versions(i, answer) for i, answer in enumerate(answers)]

    def _versions(self, position: int, answer: object) -> list[str]:
        found = answer if isinstance(answer, list | tuple) else [answer]
        versions: list[str] = []
        for version in map(_plain, found):
            if isinstance(version, str):
                versions.append(version)
            else:
                raise DataError(
                    f"{self.strategy}: answer {position} (counting from 0) must be a string or a "
                    f"list of strings, received {shorten(version)}"
                )
        return versions

    @contextmanager
    def _opened(self) -> Iterator[_Answers]:
        if self.cache is None:
            yield _Answers()
            return
        try:
            with closing(sqlite3.connect(self.cache)) as database:
                yield _Kept(database, self._name)
        except sqlite3.Error as error:
            raise DataError(f"{self.cache}: not a usable cache of answers: {error}") from None


class _Answers:
    """Remembers nothing."""

    def get(self, text: str) -> list[str] | None:
        return None

    def keep(self, texts: list[str], versions: list[list[str]]) -> None:
        pass


class _Kept(_Answers):
    """Remembers in an SQLite file, batch after batch: a broken-off run loses one at most."""

    def __init__(self, database: sqlite3.Connection, name: str) -> None:
        self._database, self._name = database, name
        database.execute("CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, versions TEXT)")

    @override
    def get(self, text: str) -> list[str] | None:
        found = self._database.execute(
            "SELECT versions FROM answers WHERE key = ?", (self._key(text),)
        ).fetchone()
        return None if found is None else _unpacked(found[0])

    @override
    def keep(self, texts: list[str], versions: list[list[str]]) -> None:
        rows = [(self._key(t), _packed(v)) for t, v in zip(texts, versions, strict=True)]
        with self._database:
            self._database.executemany("INSERT OR REPLACE INTO answers VALUES (?, ?)", rows)

    def _key(self, text: str) -> str:
        return digest(self._name, text)


def _packed(versions: list[str]) -> str:
    """JSON, and in a second line its checksum."""
    content = json.dumps(versions)
    return f"{content}\n{digest(content)}"


def _unpacked(row: object) -> list[str] | None:
    """The versions; None where they do not agree with their checksum, so that they are asked for
    anew. Those that an earlier release kept have none."""
    content, _, told = str(row).partition("\n")
    try:
        found = json.loads(content)
    except ValueError:
        return None
    whole = not told or told == digest(content)
    return [str(version) for version in found] if whole and isinstance(found, list) else None


def _plain(answer: object) -> object:
    """The text in what a pipeline returns for it."""
    if isinstance(answer, dict):
        return next((answer[name] for name in _OUTPUTS if name in answer), answer)
    return answer


def _name(strategy: str, rewrite: Rewrite) -> str:
    name = getattr(rewrite, "name", None)
    if isinstance(name, str) and name:
        return f"{strategy} {name}"
    qualified = getattr(rewrite, "__qualname__", "<")
    if "<" in qualified:
        raise DataError(
            f"{strategy}: answers are kept under the name of the function, which has none; give it "
            "an attribute 'name' that says which model, with which settings, it asks"
        )
    return f"{strategy} {rewrite.__module__}.{qualified}"


class RoundTrip:
    """Translates forth, and the first version of each text back (Sennrich et al. 2016,
    arXiv:1511.06709)."""

    def __init__(self, forth: Rewrite, back: Rewrite) -> None:
        self._forth = Rewriter("back_translation, forth", forth)
        self._back = Rewriter("back_translation, back", back)

    @property
    def name(self) -> str:
        """The names of both ways; ``DataError`` where one has none."""
        return " ".join(_name(way.strategy, way.rewrite) for way in (self._forth, self._back))

    def __call__(self, texts: list[str]) -> list[list[str]]:
        """The first translation of each text, brought back; nothing where it has none."""
        abroad = [next(iter(versions), "") for versions in self._forth.propose(texts, ())]
        known = [text for text in abroad if text.strip()]
        returned = iter(self._back.propose(known, ()))
        return [next(returned) if text.strip() else [] for text in abroad]


def as_rewrite(strategy: str, given: Any) -> Rewrite:
    """The function itself; or the one that ``"MODULE:FUNCTION"`` names; or the one that a model of
    ``transformers`` makes, of its name; or of a pair of these, one to translate forth, one back.

    Raises:
        ValueError: what is given is none of these, names no function, or is one model for a
            strategy that takes two.
        MissingExtraError: transformers is not installed.
    """
    pair = strategy == "back_translation"
    if pair and isinstance(given, tuple | list) and len(given) == 2:
        return RoundTrip(*(as_rewrite(f"{strategy}, one way", way) for way in given))
    if callable(given):
        rewrite: Rewrite = given
        return rewrite
    if isinstance(given, str) and _REFERENCE.fullmatch(given):
        return _imported(strategy, given)
    if isinstance(given, str) and not pair:
        return Seq2Seq(given)
    models = "a pair of functions or models, one for each way" if pair else "the name of a model"
    raise ValueError(f"{strategy} must be a function or {models}, received {shorten(given)}")


def _imported(strategy: str, reference: str) -> Rewrite:
    try:
        found: Any = resolve_name(reference)
    except Exception as error:  # of a foreign module
        reason = f"{type(error).__name__}: {error}"
        raise ValueError(f"{strategy} {reference} cannot be imported: {reason}") from error
    if not callable(found):
        raise ValueError(f"{strategy} {reference} must be a function, is {shorten(found)}")
    rewrite: Rewrite = found
    return rewrite
