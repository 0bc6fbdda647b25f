"""Relations: which texts belong together, as labels or pairs tell it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..reading.equality import components, equal_groups
from ..reading.pairs import Pairs
from ..reading.raw import UNLABELLED, IntArray, Record, from_records
from ..reading.source import Source, shorten
from .report import GenerationReport

__all__ = ["LabelRelations", "PairRelations", "Relations"]

_NONE = np.empty(0, np.int64)


class Relations(Protocol):
    """Which of N texts are positives and negatives of one another.

    Attributes:
        texts: N texts, no two equal.
        rows: (N,) the row of each text in what the user gave.
        classes: (N,) int64; texts of one class are no negatives of one another.
        class_names: a name for each class; None where classes have no names.
        anchors: the texts to make triplets for, in order.
    """

    texts: list[str]
    rows: IntArray
    classes: IntArray
    class_names: list[str] | None
    anchors: IntArray

    def positives(self, item: int) -> IntArray:
        """The positives of an anchor."""
        ...

    def negatives(self, item: int) -> IntArray:
        """Texts that are known to be its negatives."""
        ...

    def barred(self, item: int) -> IntArray:
        """Texts that are no negatives of it: those of its class, itself among them, and others."""
        ...


class LabelRelations:
    """Texts with one label each: those of one label are positives, all others are negatives.

    Texts that differ only in case and white space are one. Where they have several labels, they are
    left out: as positives in two classes they would make one class of both.

    Raises:
        DataError: a text or a label breaks a rule, there are fewer than two labels, or no label has
            two different texts.
    """

    def __init__(
        self,
        source: Source,
        sentences: Sequence[str],
        labels: Sequence[Any] | NDArray[Any],
        report: GenerationReport,
    ) -> None:
        raw = from_records(source, _records(source, sentences, labels))
        assert raw.texts is not None
        assert raw.labels is not None
        labelled = np.flatnonzero([name != UNLABELLED for name in raw.labels])
        report.unlabelled = len(raw.labels) - len(labelled)
        names, codes = np.unique([raw.labels[row] for row in labelled], return_inverse=True)
        usable = _usable([raw.texts[row] for row in labelled], codes, report)
        self.rows, codes = labelled[usable], codes[usable]
        self.texts = [raw.texts[row] for row in self.rows]
        self.classes: IntArray = codes.astype(np.int64)
        self.class_names: list[str] | None = names.tolist()
        counts = np.bincount(self.classes, minlength=len(names))
        left = np.count_nonzero(counts)
        if left < 2:
            why = f" of {len(names)}: texts with several are left out" if left < len(names) else ""
            raise source.error(f"needs texts of two labels at least, found {left}{why}")
        if counts.max() < 2:
            raise source.error("needs a label with two different texts at least, found none")
        report.single = [str(name) for name in names[counts < 2]]
        self.anchors: IntArray = np.flatnonzero(counts[self.classes] > 1)
        self._members: list[IntArray] = _members(self.classes)

    def positives(self, item: int) -> IntArray:
        """The other texts of its label."""
        own = self._members[self.classes[item]]
        others: IntArray = own[own != item]
        return others

    def negatives(self, item: int) -> IntArray:
        """None: any text that is not barred may serve."""
        return _NONE

    def barred(self, item: int) -> IntArray:
        """The texts of its label, itself among them."""
        own: IntArray = self._members[self.classes[item]]
        return own


class PairRelations:
    """Pairs of texts that belong together, and maybe scored pairs that do not.

    Texts that are joined by positive pairs, over any number of them, are one class. Of an (anchor,
    positive) pair the anchor anchors; a pair of two sentences has no direction, and both do.

    Args:
        pairs: what was read.
        positive_score: pairs with this score or a higher one are positive.
        negative_score: pairs with this score or a lower one are negative. Those in between, or all
            below ``positive_score`` where it is None, are neither.
        report: is told what was found.

    Raises:
        ValueError: the pairs have scores and ``positive_score`` is not given, or the other way
            round; or ``negative_score`` is not below it.
        DataError: no pair is positive.
    """

    class_names: list[str] | None = None

    def __init__(
        self,
        pairs: Pairs,
        positive_score: float | None,
        negative_score: float | None,
        report: GenerationReport,
    ) -> None:
        is_positive, is_negative = pairs.judged(positive_score, negative_score)
        groups = equal_groups([*pairs.first, *pairs.second], None)
        _, self.rows, items = np.unique(groups, return_index=True, return_inverse=True)
        both = [*pairs.first, *pairs.second]
        self.texts = [both[row] for row in self.rows]
        edges = items.reshape(2, -1).T
        edges, is_positive, is_negative = (
            x[edges[:, 0] != edges[:, 1]] for x in (edges, is_positive, is_negative)
        )
        positive = edges[is_positive]
        if not len(positive):
            raise pairs.source.error("no pair of two different texts is positive")
        self.classes = components(positive, len(self.texts))
        apart = self.classes[edges[:, 0]] != self.classes[edges[:, 1]]
        report.contradictory_pairs = int((is_negative & ~apart).sum())
        self._positives = _lists(positive, both_ways=not pairs.directed)
        self._negatives = _lists(edges[is_negative & apart], True)
        self._members: list[IntArray] = _members(self.classes)
        self._barred = _lists(edges[~is_positive & ~is_negative & apart], True)
        self.anchors = np.array(sorted(self._positives), np.int64)

    def positives(self, item: int) -> IntArray:
        """The partners of an anchor in its own positive pairs."""
        return self._positives[item]

    def negatives(self, item: int) -> IntArray:
        """Its partners in negative pairs, but for those of its class."""
        return self._negatives.get(item, _NONE)

    def barred(self, item: int) -> IntArray:
        """The texts of its class, itself among them, and its partners in pairs that are neither."""
        own = self._members[self.classes[item]]
        return np.concatenate([own, self._barred.get(item, _NONE)])


def _members(classes: IntArray) -> list[IntArray]:
    """The texts of each class."""
    by_class = np.argsort(classes, kind="stable")
    return np.split(by_class, np.cumsum(np.bincount(classes))[:-1])


def _lists(edges: IntArray, both_ways: bool) -> dict[int, IntArray]:
    """The partners of each item, sorted."""
    found: dict[int, set[int]] = defaultdict(set)
    for a, b in edges.tolist():
        found[a].add(b)
        if both_ways:
            found[b].add(a)
    return {item: np.array(sorted(others), np.int64) for item, others in found.items()}


def _records(source: Source, sentences: Any, labels: Any) -> Iterable[Record]:
    for name, values in (("sentences", sentences), ("labels", labels)):
        if isinstance(values, str | bytes) or not hasattr(values, "__len__"):
            raise source.error(f"must be a list, received {shorten(values)}", field=name)
    if len(sentences) != len(labels):
        counts = f"received {len(labels):,} for {len(sentences):,} sentences"
        raise source.error(f"must be as many as there are sentences, {counts}", field="labels")
    rows = zip(sentences, labels, strict=True)
    return ((row, {"text": text, "label": label}) for row, (text, label) in enumerate(rows))


def _usable(texts: list[str], codes: IntArray, report: GenerationReport) -> IntArray:
    """The row of each different text, where it has one label only."""
    groups = equal_groups(texts, None)
    _, first = np.unique(groups, return_index=True)
    lowest, highest = codes[first], codes[first]
    np.minimum.at(lowest, groups, codes)
    np.maximum.at(highest, groups, codes)
    agree = lowest == highest
    report.contradictory = [texts[row] for row in first[~agree]]
    report.repeated = len(texts) - len(first)
    return np.sort(first[agree])
