"""The making of triplets, block by block of anchors, in memory that does not grow with their
square."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from ..reading.raw import FloatArray, IntArray
from .negatives import NegativeSampling, draw_negatives
from .relations import Relations
from .report import GenerationReport, NearDuplicate

__all__ = ["Generation", "triplet_counts"]

ENTRIES = 1 << 23
"""Similarities that are held at a time."""

MOST_COMPARED = 20_000
"""Texts that an anchor is compared with where there are more, drawn anew for each block of anchors:
time grows with the texts, not with their square."""


def triplet_counts(
    relations: Relations, per_anchor: int, balance_classes: bool, rng: np.random.Generator
) -> IntArray:
    """(A,) triplets that each anchor is to have: ``per_anchor``, or where classes have names and
    are to be balanced, what makes the sums of all classes equal."""
    own = relations.classes[relations.anchors]
    counts = np.full(len(own), per_anchor, np.int64)
    if not balance_classes or relations.class_names is None:
        return counts
    classes = np.unique(own)
    share, rest = divmod(len(own) * per_anchor, len(classes))
    for place, c in enumerate(classes):
        members = rng.permutation(np.flatnonzero(own == c))
        each, more = divmod(share + (place < rest), len(members))
        counts[members] = each
        counts[members[:more]] += 1
    return counts


@dataclass
class Generation:
    """One pass over the anchors; ``blocks`` makes the triplets and fills in the report.

    Attributes:
        relations: which of N texts belong together.
        unit: (N, D) rows of ``unit_rows``; None where nothing asks for similarities.
        counts: (A,) triplets that each anchor is to have.
        strategy, similarity_threshold, positive_threshold: as of ``TripletGenerator``.
        report: is told what was found and made.
        rng: decides what is drawn.
    """

    relations: Relations
    unit: FloatArray | None
    counts: IntArray
    strategy: NegativeSampling
    similarity_threshold: float | None
    positive_threshold: float | None
    report: GenerationReport
    rng: np.random.Generator
    dimensions: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        if self.unit is not None:
            self.dimensions = int(np.count_nonzero(self.unit.any(axis=0)))
        count = len(self.relations.texts)
        self._anchors = np.zeros(count, bool)
        self._anchors[self.relations.anchors] = True
        self._compared = self._place = np.arange(count)

    def blocks(self) -> Iterator[IntArray]:
        """(t, 3) items of anchor, positive and negative, for one block of anchors after another."""
        relations, report = self.relations, self.report
        report.texts = len(relations.texts)
        report.compared = min(report.texts, MOST_COMPARED)
        size = max(1, ENTRIES // report.compared)
        by_class = np.zeros(relations.classes.max() + 1, np.int64)
        for start in range(0, len(relations.anchors), size):
            anchors = relations.anchors[start : start + size]
            triplets = self._triplets(anchors, self.counts[start : start + size])
            by_class += np.bincount(relations.classes[triplets[:, 0]], minlength=len(by_class))
            report.anchors += len(np.unique(triplets[:, 0]))
            report.triplets += len(triplets)
            yield triplets
        if relations.class_names is not None:
            present = np.unique(relations.classes).tolist()
            report.by_class = {relations.class_names[c]: int(by_class[c]) for c in present}

    def _triplets(self, anchors: IntArray, counts: IntArray) -> IntArray:
        if not self._all_compared:
            drawn = self.rng.choice(self.report.texts, self.report.compared, replace=False)
            self._compared = np.sort(drawn)
            self._place = np.full(self.report.texts, -1)
            self._place[self._compared] = np.arange(self.report.compared)
        cosines = self._cosines(anchors, slice(None) if self._all_compared else self._compared)
        # An anchor at a time: its row stays in the processor's cache, the block does not.
        rows = zip(anchors.tolist(), counts.tolist(), cosines, strict=True)
        found = [self._of_anchor(anchor, count, row) for anchor, count, row in rows]
        return np.concatenate(found)

    @property
    def _all_compared(self) -> bool:
        return self.report.compared == self.report.texts

    def _cosines(self, texts: IntArray, others: IntArray | slice) -> FloatArray:
        """(n, m) those of some texts with others; zeros where nothing asks for them."""
        if self.unit is None:
            return np.zeros((len(texts), len(self._place[others])), np.float32)
        return self.unit[texts] @ self.unit[others].T

    def _of_row(self, anchor: int, others: IntArray, cosines: FloatArray) -> FloatArray:
        """(m,) the cosines of an anchor with others, of which its row of ``cosines`` has all where
        all texts are compared."""
        found: FloatArray = (
            cosines[others] if self._all_compared else self._cosines(np.array([anchor]), others)[0]
        )
        return found

    def _of_anchor(self, anchor: int, count: int, cosines: FloatArray) -> IntArray:
        """(t, 3) triplets of one anchor, ``count`` at most; overwrites its cosines with those that
        it is compared with."""
        positive = self._positives(anchor, count, cosines)
        to_positive = self._of_row(anchor, positive, cosines)
        self._take_out(self.relations.barred(anchor), cosines)
        known = self.relations.negatives(anchor)
        if len(known):
            known = self.rng.permutation(known)[: len(positive)]
            self._take_out(known, cosines)
        if self.similarity_threshold is not None:
            self._set_apart(anchor, cosines, self.similarity_threshold)
        drawn = draw_negatives(
            self.strategy, cosines, to_positive[len(known) :], self.dimensions, self.rng
        )
        negative = np.concatenate([known, np.where(drawn < 0, -1, self._compared[drawn])])
        triplets = np.stack([np.full_like(positive, anchor), positive, negative], axis=1)
        triplets = triplets[negative >= 0]
        self.report.missing += len(positive) - len(triplets)
        return triplets

    def _take_out(self, texts: IntArray, cosines: FloatArray) -> None:
        """Keep texts from being drawn."""
        places = self._place[texts]
        cosines[places[places >= 0]] = -np.inf

    def _positives(self, anchor: int, count: int, cosines: FloatArray) -> IntArray:
        """(count,) positives, none where none is near enough."""
        found = self.relations.positives(anchor)
        if self.positive_threshold is not None:
            if len(found) > MOST_COMPARED:
                found = self.rng.choice(found, MOST_COMPARED, replace=False)
            found = found[self._of_row(anchor, found, cosines) >= self.positive_threshold]
            self.report.without_positive += not len(found)
        if len(found) > count:
            drawn: IntArray = self.rng.choice(found, count, replace=False)
            return drawn
        return np.resize(self.rng.permutation(found), count if len(found) else 0)

    def _set_apart(self, anchor: int, cosines: FloatArray, threshold: float) -> None:
        """Take near-duplicates out of the candidates, and report them."""
        near = np.flatnonzero(cosines >= threshold)
        if not len(near):
            return
        # A pair of two anchors was met at the first of them already.
        texts = self._compared[near]
        new = near[~(self._anchors[texts] & (texts < anchor))]
        self.report.near_duplicates += len(new)
        if len(new):
            nearest = int(new[cosines[new].argmax()])
            pair = (*self._named(anchor), *self._named(int(self._compared[nearest])))
            self.report.add_example(NearDuplicate(float(cosines[nearest]), *pair))
        cosines[near] = -np.inf

    def _named(self, item: int) -> tuple[str, str]:
        """The text of an item, and its class's name."""
        names = self.relations.class_names
        own = "" if names is None else names[self.relations.classes[item]]
        return self.relations.texts[item], own
