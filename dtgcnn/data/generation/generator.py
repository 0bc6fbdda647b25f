"""TripletGenerator: triplets of labelled texts or of pairs, in memory or straight to a file."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...array.distributed import ALONE, World
from ...config import check_whole
from ...errors import DataError
from ..encoders.encoder import Encoder
from ..encoders.encoding import progress_bar
from ..encoders.registry import make_encoder
from ..reading.pairs import PairSource, as_pairs
from ..reading.raw import FloatArray, listed
from ..reading.source import Source
from ..writing.files import record_format
from ..writing.triplets import Triplet, write_triplets
from .blocks import Generation, triplet_counts
from .negatives import strategy_of
from .relations import LabelRelations, PairRelations, Relations
from .report import GenerationReport
from .similarity import encoded_rows, given_rows

__all__ = ["TripletGenerator"]

_log = logging.getLogger("dtgcnn")


class _Task(NamedTuple):
    """What triplets are made of: T of each anchor."""

    relations: Relations
    report: GenerationReport
    per_anchor: int
    unit: FloatArray | None = None


class TripletGenerator:
    """Makes triplets: for every text with a positive, so many of its positives and of negatives.

    The triplets of an anchor go through its positives in random order, and from the start again
    where they are fewer; its negatives all differ. The same seed gives the same triplets.

    Args:
        similarity_threshold: texts of different classes at this cosine or above it are taken for
            near-duplicates that somebody labelled in two ways, or for pairs that nobody marked:
            they are not used as negatives of each other, and counted in the report. None uses
            every negative.
        negative_sampling_strategy: ``"random"``; ``"hard"``: the nearest; ``"semi_hard"``: the
            nearest that are farther than the positive; ``"distance_weighted"``: drawn evenly over
            distances (Wu et al. 2017).
        positive_threshold: the least cosine of an anchor and its positive; texts without such a
            positive are no anchors, and counted. None takes every positive.
        encoder: what similarities come from: a fitted encoder; or a name for ``make_encoder``,
            whose encoder learns from the texts, from 10,000 of them at most.
        balance_classes: every label gives as many triplets as the others, the sum being the same:
            the texts of small classes anchor more, those of large ones fewer. Otherwise a label's
            share is that of its texts.
        seed: decides what is drawn.
        world: processes that encode together, each calling the same method; the first alone writes.

    Attributes:
        report: what the last call found and made; None before the first.

    Raises:
        ValueError: an argument is out of its range.
    """

    report: GenerationReport | None = None

    def __init__(
        self,
        similarity_threshold: float | None = 0.8,
        negative_sampling_strategy: str = "hard",
        *,
        positive_threshold: float | None = None,
        encoder: Encoder | str = "tfidf",
        balance_classes: bool = False,
        seed: int = 0,
        world: World = ALONE,
    ) -> None:
        self.similarity_threshold = _cosine("similarity_threshold", similarity_threshold)
        self.strategy = strategy_of(negative_sampling_strategy)
        self.positive_threshold = _cosine("positive_threshold", positive_threshold)
        if isinstance(encoder, str):
            make_encoder(encoder)  # which refuses a name that it does not know
        self.encoder = encoder
        self.balance_classes = balance_classes
        self.seed = check_whole("seed", seed, 0)
        self.world = world

    def generate_triplets(
        self,
        sentences: Sequence[str],
        labels: Sequence[Any] | NDArray[Any],
        num_triplets_per_anchor: int = 5,
        *,
        vectors: NDArray[Any] | None = None,
    ) -> list[Triplet]:
        """Triplets (anchor, positive, negative) of labelled texts.

        ``TripletDataset.from_triplets`` trains on them, ``DataPreprocessor.save_triplets`` saves
        them. Texts with several labels are left out, and equal ones used once; a class of one text
        gives negatives only, and a warning names it.

        Args:
            sentences: N texts.
            labels: N names or numbers of classes.
            num_triplets_per_anchor: T; fewer where an anchor has no more negatives.
            vectors: (N, D) to take the cosines of, in place of the encoder's.

        Raises:
            ValueError: ``num_triplets_per_anchor`` is not a whole number of at least 1.
            DataError: the data breaks a rule, or gives no triplet.
        """
        task = self._labelled(
            "generate_triplets", sentences, labels, num_triplets_per_anchor, vectors
        )
        return list(self._texts(task))

    def write_triplets(
        self,
        path: str | PathLike[str],
        sentences: Sequence[str],
        labels: Sequence[Any] | NDArray[Any],
        num_triplets_per_anchor: int = 5,
        *,
        vectors: NDArray[Any] | None = None,
        progress: bool = False,
    ) -> GenerationReport:
        """As ``generate_triplets``, but into a file as they are made; returns the report.

        Memory is that of texts and vectors, however many triplets there are. The file appears once
        it is whole; the same seed gives the same bytes.

        Args:
            path: ends in ``.jsonl``, ``.json``, ``.csv`` or ``.tsv``, and maybe ``.gz``.
            sentences, labels, num_triplets_per_anchor, vectors: as of ``generate_triplets``.
            progress: whether a bar is shown on a terminal.

        Raises:
            ValueError, DataError, OSError: as ``generate_triplets`` and the function
                ``dtgcnn.data.writing.triplets.write_triplets``.
        """
        record_format(Path(path))
        task = self._labelled("write_triplets", sentences, labels, num_triplets_per_anchor, vectors)
        return self._write(path, task, progress)

    def generate_from_pairs(
        self,
        pairs: PairSource,
        num_triplets_per_anchor: int = 5,
        *,
        positive_score: float | None = None,
        negative_score: float | None = None,
    ) -> list[Triplet]:
        """Triplets of pairs of texts that belong together; see ``PairRelations``.

        Negatives are an anchor's own negative pairs, where scores tell them, and after these what
        the strategy finds among the texts that no positive pairs join to it.

        Args:
            pairs: tuples (anchor, positive) or (sentence1, sentence2, score), or a file of them.
            num_triplets_per_anchor: T.
            positive_score: the score from which a pair is positive; of pairs with scores only.
            negative_score: the score up to which a pair is negative.

        Raises:
            ValueError: an argument is out of its range.
            DataError: a pair breaks a rule, or there is no positive pair or no negative.
        """
        task = self._paired(pairs, num_triplets_per_anchor, positive_score, negative_score)
        return list(self._texts(task))

    def write_from_pairs(
        self,
        path: str | PathLike[str],
        pairs: PairSource,
        num_triplets_per_anchor: int = 5,
        *,
        positive_score: float | None = None,
        negative_score: float | None = None,
        progress: bool = False,
    ) -> GenerationReport:
        """As ``generate_from_pairs``, but into a file, as ``write_triplets`` does."""
        record_format(Path(path))
        task = self._paired(pairs, num_triplets_per_anchor, positive_score, negative_score)
        return self._write(path, task, progress)

    def _labelled(
        self, method: str, sentences: Any, labels: Any, count: int, vectors: NDArray[Any] | None
    ) -> _Task:
        check_whole("num_triplets_per_anchor", count, 1)
        report = GenerationReport()
        source = Source(f"TripletGenerator.{method}")
        relations = LabelRelations(source, sentences, labels, report)
        unit = None
        if vectors is not None:
            unit = given_rows(source, vectors, len(sentences), relations.rows)
        if report.single:
            _log.warning(
                "TripletGenerator: %d classes have one text, which gives no anchor: %s",
                *(len(report.single), listed(report.single)),
            )
        return _Task(relations, report, count, unit)

    def _paired(
        self, pairs: PairSource, count: int, positive: float | None, negative: float | None
    ) -> _Task:
        check_whole("num_triplets_per_anchor", count, 1)
        report = GenerationReport()
        relations = PairRelations(as_pairs(pairs), positive, negative, report)
        return _Task(relations, report, count)

    def _write(self, path: str | PathLike[str], task: _Task, progress: bool) -> GenerationReport:
        texts = self._texts(task, progress)
        if self.world.is_first:
            write_triplets(path, texts)
        else:
            next(texts)  # all is encoded before the first
        return task.report

    def _texts(self, task: _Task, progress: bool = False) -> Iterator[Triplet]:
        """The texts of the triplets; ``self.report`` is there when they end."""
        rng, texts = np.random.default_rng(self.seed), task.relations.texts
        thresholds = (self.similarity_threshold, self.positive_threshold)
        unit = task.unit
        if self.strategy == "random" and thresholds == (None, None):
            unit = None
        elif unit is None:
            unit = encoded_rows(self.encoder, texts, rng, self.world)
        counts = triplet_counts(task.relations, task.per_anchor, self.balance_classes, rng)
        generation = Generation(
            task.relations, unit, counts, self.strategy, *thresholds, task.report, rng
        )
        with progress_bar("triplets", int(counts.sum()), progress) as advance:
            for block in generation.blocks():
                advance(len(block))
                yield from ((texts[a], texts[p], texts[n]) for a, p, n in block.tolist())
        if not task.report.triplets:
            raise DataError(f"TripletGenerator: these texts give no triplet\n{task.report}")
        self.report = task.report


def _cosine(name: str, value: float | None) -> float | None:
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if value is not None and not (number and -1 <= value <= 1):
        raise ValueError(f"{name} must be a cosine from -1 to 1, or None, received {value!r}")
    return None if value is None else float(value)
