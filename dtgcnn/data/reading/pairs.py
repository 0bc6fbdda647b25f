"""Pairs of texts, with scores or without: reading and checking them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from os import PathLike
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from .raw import Record, TextRule
from .readers import read_records
from .source import Source, shorten

__all__ = ["PairSource", "Pairs", "as_pairs", "holds_pairs", "read_pairs"]

SCORED = ("sentence1", "sentence2", "score")
MATCHED = ("anchor", "positive")

PairSource: TypeAlias = "Pairs | str | PathLike[str] | Iterable[tuple[object, ...]]"
"""Pairs, a file of them, or tuples (anchor, positive) or (sentence1, sentence2, score)."""


@dataclass(frozen=True)
class Pairs:
    """N pairs of texts.

    Attributes:
        source: names the origin in messages.
        first, second: N texts each; without scores, anchors and their positives.
        scores: (N,) float64, finite: the higher, the more alike. None where every pair belongs
            together.
    """

    source: Source
    first: list[str]
    second: list[str]
    scores: NDArray[np.float64] | None = None

    def judged(
        self, positive_score: float | None, negative_score: float | None
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Which pairs are positive and which negative, (N,) each.

        Raises:
            ValueError: pairs with scores need ``positive_score``, others take none; or
                ``negative_score`` is not below it.
        """
        if self.scores is None:
            for name, value in (
                ("positive_score", positive_score),
                ("negative_score", negative_score),
            ):
                if value is not None:
                    raise ValueError(f"{name} needs pairs with scores, received {value}")
            return np.ones(len(self.first), bool), np.zeros(len(self.first), bool)
        if positive_score is None:
            low, high = self.scores.min(), self.scores.max()
            raise ValueError(
                f"positive_score must be given for pairs with scores, which lie between {low:g} "
                f"and {high:g} here"
            )
        if negative_score is not None and not negative_score < positive_score:
            raise ValueError(
                f"negative_score must be below positive_score = {positive_score}, "
                f"received {negative_score}"
            )
        most = -math.inf if negative_score is None else negative_score
        return self.scores >= positive_score, self.scores <= most


def read_pairs(path: str | PathLike[str]) -> Pairs:
    """Read a file of pairs; see ``read_records`` for the formats.

    Its records have the fields ``sentence1``, ``sentence2`` and ``score``, or ``anchor`` and
    ``positive``; further ones do not matter.

    Raises:
        DataError: a record breaks a rule; names the file, the row and the field.
    """
    source, records = read_records(path)
    with records:
        return _from_records(source, records)


def as_pairs(pairs: PairSource) -> Pairs:
    """Pairs as the functions here take them.

    Raises:
        DataError: a pair breaks a rule; names its position.
    """
    if isinstance(pairs, Pairs):
        return pairs
    if isinstance(pairs, str | PathLike):
        return read_pairs(pairs)
    return _from_records(Source("pairs"), _tuples(pairs))


def holds_pairs(path: str | PathLike[str]) -> bool:
    """Whether the first record of a file is a pair: no triplet and no single text."""
    try:
        _, records = read_records(path)
    except DataError:
        return False  # an array file, or one whose reader will say what is wrong
    with records:
        fields = set(next(records, (0, {}))[1])
    return {"sentence1", "sentence2"} <= fields or (
        set(MATCHED) <= fields and "negative" not in fields
    )


def _tuples(pairs: Iterable[tuple[object, ...]]) -> Iterator[Record]:
    source = Source("pairs")
    for row, pair in enumerate(pairs):
        if isinstance(pair, str) or len(pair) not in (2, 3):
            raise source.error(f"must be two texts, or two and a score, received {pair!r}", row)
        yield row, dict(zip(MATCHED if len(pair) == 2 else SCORED, pair, strict=True))


def _from_records(source: Source, records: Iterable[Record]) -> Pairs:
    source.tell()
    rule = TextRule(source)
    fields: tuple[str, ...] = ()
    columns: tuple[list[str], list[str]] = ([], [])
    scores: list[float] = []
    for row, record in records:
        fields = fields or (MATCHED if set(MATCHED) <= set(record) else SCORED)
        missing = [name for name in fields if name not in record]
        if missing:
            found = ", ".join(map(str, record)) or "none"
            wanted = " and ".join(fields) if fields == MATCHED else ", ".join(fields)
            raise source.error(
                f"a pair has the fields {wanted}; {', '.join(missing)} is missing, found {found}",
                row,
            )
        for column, name in zip(columns, fields):
            column.append(rule.check(row, record[name], name))
        if fields == SCORED:
            scores.append(_score(source, row, record["score"]))
    if not columns[0]:
        raise source.error("holds no pairs")
    return Pairs(source, *columns, np.array(scores) if scores else None)


def _score(source: Source, row: int, value: object) -> float:
    try:
        if isinstance(value, bool) or not isinstance(value, str | int | float | np.number):
            raise TypeError
        score = float(value)
    except (TypeError, ValueError):
        raise source.error(f"must be a number, received {shorten(value)}", row, "score") from None
    if not math.isfinite(score):
        raise source.error(f"must be finite, received {score}", row, "score")
    return score
