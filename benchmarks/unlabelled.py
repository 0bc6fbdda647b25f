"""A few labels and a corpus: accuracy of ``predict`` on the test rows, as ``dtgcnn train`` trains.

    python benchmarks/unlabelled.py data          # the folder that benchmarks/data.py makes
    python benchmarks/unlabelled.py data --only growth --picture docs/few_labels.png

``few``: five and ten labelled rows a class of Banking77, as published, and five a class of R8
(three draws), the other training rows unlabelled. ``mixed``: with the rows of R8 and STS-B among
them, and with these alone. ``growth``: with more and more unlabelled rows, and a picture of it.
``sample``: eight rows a class of the bundled sample, texts by TF-IDF, the other training texts
unlabelled. Beside it logistic regression on the labelled rows, the same trained on its own surest
labels (70% of each class, no graph), and the model without unlabelled rows. Percent, and processor
seconds of the model's training. ``ablation``: parts left out, on three draws of five rows a class
of Banking77. ``alone``: five, ten and twenty labelled rows a class of each set, three draws, and no
others, beside what one would try instead: of all test rows, and the mean over classes of the share
of their test rows, since classes of many rows count for most in the first.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import time
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
from quality import held_out, line
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, balanced_accuracy_score
from sklearn.neighbors import NearestCentroid
from sklearn.neural_network import MLPClassifier

from dtgcnn import DTGCNN, DTGCNNConfig, Trainer, TripletDataset, TripletLoader
from dtgcnn.callbacks import StopAfter
from dtgcnn.config.templates import suggest
from dtgcnn.data import load_sample, make_encoder, spread_labels, with_pseudo_labels
from dtgcnn.plots.figure import BEFORE, finish, new_figure
from dtgcnn.training import train_on_all

HEAD = (
    "| labelled | unlabelled | logistic regression | self-trained | without them | with them | s |"
)
RIGHT = accuracy_score, balanced_accuracy_score
TABLES = ["ablation", "alone", "few", "mixed", "growth", "sample"]
GROWTH = (0, 300, 1_000, 3_000, 9_618)


def unit(x: Any) -> Any:
    """Rows at unit length."""
    x = x.astype(np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def vectors(folder: Path, name: str) -> tuple[Any, Any, Any, Any]:
    """Training rows and classes, test rows and classes."""
    with np.load(folder / f"{name}.minilm.npz") as file:
        rows = [unit(file[f"{side}_x"]) for side in ("train", "test")]
        return rows[0], file["train_y"].astype(int), rows[1], file["test_y"].astype(int)


def published(folder: Path, shots: int) -> Any:
    """Which training rows of Banking77 are the published few."""
    named = [folder / f"banking77{part}.csv.gz" for part in ("", "_fewshot")]
    tables = []
    for path in named:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            tables.append(list(csv.DictReader(file)))
    texts = [row["text"] for row in tables[0] if row["split"] == "train"]
    place = {text: i for i, text in enumerate(texts)}
    return np.array([place[r["text"]] for r in tables[1] if r["split"] == f"train_{shots}"])


def drawn(y: Any, shots: int, seed: int) -> Any:
    """So many rows of each class."""
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.permutation(np.flatnonzero(y == c))[:shots] for c in np.unique(y)])


LOGISTIC = partial(LogisticRegression, C=10.0, max_iter=500)
PERCEPTRON = partial(MLPClassifier, (256,), max_iter=300, random_state=0)


def self_trained(x: Any, y: Any, rest: Any, make: Callable[[], Any] = LOGISTIC) -> Any:
    """A model of labelled rows and of the surest 70% of each class of the rest."""
    model = make().fit(x, y)
    if not len(rest):
        return model
    shares = model.predict_proba(rest)
    best, surest = shares.argmax(axis=1), shares.max(axis=1)
    taken = []
    for c in range(shares.shape[1]):
        own = np.flatnonzero(best == c)
        taken.append(own[np.argsort(-surest[own])[: int(np.ceil(0.7 * len(own)))]])
    chosen = np.concatenate(taken)
    both = np.concatenate([x, rest[chosen]]), np.concatenate([y, model.classes_[best[chosen]]])
    return make().fit(*both)


def labels_alone(loader: TripletLoader, x: Any) -> TripletLoader:
    """Without unlabelled rows."""
    return loader


def nodes_alone(loader: TripletLoader, x: Any) -> TripletLoader:
    """Unlabelled rows are nodes of the graph, and in no batch."""
    none = np.array([], np.int64)
    return loader.with_pseudo_labels(none, none, loader.dataset.unlabelled_items())


def pseudo_labels(loader: TripletLoader, x: Any) -> TripletLoader:
    """Pseudo-labels as in training, used in any case."""
    return with_pseudo_labels(loader, x, always=True)[0]


def labelled_bank(loader: TripletLoader, x: Any, own_x: Any) -> tuple[Any, list[int]]:
    """What the bank holds where it is of labelled rows alone."""
    own = ~np.isin(loader.items, loader.pseudo)
    return own_x[own], loader.labels[own].tolist()


class Part(NamedTuple):
    """What becomes of a loader, and what is put in whose place."""

    corpus: Callable[..., TripletLoader]
    changed: dict[str, Any] = {}  # noqa: RUF012


UNFILTERED, WHOLE = "no filter: every row takes a label", "all of it"
PARTS = {
    "model, graph over labelled rows only": Part(labels_alone),
    "the same, trained with pseudo-labels": Part(
        pseudo_labels, {"dtgcnn.training.step_inputs._bank_rows": labelled_bank}
    ),
    "graph over all rows, no pseudo-labels": Part(nodes_alone),
    UNFILTERED: Part(
        pseudo_labels,
        {
            "dtgcnn.data.label_spreading.FAR": 0.0,
            "dtgcnn.data.pseudo_labels.spread_labels": partial(spread_labels, kept=1.0),
        },
    ),
    WHOLE: Part(pseudo_labels),
}


def trained_with(x: Any, y: Any, seed: int, corpus: Callable[..., TripletLoader]) -> DTGCNN:
    """The model that ``dtgcnn train`` makes, its loaders changed by ``corpus``."""
    dataset, best = TripletDataset.from_arrays(x, y), None
    config = DTGCNNConfig(input_dim=x.shape[1], seed=seed)
    of_batches = (seed, config.samples_per_class)
    for share in (0.8, 1.0):
        loader, val = dataset.create_dataloaders(config.batch_size, share, *of_batches)
        loader = corpus(loader, x)
        suits = suggest(len(dataset.training_items()), len(loader), started=True)
        model = DTGCNN(config.replace(**suits), backend="numpy")
        stop = [] if best is None else [StopAfter(best)]
        trainer = Trainer(
            model, train_loader=loader, val_loader=val, callbacks=stop, progress=False
        )
        trainer.train()
        best = trainer.best_epoch
    return model


def ablation(x: Any, y: Any, test: Any, test_y: Any, other: Any) -> None:
    """A table of what each part is worth, over three draws; ``other`` are rows off the topic."""
    draws = [drawn(y, 5, seed) for seed in range(3)]
    print("| | accuracy |\n|---|---|", flush=True)
    for name, make in (("logistic regression", LOGISTIC), ("perceptron", PERCEPTRON)):
        for kind, count in ((name, 0), (f"{name}, self-trained, no graph", None)):
            fitted = (
                self_trained(x[few], y[few], np.delete(x, few, axis=0)[:count], make)
                for few in draws
            )
            print(line(kind, [[model.score(test, test_y)] for model in fitted]) + " |", flush=True)
    both = np.concatenate([x, other])
    mixed = {f"{name}, R8 and STS-B too": (PARTS[name], both) for name in (UNFILTERED, WHOLE)}
    for name, (part, rows) in ({name: (part, x) for name, part in PARTS.items()} | mixed).items():
        shares = []
        for seed, few in enumerate(draws):
            given = np.full(len(rows), -1)
            given[few] = y[few]
            with ExitStack() as stack:
                for target, value in part.changed.items():
                    stack.enter_context(patch(target, value))
                model = trained_with(rows, given, seed, part.corpus)
                found = np.array([int(name) for name in model.predict(test)])
            shares.append([float((found == test_y).mean())])
        print(line(name, shares) + " |", flush=True)


def row(
    name: str,
    x: Any,
    y: Any,
    rest: Any,
    test: Any,
    test_y: Any,
    seed: int,
    without: bool = True,
) -> list[float]:
    """One line of the table, and its shares; ``without`` tells the model without unlabelled rows
    too."""
    data = np.concatenate([x, rest]), np.concatenate([y, np.full(len(rest), -1)])
    shares = [
        model.score(test, test_y)
        for model in (
            LOGISTIC().fit(x, y),
            self_trained(x, y, rest),
        )
    ]
    begin = 0.0
    if not without and len(rest):
        shares.append(float("nan"))
    for use in (False, True)[not without :] if len(rest) else (False,):
        begin = time.process_time()
        trainer, dataset = held_out(*data, seed, {}, unlabelled=use)
        model = train_on_all(trainer, dataset).model
        found = np.array([int(name) for name in model.predict(test)])
        shares.append(float((found == test_y).mean()))
    seconds = time.process_time() - begin
    cells = ["–" if np.isnan(share) else f"{100 * share:.1f}" for share in shares]
    cells += ["–"] * (4 - len(shares))
    print(f"| {name} | {len(rest):,} | {' | '.join(cells)} | {seconds:.0f} |", flush=True)
    return shares


def alone(folder: Path) -> None:
    """A table of labelled rows without others: what is tried instead, and the model."""
    ways = {
        "logistic regression": LOGISTIC,
        "discriminants": partial(LinearDiscriminantAnalysis, solver="lsqr", shrinkage="auto"),
        "nearest centroid": NearestCentroid,
    }
    heads = [f"{way} | by class" for way in (*ways, "model")]
    print(f"| labelled | {' | '.join(heads)} |\n|---|{'---|' * 2 * len(heads)}", flush=True)
    for name in ("banking77", "r8", "trec6", "trec50"):
        x, y, test, test_y = vectors(folder, name)
        for shots in (5, 10, 20):
            shares = []
            for seed in range(3):
                few = drawn(y, shots, seed)
                told = [make().fit(x[few], y[few]).predict(test) for make in ways.values()]
                trainer, dataset = held_out(x[few], y[few], seed, {})
                told.append(np.array(train_on_all(trainer, dataset).model.predict(test), int))
                shares.append([measure(test_y, own) for own in told for measure in RIGHT])
            print(line(f"{name}, {shots} a class", shares) + " |", flush=True)


def draw(grown: dict[int, list[list[float]]], path: Path) -> None:
    """A picture of how accuracy grows with unlabelled rows, for each number of labelled ones."""
    figure = new_figure(figsize=(6.4, 4.2))
    axes = figure.subplots()
    places = np.arange(len(GROWTH))
    for (shots, shares), colour in zip(grown.items(), ("#1f77b4", "#d95f02"), strict=True):
        names = {1: "logistic regression, self-trained", -1: "the model"}
        for column, style in ((1, "o--"), (-1, "o-")):
            values = [100 * one[column] for one in shares]
            face = BEFORE if column == 1 else colour
            label = f"{shots} labelled rows a class, {names[column]}"
            axes.plot(places, values, style, color=colour, markerfacecolor=face, label=label)
    axes.set_xticks(places, [*(f"{count:,}" for count in GROWTH[:-1]), "all others"])
    axes.set(xlabel="unlabelled rows", ylabel="accuracy on the test rows, %", title="Banking77")
    axes.legend(frameon=False, fontsize=8, loc=(0.01, 0.36))
    axes.grid(alpha=0.3)
    finish(figure, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", choices=TABLES)
    parser.add_argument("--picture", type=Path, help="of growth, a .png or .svg file")
    options = parser.parse_args()
    for kind in (FutureWarning, ConvergenceWarning):
        warnings.filterwarnings("ignore", category=kind)
    parts = [options.only] if options.only else TABLES
    if "alone" in parts:
        alone(options.folder)
        if len(parts) == 1:
            return
    x, y, test, test_y = vectors(options.folder, "banking77")
    with np.load(options.folder / "stsb_dev.minilm.npz") as file:
        pairs = unit(np.concatenate([file["a_x"], file["b_x"]]))
    other = np.concatenate([vectors(options.folder, "r8")[0], pairs])
    if "ablation" in parts:
        ablation(x, y, test, test_y, other)
        if len(parts) == 1:
            return
    print(f"{HEAD}\n|{'---|' * 7}", flush=True)
    grown: dict[int, list[list[float]]] = {}
    for shots in (5, 10):
        few = published(options.folder, shots)
        rest = np.delete(x, few, axis=0)
        name = f"Banking77, {shots} a class"
        given = (x[few], y[few])
        if "few" in parts:
            row(name, *given, rest, test, test_y, 0)
        if "mixed" in parts:
            row(f"{name}, R8 and STS-B too", *given, np.concatenate([rest, other]), test, test_y, 0)
            row(f"{name}, R8 and STS-B only", *given, other, test, test_y, 0)
        if "growth" in parts:
            order = np.random.default_rng(0).permutation(len(rest))
            grown[shots] = [
                row(name, *given, rest[order[:count]], test, test_y, 0, without=False)
                for count in GROWTH
            ]
    if grown and options.picture is not None:
        draw(grown, options.picture)
    if "few" in parts:
        x, y, test, test_y = vectors(options.folder, "r8")
        for seed in range(3):
            few = drawn(y, 5, seed)
            rest = np.delete(x, few, axis=0)
            row(f"R8, 5 a class, draw {seed}", x[few], y[few], rest, test, test_y, seed)
    if "sample" in parts:
        sample = load_sample()
        assert sample.texts is not None
        assert sample.labels is not None
        train, held = sample.split_items("train"), sample.split_items("test")
        for seed in range(3):
            few = train[drawn(sample.labels[train], 8, seed)]
            rest = np.setdiff1d(train, few)
            encoder = make_encoder("tfidf", 384, cache=False)
            encoder.fit([sample.texts[i] for i in train])
            z = encoder.encode(sample.texts)
            name = f"sample, 8 a class, draw {seed}"
            args = (z[few], sample.labels[few], z[rest], z[held], sample.labels[held])
            row(name, *args, seed)


if __name__ == "__main__":
    main()
