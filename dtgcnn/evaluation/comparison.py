"""A trained embedding beside the vectors that go into it, measured on the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..array import give_freed_memory_back
from ..config import refuse_unless
from ..data import Pairs, check_items, progress_bar, takes_labels, untaught
from ..errors import DataError, MissingExtraError
from ..model import DTGCNN, ChosenRows, Classifier, Embedder, check_embedder, judged
from .metrics import (
    comparison_table,
    findable,
    pair_correlations,
    retrieval_metrics,
    triplet_accuracy,
)
from .projection import stratified_sample
from .rivals import Rivals, measure_rivals

if TYPE_CHECKING:
    from ..data import Items, TripletLoader

__all__ = ["Comparison", "compare", "compare_pairs", "queries_and_gallery"]


MOST_QUERIES, LEAST_QUERIES = 10_000, 1_000
MOST_PAIRS = 1_000_000_000
"""Most rows that are looked up; among so many that this would be more pairs, fewer, but no fewer
than the second number. They are drawn, each class in proportion, of those that can be found."""

_BLOCK_ROWS = 8192  # embedded at a time

_BANK_SHARE = 4
"""Where a fourth of the bank's rows or more are measured, all of them are embedded together, which
takes less than to seek the neighbours of some anew."""


@dataclass(frozen=True)
class Comparison:
    """Metrics before and after the model, and the rows they were measured on.

    Attributes:
        protocol: one sentence: what was looked up where.
        input, trained: metrics by name; see ``dtgcnn.evaluation.metrics``.
        input_vectors, embeddings: the measured rows, (N, D) and (N, output_dim). Of an encoder that
            learns from labels those from before, if it can be had.
        labels: (N,) their classes; of triplets and pairs, zeros.
        label_names: names of the classes.
        rivals: what classifiers of the input vectors find, where rows were looked up among others.
        known: how many of the measured rows are rows of the model's own bank.
        items: (N,) which rows of the data they are; None of pairs.
    """

    protocol: str
    input: dict[str, float]
    trained: dict[str, float]
    input_vectors: Any
    embeddings: Any
    labels: Any
    label_names: list[str] | None
    rivals: Rivals | None = None
    known: int = 0
    items: Any = None

    def table(self) -> str:
        """Both side by side, for people."""
        return comparison_table(self.input, self.trained)

    def rivals_table(self) -> str:
        """What else one could do with the input vectors, and whether training paid, for people;
        empty where no rivals were measured."""
        return "" if self.rivals is None else self.rivals.table()

    def to_dict(self) -> dict[str, Any]:
        """The figures, for machines."""
        figures: dict[str, Any] = {
            "protocol": self.protocol,
            "input": self.input,
            "trained": self.trained,
        }
        if self.known:
            figures["rows_of_the_bank"] = self.known
        if self.rivals is None:
            return figures
        return {**figures, "rivals": self.rivals.to_dict(), "verdict": self.rivals.verdict}


def compare(
    model: Embedder,
    dataset: Items,
    loader: TripletLoader | None = None,
    val_loader: TripletLoader | None = None,
    *,
    rivals: bool = True,
    progress: bool = False,
) -> Comparison | None:
    """Measure ``model`` on ``dataset``.

    Rows of the split "test" are looked up among those of the split "train". Without such splits,
    the validation loader's rows are looked up among the training loader's; without loaders, rows of
    a split for validation among "train", and without one, each row among all others. Triplets (the
    validation loader's, or all) give their accuracy. Where rows are looked up among others',
    ``rivals`` are fitted on these, see ``measure_rivals``. At most 10,000 rows are looked up, among
    more than 100,000 others a billion pairs of rows, but no fewer than 1,000 rows: of more, each
    class in proportion, of those that there are to be found; ``protocol`` says so. With
    ``progress`` there are bars, where standard error is a terminal.

    Returns:
        None where there is nothing to measure: neither labels nor triplets, nothing held out, or no
        row of a class that there is to be found.
    """
    check_embedder(model)
    check_items("dataset", dataset)
    if dataset.labels is None:
        return None
    names: list[str] | None
    beside: Rivals | None = None
    if dataset.triplets is not None:
        held_out = None if val_loader is None else val_loader.triplets
        triplets = dataset.triplets if held_out is None else held_out
        if len(triplets) == 0:
            return None
        rows = np.unique(triplets)
        views, place, in_bank, _, said = _viewed(model, dataset, rows, progress)
        before, after = (
            {"triplet_accuracy": triplet_accuracy(*(view[place[triplets[:, i]]] for i in range(3)))}
            for view in views
        )
        which = "" if held_out is None else "held-out "
        question = f"{len(triplets):,} {which}triplets: is the positive nearer than the negative?"
        protocol = question + said
        names, labels = ["text"], np.zeros(len(rows), np.int64)
    else:
        rows, gallery, protocol = queries_and_gallery(dataset, loader, val_loader)
        labels, names = dataset.labels[rows], dataset.label_names
        among = None if gallery is None else dataset.labels[gallery]
        found = findable(labels, among)
        if not len(found):
            return None
        drawn = None
        pairs = MOST_PAIRS // len(rows if gallery is None else gallery)
        most = min(MOST_QUERIES, max(LEAST_QUERIES, pairs))
        if len(rows) > most:
            if len(found) < len(rows):
                protocol = f"{len(found):,}, of classes that are there to be found, of {protocol}"
            if len(found) > most:
                protocol = f"{most:,}, of each class in proportion, of {protocol}"
            drawn = found[stratified_sample(labels[found], most)]
            if gallery is not None:
                rows, labels, drawn = rows[drawn], labels[drawn], None
        needed = rows if gallery is None else np.union1d(rows, gallery)
        views, place, in_bank, given, said = _viewed(model, dataset, needed, progress)
        protocol += said
        give_freed_memory_back()
        with progress_bar(
            "looking up", 2 * len(rows if drawn is None else drawn), progress
        ) as told:
            before, after = (
                retrieval_metrics(
                    ChosenRows(view, place[rows]),
                    labels,
                    None if gallery is None else ChosenRows(view, place[gallery]),
                    among,
                    only=drawn,
                    advance=told,
                )
                for view in views
            )
        if rivals and gallery is not None and among is not None:
            with progress_bar("fitting rivals", 1, progress):
                asked, known = ([ChosenRows(v, place[i]) for v in views] for i in (rows, gallery))
                there = rows[findable(labels, among)]
                x, z = (ChosenRows(of, place[there]) for of in (given, views[1]))
                told_right = _predicted(model, dataset.names_of(there), x, z)
                beside = measure_rivals(asked, labels, known, among, (before, after), told_right)
    own = place[rows]
    inputs, embeddings = (view[own] for view in views)
    measured = (protocol, before, after, inputs, embeddings, labels, names, beside)
    return Comparison(*measured, int(in_bank[own].sum()), rows)


def _viewed(
    model: Embedder, dataset: Items, items: Any, progress: bool
) -> tuple[tuple[Any, Any], Any, Any, Any, str]:
    """Of some items input vectors and embeddings, of every item which row of these is its own,
    which of the rows the model's bank holds, what goes into the model, and what there is to say of
    the input vectors."""
    place = np.full(dataset.num_items, -1)
    place[items] = np.arange(len(items))
    texts: Any = None
    if dataset.features is None:
        texts = dataset.inputs_of(items)
        given = model.vectors(texts)
    else:
        given = ChosenRows(model.vectors(dataset.features), items)
    in_bank = np.array(model.bank_rows_of(given), np.intp)
    embeddings = _embedded(model, given, in_bank, progress)
    before, said = _before(model, texts, given)
    return (before, embeddings), place, in_bank >= 0, given, said


def _before(model: Embedder, texts: Sequence[str] | None, given: Any) -> tuple[Any, str]:
    """The rows that there were of texts before anything was learnt from labels, and what there is
    to say of them; of rows without texts, and of what was loaded without the encoder that its own
    began with, the rows as they go in."""
    encoder: Any = getattr(model, "encoder", None)
    if texts is None or not takes_labels(encoder):
        return model.input_vectors(given), ""
    try:
        return untaught(encoder).encode(texts), "; input vectors are of the encoder before training"
    except (DataError, MissingExtraError) as error:
        said = f"; input vectors are of the trained encoder, since without it: {error}"
        return model.input_vectors(given), said


def _predicted(model: Embedder, names: list[str], x: ChosenRows, z: ChosenRows) -> float | None:
    """The share of rows, what goes in and embeddings, whose class the model tells; None where it
    may not tell all of their classes ``names``."""
    if not (isinstance(model, Classifier) and model.knows_classes):
        return None
    if not set(names) <= model.told_classes():
        return None
    rows = x[:]
    if isinstance(model, DTGCNN):
        answers = judged([model], [model.neighbors_of(rows, z[:])], rows)
    else:  # each model of an ensemble embeds them in its own way
        answers = model.answers(rows)
    return float((np.array(answers.labels()) == np.array(names)).mean())


def _embedded(model: Embedder, given: Any, places: Any, progress: bool) -> Any:
    """Embeddings of rows, whose ``places`` are those that ``bank_rows_of`` gives: those of the
    bank's made together where many of these are among them."""
    known = places >= 0
    if known.any() and _BANK_SHARE * known.sum() < len(model.trained_bank()):
        known[:] = False
    embeddings = np.empty((len(given), model.get_embedding_dimension()), np.float32)
    if known.any():
        embeddings[known] = model.bank_embeddings()[places[known]]
    others = np.flatnonzero(~known)
    with progress_bar("embedding", len(others), progress) as told:
        for start in range(0, len(others), _BLOCK_ROWS):
            block = others[start : start + _BLOCK_ROWS]
            embeddings[block] = model.embed(given[block], advance=told)
    return embeddings


def compare_pairs(model: Embedder, pairs: Pairs, *, progress: bool = False) -> Comparison:
    """Measure ``model`` on pairs with scores: does their cosine follow the score? ``progress`` is
    that of ``compare``.

    Raises:
        ValueError: they have no scores, or ``pair_correlations`` is not defined.
    """
    check_embedder(model)
    refuse_unless(isinstance(pairs, Pairs), "pairs", "must be what read_pairs gives", pairs)
    if pairs.scores is None:
        raise ValueError(
            f"{pairs.source.name}: pairs are measured by scores, and these have none; "
            "'dtgcnn generate' makes triplets of them, which are measured without"
        )
    count = len(pairs.first)
    texts = [*pairs.first, *pairs.second]
    given = model.vectors(texts)
    embeddings = model.encode(given, show_progress_bar=progress)
    inputs, said = _before(model, texts, given)
    before, after = (
        pair_correlations(view[:count], view[count:], pairs.scores) for view in (inputs, embeddings)
    )
    protocol = f"{count:,} pairs: does the cosine follow the score?{said}"
    labels = np.zeros(2 * count, np.int64)
    measured = (inputs, embeddings, labels, ["text"])
    known = sum(place >= 0 for place in model.bank_rows_of(given))
    return Comparison(protocol, before, after, *measured, known=known)


def queries_and_gallery(
    dataset: Items, loader: TripletLoader | None, val_loader: TripletLoader | None
) -> tuple[Any, Any, str]:
    """The rows that are looked up, those that they are looked up among, or None for all others, and
    this in words; see ``compare``."""
    test, name = dataset.held_out_items()
    test, train = (_labelled(dataset, items) for items in (test, dataset.split_items("train")))
    assert dataset.labels is not None
    if len(test) and len(train) and (name == "test" or val_loader is None):
        if np.isin(dataset.labels[test], dataset.labels[train]).any():
            text = f"{len(test):,} {name} rows, looked up among {len(train):,} train rows"
            return test, train, text
        text = f"{len(test):,} {name} rows, of classes without train rows, each looked up among all"
        return test, None, text + " others"
    if loader is not None and val_loader is not None:
        rows, gallery = val_loader.items, _labelled(dataset, loader.items)
        text = f"{len(rows):,} held-out rows, looked up among {len(gallery):,} training rows"
        return rows, gallery, text
    rows = _labelled(dataset, np.arange(dataset.num_items))
    return rows, None, f"{len(rows):,} rows, each looked up among all others"


def _labelled(dataset: Items, items: Any) -> Any:
    """Those of the items whose class is known."""
    assert dataset.labels is not None
    return items[dataset.labels[items] >= 0]
