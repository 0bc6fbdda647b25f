"""A few labels and a corpus: accuracy of ``predict`` on the test rows, as ``dtgcnn train`` trains.

    python benchmarks/unlabelled.py data          # the folder that benchmarks/data.py makes
    python benchmarks/unlabelled.py data --only growth

``few``: five and ten labelled rows a class of Banking77, as published, and five a class of R8
(three draws), the other training rows unlabelled. ``mixed``: with the rows of R8 and STS-B among
them, and with these alone. ``growth``: with more and more unlabelled rows. ``sample``: eight rows a
class of the bundled sample, texts by TF-IDF, the other training texts unlabelled. Beside it
logistic regression on the labelled rows, the same trained on its own surest labels (70% of each
class, no graph), and the model without unlabelled rows. Percent, and processor seconds of the
model's training.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from quality import held_out
from sklearn.linear_model import LogisticRegression

from dtgcnn.data import load_sample, make_encoder
from dtgcnn.training import train_on_all

HEAD = (
    "| labelled | unlabelled | logistic regression | self-trained | without them | with them | s |"
)
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


def self_trained(x: Any, y: Any, rest: Any) -> LogisticRegression:
    """Logistic regression on labelled rows and on the surest 70% of each class of the rest."""
    model = LogisticRegression(C=10.0, max_iter=500).fit(x, y)
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
    return LogisticRegression(C=10.0, max_iter=500).fit(*both)


def row(name: str, x: Any, y: Any, rest: Any, test: Any, test_y: Any, seed: int) -> None:
    """One line of the table."""
    data = np.concatenate([x, rest]), np.concatenate([y, np.full(len(rest), -1)])
    shares = [
        model.score(test, test_y)
        for model in (
            LogisticRegression(C=10.0, max_iter=500).fit(x, y),
            self_trained(x, y, rest),
        )
    ]
    begin = 0.0
    for use in (False, True) if len(rest) else (False,):
        begin = time.process_time()
        trainer, dataset = held_out(*data, seed, {}, unlabelled=use)
        model = train_on_all(trainer, dataset).model
        found = np.array([int(name) for name in model.predict(test)])
        shares.append(float((found == test_y).mean()))
    seconds = time.process_time() - begin
    cells = [f"{100 * share:.1f}" for share in shares] + ["–"] * (4 - len(shares))
    print(f"| {name} | {len(rest):,} | {' | '.join(cells)} | {seconds:.0f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", choices=["few", "mixed", "growth", "sample"])
    options = parser.parse_args()
    warnings.filterwarnings("ignore", category=FutureWarning)
    parts = [options.only] if options.only else ["few", "mixed", "growth", "sample"]
    x, y, test, test_y = vectors(options.folder, "banking77")
    print(f"{HEAD}\n|{'---|' * 7}", flush=True)
    for shots in (5, 10):
        few = published(options.folder, shots)
        rest = np.delete(x, few, axis=0)
        name = f"Banking77, {shots} a class"
        given = (x[few], y[few])
        if "few" in parts:
            row(name, *given, rest, test, test_y, 0)
        if "mixed" in parts:
            with np.load(options.folder / "stsb_dev.minilm.npz") as file:
                pairs = unit(np.concatenate([file["a_x"], file["b_x"]]))
            other = np.concatenate([vectors(options.folder, "r8")[0], pairs])
            row(f"{name}, R8 and STS-B too", *given, np.concatenate([rest, other]), test, test_y, 0)
            row(f"{name}, R8 and STS-B only", *given, other, test, test_y, 0)
        if "growth" in parts:
            order = np.random.default_rng(0).permutation(len(rest))
            for count in GROWTH:
                row(name, *given, rest[order[:count]], test, test_y, 0)
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
