"""Augmentation of a small training set: Banking77 with ten texts a class.

    python benchmarks/augment.py FOLDER --seeds 3
    python benchmarks/augment.py FOLDER --model all-MiniLM-L6-v2 --thesaurus synonyms.tsv
    python benchmarks/augment.py FOLDER --through spa cat

FOLDER holds banking77.csv.gz, banking77_fewshot.csv.gz and banking77.minilm.npz. Texts become
vectors by TF-IDF, fitted on what is trained on, and by the sentence-transformers model that
--model names; mixup needs none, it mixes the vectors of the file. --through names languages that
the command ``apertium`` can translate English to and back: Debian has this machine translator, and
its data as apertium-eng-spa, apertium-eng-cat and so on. The 770 training rows and their versions
train; the test rows are looked up among the 770. Every training takes about 800 steps. Mean and
standard deviation over seeds, of training and augmentation alike, in percent.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import quality
from quality import CLOSED, line

from dtgcnn import TfidfEncoder, TripletAugmenter, TripletDataset
from dtgcnn.data import SentenceTransformerEncoder
from dtgcnn.errors import MissingExtraError
from dtgcnn.evaluation.metrics import retrieval_metrics

WIDTH = 384
TEXTS = {
    "none": (),
    "noise": ("noise_injection",),
    "synonyms": ("synonym_replacement",),
    "openings": ("paraphrase",),
    "round trip": ("back_translation",),
}
OPENINGS = ("Hello, {}", "Quick question: {}", "Could you help me? {}", "Good morning. {}")


def opened(texts: list[str]) -> list[list[str]]:
    """Each text behind openings that add nothing: the plainest function that rewords."""
    turned = [i % len(OPENINGS) for i, _ in enumerate(texts)]
    return [
        [opening.format(text) for opening in (*OPENINGS[i:], *OPENINGS[:i])]
        for i, text in zip(turned, texts, strict=True)
    ]


def translated(texts: list[str], way: str) -> list[str]:
    """By Apertium (Forcada et al. 2011), a translator by rules, one text a line."""
    command = ["apertium", "-u", "-f", "line", way]
    lines = "".join(f"{text}\n" for text in texts)
    done = subprocess.run(command, input=lines, capture_output=True, text=True, check=True)
    return [" ".join(line.split()) for line in done.stdout.splitlines()]


def there_and_back(languages: list[str]) -> Any:
    """A version of each text through each language, the languages taking turns at being first."""

    def trips(texts: list[str]) -> list[list[str]]:
        ways = [translated(translated(texts, f"eng-{x}"), f"{x}-eng") for x in languages]
        turns = (i % len(ways) for i, _ in enumerate(texts))
        return [
            list(versions[i:] + versions[:i])
            for i, versions in zip(turns, zip(*ways, strict=True), strict=True)
        ]

    return trips


def few_shot(folder: Path) -> tuple[TripletDataset, Any]:
    """Ten texts a class to train on with all texts to test on, and the MiniLM vectors of both."""
    whole = TripletDataset(folder / "banking77.csv.gz")
    few = TripletDataset(folder / "banking77_fewshot.csv.gz")
    assert whole.texts is not None
    assert few.texts is not None
    test = whole.split_items("test").tolist()
    first: dict[str, int] = {}
    for i in whole.split_items("train").tolist():
        first.setdefault(whole.texts[i], i)
    train = sorted(first[few.texts[i]] for i in few.split_items("train_10"))
    rows = train + test
    assert whole.labels is not None
    assert whole.label_names is not None
    data = TripletDataset.from_labelled(
        [whole.texts[i] for i in rows],
        [whole.label_names[whole.labels[i]] for i in rows],
        ["train"] * len(train) + ["test"] * len(test),
    )
    vectors = TripletDataset(folder / "banking77.minilm.npz").features
    assert vectors is not None
    x = vectors[rows]
    return data, x / np.linalg.norm(x, axis=1, keepdims=True)


def measured(view: Any, train: Any, test: Any, labels: Any) -> list[float]:
    figures = retrieval_metrics(view[test], labels[test], view[train], labels[train])
    return [figures[name] for name in CLOSED]


def run(
    data: TripletDataset, seed: int, options: argparse.Namespace, augmenter: Any, encode: Any
) -> tuple[list[float], int]:
    """The figures of one training, and the rows that it trained on."""
    train, test = data.training_items(), data.split_items("test")
    more = data if augmenter is None else augmenter.augment_dataset(data, options.versions)
    own = more.training_items()
    x = encode(more, own)
    changes = {"num_threads": 1, **json.loads(options.settings)}
    model, _ = quality.trained(x[own], more.labels[own], seed, changes, options.backend)
    return measured(model.encode(x), train, test, more.labels), len(own)


def by_tfidf(data: TripletDataset, items: Any) -> Any:
    assert data.texts is not None
    encoder = TfidfEncoder(WIDTH).fit([data.texts[i] for i in items])
    return encoder.encode(data.texts)


def as_they_are(data: TripletDataset, items: Any) -> Any:
    return data.features


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--versions", type=int, default=2)
    parser.add_argument("--probability", type=float, default=1.0)
    parser.add_argument("--thesaurus", default="wordnet")
    parser.add_argument("--model", help="a sentence-transformers model")
    parser.add_argument("--through", nargs="+", help="languages of Apertium, such as spa")
    parser.add_argument("--only", help="the vectors of some rows of the table, such as TF-IDF")
    parser.add_argument("--settings", default="{}", help="of the training, as JSON")
    parser.add_argument("--backend", default="numpy")
    options = parser.parse_args()
    data, x = few_shot(options.folder)
    assert data.labels is not None
    vectors = TripletDataset.from_arrays(x, data.labels, data.splits)

    encoders: dict[str, Any] = {"TF-IDF": by_tfidf}
    if options.model is not None:
        encoder = SentenceTransformerEncoder(options.model)
        encoders["MiniLM"] = lambda more, items: encoder.encode(more.texts)
    names = [name for name in TEXTS if options.through or name != "round trip"]
    plans = [(name, e, TEXTS[name], data) for e in encoders for name in names]
    encoders["MiniLM vectors"] = as_they_are
    plans += [
        (name, "MiniLM vectors", s, vectors) for name, s in (("none", ()), ("mixup", ("mixup",)))
    ]

    columns = " | ".join(["vectors", "augmentation", *CLOSED, "rows", "seconds"])
    print(f"| {columns} |\n|---|---" + "|---" * 5 + "|", flush=True)
    for name, encoder_name, strategies, source in plans:
        if options.only not in (None, encoder_name):
            continue
        runs, seconds, rows = [], [], 0
        for seed in range(options.seeds):
            more = {"thesaurus": options.thesaurus, "seed": seed}
            more |= {"paraphrase": opened} if "paraphrase" in strategies else {}
            if "back_translation" in strategies:
                more["back_translation"] = there_and_back(options.through)
            try:
                made = (
                    TripletAugmenter(strategies, options.probability, **more)
                    if strategies
                    else None
                )
            except MissingExtraError as error:
                print(f"| {encoder_name} | {name} | {error} |" + " |" * 4, flush=True)
                break
            begin = time.process_time()
            figures, rows = run(source, seed, options, made, encoders[encoder_name])
            seconds.append(time.process_time() - begin)
            runs.append(figures)
        else:
            row = line(f"{encoder_name} | {name}", runs)
            print(f"{row} | {rows:,} | {np.mean(seconds):.0f} |", flush=True)


if __name__ == "__main__":
    main()
