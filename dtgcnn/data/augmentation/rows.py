"""The rows of an augmented dataset: those of the original, then those of the new versions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..dataset import TripletDataset
from ..reading.equality import components
from ..reading.raw import FloatArray, IntArray, RawData
from ..reading.source import Source

__all__ = ["Addition", "extended", "groups_of"]


@dataclass(frozen=True)
class Addition:
    """A version of an item: its text or vector, and of a mixture also its partner and the share
    that is the item's own."""

    item: int
    content: str | FloatArray
    partner: int | None = None
    share: float = 1.0

    @classmethod
    def of(cls, item: int, candidate: Any) -> Addition:
        """What a strategy proposed for an item."""
        if isinstance(candidate, str):
            return cls(item, candidate.strip())
        return cls(item, *candidate)


def groups_of(dataset: TripletDataset) -> list[str]:
    """The group of each item; one of its own where labelled data name none. Of triplets the
    component, which is never parted."""
    if dataset.triplets is not None:
        assert dataset.labels is not None
        return [str(label) for label in dataset.labels]
    groups = dataset.groups
    return [str(g) for g in (range(dataset.num_items) if groups is None else groups)]


def extended(dataset: TripletDataset, additions: Sequence[Addition]) -> TripletDataset:
    """The dataset with the versions after its items, and with their triplets after its own."""
    origins = [addition.item for addition in additions]
    contents = [addition.content for addition in additions]
    columns: dict[str, Any] = {"texts": None, "features": None}
    if dataset.texts is not None:
        columns["texts"] = dataset.texts + contents
    else:
        assert dataset.features is not None
        columns["features"] = np.concatenate([dataset.features, *(c[None] for c in contents)])  # type: ignore[index]
    if dataset.triplets is not None:
        rows, of = _triplets(dataset.triplets, additions, dataset.num_items)
        columns["triplets"] = np.concatenate([dataset.triplets, rows])
        groups = dataset.groups
        if groups is not None:
            columns["groups"] = [str(g) for g in groups] + [str(groups[t]) for t in of]
    else:
        columns["groups"] = _joined(groups_of(dataset), additions)
    if dataset.label_names is not None:
        names = dataset.names_of(range(dataset.num_items))
        columns["labels"] = names + [names[i] for i in origins]
    if dataset.splits is not None:
        columns["splits"] = dataset.splits + [dataset.splits[i] for i in origins]
    count = len(columns["triplets"] if "triplets" in columns else columns["labels"])
    source = Source(f"{dataset.source} (augmented)", "row")
    result = type(dataset)._from_raw(RawData(dataset.kind, source, range(count), **columns))
    if dataset.targets is not None:
        result.set_targets(np.concatenate([dataset.targets, _targets(dataset.targets, additions)]))
    return result


def _triplets(
    triplets: IntArray, additions: Sequence[Addition], first: int
) -> tuple[IntArray, list[int]]:
    """The triplets of new items, numbered from ``first``, and the triplet that each comes from.

    A version takes the place of its original in each of its triplets, so that of an anchor or a
    positive is joined to its original. One of a text that is only a negative gets a triplet more:
    it is the anchor, its original the positive, the anchor of the original's triplet the negative.
    """
    uses: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    for t, row in enumerate(triplets.tolist()):
        for role, item in enumerate(row):
            uses[item].append((t, role))
    rows, of = [], []
    for new, addition in enumerate(additions, start=first):
        own = uses[addition.item]
        for t, role in own:
            row = triplets[t].tolist()
            row[role] = new
            rows.append(row)
            of.append(t)
        if all(role == 2 for _, role in own):
            t = own[0][0]
            rows.append([new, addition.item, int(triplets[t, 0])])
            of.append(t)
    return np.array(rows, np.int64).reshape(-1, 3), of


def _joined(groups: list[str], additions: Sequence[Addition]) -> list[str]:
    """The group of each item and version: that of the original, joined by mixtures with those of
    their partners. A joined group has the name of the first of them."""
    names, number = np.unique(groups, return_inverse=True)
    pairs = [(a.item, a.partner) for a in additions if a.partner is not None]
    edges = number[np.array(pairs, np.int64).reshape(-1, 2)]
    joined = components(edges, len(names))
    first: dict[int, str] = {}
    for own, group in zip(joined[number].tolist(), groups, strict=True):
        first.setdefault(own, group)
    origins = [addition.item for addition in additions]
    return [first[c] for c in joined[number].tolist() + joined[number[origins]].tolist()]


def _targets(targets: Any, additions: Sequence[Addition]) -> list[float]:
    """The number to predict of each version: its original's, or the same mixture of numbers."""
    numbers = []
    for addition in additions:
        own = float(targets[addition.item])
        other = own if addition.partner is None else float(targets[addition.partner])
        numbers.append(addition.share * own + (1.0 - addition.share) * other)
    return numbers
