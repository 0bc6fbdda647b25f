"""A few labels and a corpus: unlabelled rows as training rows, where held-out rows say so."""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from .batches.loader import TripletLoader
from .closed_form import class_scores, folds, standardized_columns
from .encoders.encoder import Encoder, takes_labels, untaught
from .label_spreading import Corpus, spread_labels
from .linear_maps import unit
from .reading.raw import IntArray

__all__ = ["PseudoLabels", "fit_encoder", "with_pseudo_labels", "with_pseudo_labels_by"]

CHANCE = 1
"""Labelled rows that may be told wrong with unlabelled ones and right without, where most of these
are near labels: of a few dozen rows that is chance, and rows of the same topics help."""


@dataclass(frozen=True)
class PseudoLabels:
    """What became of the unlabelled rows; ``str`` of it is one line.

    Attributes:
        taken: how many have a pseudo-label.
        repeated: left out since they are equal to another row, or to one that is measured.
        beyond: left out since there are more than were asked for.
        far, unreached, unsure: left out, see ``SpreadLabels``.
        without, with_them: the share of labelled rows, each held out once, whose class kernel ridge
            regression on the other labelled rows, and on those and the pseudo-labelled ones, finds;
            None where that was not asked for.
        used: whether they are trained on.
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
        verdict = "they are used" if self.used else "they are not used"
        if self.used and self.with_them <= self.without:
            verdict += ", since most are near labels, and so small a difference is chance"
        shares = f"{100 * self.with_them:.1f}% with them, {100 * self.without:.1f}% without"
        return f"{line}; of labelled rows, held out, {shares} are told right: {verdict}"


def with_pseudo_labels(
    loader: TripletLoader,
    vectors: NDArray[np.float32],
    val_loader: TripletLoader | None = None,
    *,
    most: int = 10_000,
    seed: int = 0,
    always: bool = False,
    standardize: bool | Literal["auto"] = "auto",
    plain: NDArray[np.float32] | None = None,
) -> tuple[TripletLoader, PseudoLabels]:
    """A loader that draws its batches from the unlabelled rows of the data as well.

    Their classes are those that ``spread_labels`` finds. Whether that helps is found out on the
    labelled rows: each fifth of them is told once without its labels, from the others with
    pseudo-labelled rows and without. They are used where more of them are right with these; and
    where half of the unlabelled rows or more are near labels (see ``SpreadLabels.far``), unless two
    fewer are right or more.

    Args:
        loader: of labelled rows, to train on.
        vectors: (num_items, D) what goes into the model of every item of the loader's dataset.
        val_loader: further labelled rows to find out with, which are not trained on.
        most: rows of the graph, labelled ones first.
        seed: decides which unlabelled rows these are, where there are more.
        always: use them without finding out.
        standardize: whether columns of vectors are standardised first; ``"auto"`` as of
            ``fit_closed_form``, by the labelled rows.
        plain: (num_items, E) rows of an encoder that knows no labels, where ``vectors`` do: by
            these it is told which rows are far, and whether it helps.

    Returns:
        The loader, or the one given where they are not used, and what was found.

    Raises:
        DataError: the data have no unlabelled rows to train on.
        MissingExtraError: scikit-learn is not installed.
    """
    dataset = loader.dataset
    unlabelled = dataset.unlabelled_items()
    if not len(unlabelled):
        raise DataError(f"{dataset.source}: holds no unlabelled row to train on")
    known = np.setdiff1d(np.arange(dataset.num_items), unlabelled)
    distinct = _distinct(vectors, unlabelled, known)
    rng = np.random.Generator(np.random.PCG64(seed))
    room = max(most - len(loader.items), 0)
    chosen = np.sort(rng.permutation(distinct)[:room])
    labels = np.concatenate([loader.labels, np.full(len(chosen), -1)])
    columns = standardized_columns(vectors[loader.items], loader.labels, standardize, seed)

    def seen(items: IntArray) -> NDArray[np.float32]:
        """The vectors of items and of the rows that were chosen, as the model will see them."""
        some = vectors[np.concatenate([items, chosen])]
        return some if columns is None else columns(some)

    of_plain = None if plain is None else plain[np.concatenate([loader.items, chosen])]
    spread = spread_labels(seen(loader.items), labels, plain=of_plain)
    pseudo = spread.labels[len(loader.items) :]
    taken = pseudo >= 0
    shares: tuple[float | None, float | None] = (None, None)
    used = bool(taken.any())
    if used and not always:
        sides = [loader] if val_loader is None else [loader, val_loader]
        rows = np.concatenate([side.items for side in sides])
        given = np.concatenate([side.labels for side in sides])
        judged = seen(rows) if plain is None else plain[np.concatenate([rows, chosen])]
        without, with_them = _shares(judged, given, rng)
        shares = without, with_them
        allowed = CHANCE if 2 * spread.far <= len(chosen) else -1
        used = round(len(rows) * (without - with_them)) <= allowed
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


def fit_encoder(encoder: Encoder, loader: TripletLoader, unlabelled: bool) -> None:
    """Fit an encoder on the texts that a loader trains on, with ``unlabelled`` on those without a
    label too; one that ``takes_labels`` is told the labels that are trained on. Data of vectors
    leave it as it is."""
    dataset = loader.dataset
    if dataset.texts is None:
        return
    items = loader.items
    if unlabelled:
        items = np.union1d(items, dataset.unlabelled_items())
    texts = [dataset.texts[item] for item in items]
    known: dict[str, IntArray] = {}
    if takes_labels(encoder) and loader.triplets is None:
        labels = np.full(dataset.num_items, -1)
        labels[loader.items] = loader.labels
        known["labels"] = labels[items]
    encoder.fit(texts, **known)


def with_pseudo_labels_by(
    encoder: Encoder | None,
    loader: TripletLoader,
    val_loader: TripletLoader | None = None,
    *,
    learn: bool = True,
    **options: Any,
) -> tuple[TripletLoader, PseudoLabels]:
    """``with_pseudo_labels`` by the rows of an encoder, or the data's own vectors. One that learns
    from labels is fitted anew, on pseudo-labels as well, and these are found once more.

    Args:
        encoder: of texts, fitted on those of the loader and those without a label.
        loader, val_loader, options: as of ``with_pseudo_labels``.
        learn: whether the encoder may be fitted.

    Returns:
        As of ``with_pseudo_labels``.

    Raises:
        DataError: of an encoder that learns from labels what it was before is not there any more.
    """
    texts, features = loader.dataset.texts, loader.dataset.features
    if features is not None:
        return with_pseudo_labels(loader, features, val_loader, **options)
    assert texts is not None
    assert encoder is not None
    if not takes_labels(encoder):
        return with_pseudo_labels(loader, encoder.encode(texts), val_loader, **options)
    options["plain"] = untaught(encoder).encode(texts)
    spread, found = with_pseudo_labels(loader, encoder.encode(texts), val_loader, **options)
    if not (found.used and learn):
        return spread, found
    fit_encoder(encoder, spread, unlabelled=True)
    options["always"] = True
    spread, again = with_pseudo_labels(loader, encoder.encode(texts), val_loader, **options)
    return spread, replace(again, without=found.without, with_them=found.with_them)


def _shares(vectors: Any, given: IntArray, rng: np.random.Generator) -> tuple[float, float]:
    """The shares of labelled rows, which come first, that are told right from the other folds,
    without and with pseudo-labels of the others."""
    fold, count = folds(given, rng), len(given)
    labels = np.concatenate([given, np.full(len(vectors) - count, -1)])
    x = unit(vectors.astype(np.float64))
    corpus, classes, right = Corpus(x, labels), int(given.max()) + 1, np.zeros(2)
    for number in np.unique(fold):
        held = np.flatnonzero(fold == number)
        hidden = labels.copy()
        hidden[held] = -1
        if len(np.unique(hidden[hidden >= 0])) < 2:
            continue
        spread = corpus.spread(hidden).labels
        spread[held] = -1
        for place, y in enumerate((hidden, spread)):
            fitted = np.flatnonzero(y >= 0)
            scores = class_scores(x[fitted], y[fitted], classes, x[held])
            right[place] += (scores.argmax(axis=1) == given[held]).sum()
    without, with_them = right / count
    return float(without), float(with_them)


def _distinct(vectors: Any, items: IntArray, others: IntArray) -> IntArray:
    """The first of each of the items whose vectors are equal, none that is equal to another's."""
    seen = {sha256(vectors[item].tobytes()).digest() for item in others}
    kept = []
    for item in items:
        key = sha256(vectors[item].tobytes()).digest()
        if key not in seen:
            seen.add(key)
            kept.append(item)
    return np.array(kept, np.int64)
