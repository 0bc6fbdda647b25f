"""What the generation of triplets found in the texts, and what it made of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from ..reading.raw import listed

__all__ = ["GenerationReport", "NearDuplicate"]

SHOWN = 5
"""Examples that are kept of each finding."""


class NearDuplicate(NamedTuple):
    """Two texts of different classes that are as good as the same."""

    similarity: float
    first: str
    first_class: str
    second: str
    second_class: str


@dataclass
class GenerationReport:
    """Counts and examples; ``print(report)`` shows them.

    Attributes:
        texts: different texts that could be used.
        compared: how many of them, drawn at random, each anchor was compared with.
        anchors: those with a triplet.
        triplets: how many were made.
        by_class: how many of them have their anchor in each class; empty where classes have no
            names.
        without_positive: texts that are no anchor although their class has others, since none is
            at ``positive_threshold``.
        missing: triplets fewer than asked for, since an anchor had no further negative.
        near_duplicates: pairs of texts at ``similarity_threshold`` across classes, of those that
            were compared, which were not used as negatives of each other.
        examples: some of them, the most similar first.
        repeated: texts left out since they are equal to another.
        contradictory: texts left out since they have several labels.
        contradictory_pairs: negative pairs whose texts positive pairs join.
        single: classes of one text (or of none that is left), which give no anchor.
        unlabelled: texts left out since their class is not known.
    """

    texts: int = 0
    compared: int = 0
    anchors: int = 0
    triplets: int = 0
    by_class: dict[str, int] = field(default_factory=dict)
    without_positive: int = 0
    missing: int = 0
    near_duplicates: int = 0
    examples: list[NearDuplicate] = field(default_factory=list)
    repeated: int = 0
    contradictory: list[str] = field(default_factory=list)
    contradictory_pairs: int = 0
    single: list[str] = field(default_factory=list)
    unlabelled: int = 0

    def add_example(self, found: NearDuplicate) -> None:
        """Keep it if it is among the most similar."""
        if len(self.examples) == SHOWN and found.similarity <= self.examples[-1].similarity:
            return
        self.examples = sorted([*self.examples, found], key=lambda e: -e.similarity)[:SHOWN]

    def __str__(self) -> str:
        lines = [f"{self.triplets:,} triplets of {self.anchors:,} anchors, {self.texts:,} texts"]
        if self.by_class:
            ranked = sorted(self.by_class.items(), key=lambda entry: (entry[1], entry[0]))
            (least, low), (most, high) = ranked[0], ranked[-1]
            lines.append(
                f"  {len(ranked)} classes, from {low:,} triplets ({least}) to {high:,} ({most})"
            )
        if self.compared < self.texts:
            lines.append(f"  each compared with {self.compared:,} texts, drawn at random")
        for count, what in (
            (self.repeated, "texts left out: equal to another"),
            (self.unlabelled, "texts left out: without a label"),
            (len(self.contradictory), f"texts left out: in several classes{_first(self)}"),
            (len(self.single), f"classes of one text give no anchor: {listed(self.single)}"),
            (self.without_positive, "texts without a positive near enough"),
            (self.missing, "triplets fewer: no further negative"),
            (self.contradictory_pairs, "negative pairs left out: positive pairs join their texts"),
            (self.near_duplicates, "near-duplicates across classes, not used as negatives"),
        ):
            if count:
                lines.append(f"  {count:,} {what}")
        for found in self.examples:
            pair = [f"{found.first!r}", f"{found.second!r}"]
            for i, name in enumerate((found.first_class, found.second_class)):
                pair[i] += f" ({name})" if name else ""
            lines.append(f"    {found.similarity:.3f}  {pair[0]} | {pair[1]}")
        return "\n".join(lines)


def _first(report: GenerationReport) -> str:
    return f", as {report.contradictory[0]!r}" if report.contradictory else ""
