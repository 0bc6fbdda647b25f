"""What an augmentation did, and what it could not do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

__all__ = ["AugmentationReport"]


class AugmentationReport:
    """Counts of versions by strategy.

    Attributes:
        items: those that might be augmented.
        chosen: those that chance picked.
        num_augmentations: versions asked of each.
        asked: for each strategy, the versions that it was asked for.
        changed: those of which it proposed one that differs from the original.
        added: those that will do and were added.
        refused: for each reason, the proposals that were refused for it.
    """

    def __init__(self, strategies: Sequence[str], items: int, num_augmentations: int) -> None:
        self.items, self.chosen, self.num_augmentations = items, 0, num_augmentations
        self.asked = dict.fromkeys(strategies, 0)
        self.changed = dict.fromkeys(strategies, 0)
        self.added = dict.fromkeys(strategies, 0)
        self.refused: Counter[str] = Counter()

    def count(self, strategy: str, added: bool, reasons: Sequence[str]) -> None:
        """One version asked of a strategy: whether one was added, and why others were not."""
        self.asked[strategy] += 1
        self.changed[strategy] += added or any(reason not in UNCHANGED for reason in reasons)
        self.added[strategy] += added
        self.refused.update(reasons)

    def changed_share(self, strategy: str) -> float:
        """The share of texts that a strategy changed, NaN where it was asked for none."""
        asked = self.asked[strategy]
        return self.changed[strategy] / asked if asked else float("nan")

    def to_dict(self) -> dict[str, Any]:
        """All counts, for JSON."""
        return {
            "items": self.items,
            "chosen": self.chosen,
            "num_augmentations": self.num_augmentations,
            "strategies": {
                name: {"asked": n, "changed": self.changed[name], "added": self.added[name]}
                for name, n in self.asked.items()
            },
            "refused": dict(sorted(self.refused.items())),
        }

    def __str__(self) -> str:
        wanted, added = self.chosen * self.num_augmentations, sum(self.added.values())
        width = max(map(len, [*self.asked, "strategy"]))
        lines = [
            f"augmented {self.chosen:,} of {self.items:,} items: {added:,} of {wanted:,} versions "
            "added",
            f"{'strategy':<{width}} |  asked | changed |  added",
        ]
        for name, asked in self.asked.items():
            share = f"{100 * self.changed_share(name):.1f}%" if asked else "-"
            lines.append(f"{name:<{width}} | {asked:6} | {share:>7} | {self.added[name]:6}")
        if self.refused:
            reasons = ", ".join(f"{reason} {n}" for reason, n in sorted(self.refused.items()))
            lines.append(f"proposals refused: {reasons}")
        return "\n".join(lines)


UNCHANGED = ("unchanged", "blank or no text")
"""Reasons to refuse what is no change of a text."""
