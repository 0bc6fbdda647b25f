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
from .raw import Record, TextRule, listed
from .readers import open_shaped, read_records
from .shapes import MATCHED, SCORED, Columns, shape_of
from .source import Source, shorten

__all__ = ["PairSource", "Pairs", "as_pairs", "holds_pairs", "read_pairs"]

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
        directed: whether the first text is an anchor, and the second none.
        judged_by_labels: whether the scores are labels, 1 of pairs that belong together and 0 of
            others.
    """

    source: Source
    first: list[str]
    second: list[str]
    scores: NDArray[np.float64] | None = None
    directed: bool = False
    judged_by_labels: bool = False

    def judged(
        self, positive_score: float | None, negative_score: float | None
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Which pairs are positive and which negative, (N,) each. Labels need no
        ``positive_score``: 1 is positive and 0 negative.

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
        if positive_score is None and self.judged_by_labels:
            positive_score = 1.0
            negative_score = 0.0 if negative_score is None else negative_score
        if positive_score is None:
            low, high = self.scores.min(), self.scores.max()
            raise ValueError(
                f"positive_score must be given for pairs with scores, which lie between {low:g} "
                f"and {high:g} here: the least of a positive pair, --positive-score"
            )
        if negative_score is not None and not negative_score < positive_score:
            raise ValueError(
                f"negative_score must be below positive_score = {positive_score}, "
                f"received {negative_score}"
            )
        most = -math.inf if negative_score is None else negative_score
        return self.scores >= positive_score, self.scores <= most


def read_pairs(path: str | PathLike[str], columns: Columns | None = None) -> Pairs:
    """Read a file of pairs; see ``read_file`` for the formats.

    Its records have the fields ``sentence1``, ``sentence2`` and ``score``, or ``anchor`` and
    ``positive`` and maybe ``score``; in place of the score they may have a ``label`` of 0 or 1.

    Raises:
        DataError: a record breaks a rule; names the file, the row and the field.
    """
    source, shape, records = open_shaped(path, columns)
    with records:
        if shape.held in ("labelled", "texts"):
            raise _lacking(source, shape.names, SCORED, shape.row)
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


def holds_pairs(path: str | PathLike[str], columns: Columns | None = None) -> bool:
    """Whether the first record of a file is a pair: no triplet and no single text."""
    try:
        source, records = read_records(path)
        with records:
            row, first = next(records, (0, {}))
        return shape_of(source, row, first, columns or {}).held == "pairs"
    except DataError:
        return False  # an array file, or one whose reader will say what is wrong


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
        if not fields:
            fields = SCORED
            if set(MATCHED) <= set(record):
                fields = (*MATCHED, "score") if "score" in record else MATCHED
        missing = [name for name in fields if name not in record]
        if missing:
            raise _lacking(source, record, fields, row)
        for column, name in zip(columns, fields):
            column.append(rule.check(row, record[name], name))
        if "score" in fields:
            scores.append(_score(source, row, record["score"]))
        elif "score" in record:
            raise source.error("is given here, but not in the first record", row, "score")
    if not columns[0]:
        raise source.error("holds no pairs")
    return Pairs(
        source,
        *columns,
        np.array(scores) if scores else None,
        fields[:2] == MATCHED,
        source.names.get("score", "score") != "score" and set(scores) <= {0.0, 1.0},
    )


def _lacking(source: Source, found: Iterable[str], fields: tuple[str, ...], row: int) -> DataError:
    names = list(found)
    missing = [name for name in fields if name not in names]
    wanted = " and ".join(fields) if fields == MATCHED else ", ".join(fields)
    return source.error(
        f"a pair has the fields {wanted}; {', '.join(missing)} is missing, found {listed(names)}",
        row,
    )


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
