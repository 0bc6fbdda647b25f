"""A few labels and a corpus: unlabelled rows as training rows, where held-out rows say so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from .batches.loader import TripletLoader
from .closed_form import class_scores, unit
from .label_spreading import spread_labels
from .reading.raw import IntArray

__all__ = ["PseudoLabels", "with_pseudo_labels"]


@dataclass(frozen=True)
class PseudoLabels:
    """What became of the unlabelled rows; ``str`` of it is one line.

    Attributes:
        taken: how many have a pseudo-label.
        repeated: left out since they are equal to another row, or to one that is measured.
        beyond: left out since there are more than were asked for.
        far, unreached, unsure: left out, see ``SpreadLabels``.
        without, with_them: the share of held-out rows whose class kernel ridge regression on
            labelled rows, and on those with pseudo-labels too, finds; None where none is held out.
        used: whether they are trained on: they are where more held-out rows are right with them.
    """

    taken: int
    repeated: int
    beyond: int
    far: int
    unreached: int
    unsure: int
    without: float | None
    with_them: float | None
    used: bool

    def __str__(self) -> str:
        parts = {
            "equal to another": self.repeated,
            "beyond bank_size": self.beyond,
            "far from any label": self.far,
            "out of reach of one": self.unreached,
            "unsure": self.unsure,
        }
        left = [f"{count:,} {why}" for why, count in parts.items() if count]
        total = self.taken + sum(parts.values())
        line = f"{self.taken:,} of {total:,} unlabelled rows take a label"
        if left:
            line += f" (left out: {', '.join(left)})"
        if self.without is None or self.with_them is None:
            return line
        verdict = "used" if self.used else "not used"
        shares = f"{100 * self.with_them:.1f}% with them and {100 * self.without:.1f}% without"
        return f"{line}; of the held-out rows {shares} are told right: {verdict}"


def with_pseudo_labels(
    loader: TripletLoader,
    vectors: NDArray[np.float32],
    val_loader: TripletLoader | None = None,
    *,
    most: int = 10_000,
    seed: int = 0,
) -> tuple[TripletLoader, PseudoLabels]:
    """A loader that draws its batches from the unlabelled rows of the data as well.

    Their classes are those that ``spread_labels`` finds. They are used only where the held-out rows
    are told better with them; where none is held out, they are used.

    Args:
        loader: of labelled rows, to train on.
        vectors: (num_items, D) what goes into the model of every item of the loader's dataset.
        val_loader: held-out rows.
        most: rows of the graph, labelled ones first.
        seed: decides which unlabelled rows these are, where there are more.

    Returns:
        The loader, or the one given where they are not used, and what was found.

    Raises:
        DataError: the data have no unlabelled rows to train on.
    """
    dataset = loader.dataset
    unlabelled = dataset.unlabelled_items()
    if not len(unlabelled):
        raise DataError(f"{dataset.source}: holds no unlabelled row to train on")
    held = np.array([], np.int64) if val_loader is None else val_loader.items
    other = np.setdiff1d(np.arange(dataset.num_items), np.union1d(unlabelled, loader.items))
    distinct = _distinct(vectors, unlabelled, np.concatenate([loader.items, held, other]))
    rng = np.random.Generator(np.random.PCG64(seed))
    room = max(most - len(loader.items), 0)
    chosen = np.sort(rng.permutation(distinct)[:room])
    items = np.concatenate([loader.items, chosen])
    labels = np.concatenate([loader.labels, np.full(len(chosen), -1)])
    spread = spread_labels(vectors[items], labels)
    pseudo = spread.labels[len(loader.items) :]
    taken = pseudo >= 0
    shares: tuple[float | None, float | None] = (None, None)
    if val_loader is not None and len(held):
        both = np.concatenate([loader.items, chosen[taken]])
        y = np.concatenate([loader.labels, pseudo[taken]])
        shares = (
            _share(vectors, loader.items, loader.labels, val_loader),
            _share(vectors, both, y, val_loader),
        )
    used = bool(taken.any()) and (shares[0] is None or shares[1] > shares[0])  # type: ignore[operator]
    found = PseudoLabels(
        int(taken.sum()),
        len(unlabelled) - len(distinct),
        len(distinct) - len(chosen),
        spread.far,
        spread.unreached,
        spread.unsure,
        *shares,
        used,
    )
    if not used:
        return loader, found
    return loader.with_pseudo_labels(chosen[taken], pseudo[taken], chosen[~taken]), found


def _distinct(vectors: Any, items: IntArray, others: IntArray) -> IntArray:
    """The first of each of the items whose vectors are equal, none that is equal to another's."""
    seen = {vectors[item].tobytes() for item in others}
    kept = []
    for item in items:
        key = vectors[item].tobytes()
        if key not in seen:
            seen.add(key)
            kept.append(item)
    return np.array(kept, np.int64)


def _share(vectors: Any, items: IntArray, labels: IntArray, held: TripletLoader) -> float:
    """The share of held-out rows whose class is found from rows of these labels."""
    rows, queries = (unit(vectors[i].astype(np.float64)) for i in (items, held.items))
    scores = class_scores(rows, labels, int(labels.max()) + 1, queries)
    return float((scores.argmax(axis=1) == held.labels).mean())
