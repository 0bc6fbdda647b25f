r"""What training on triplets, or on pairs with scores, is worth to texts that it did not see.

    python benchmarks/triplets.py banking77_triplets_train.json banking77.csv.gz
    python benchmarks/triplets.py banking77_triplets_train.json banking77.csv.gz \
        --vectors banking77.minilm.npz
    python benchmarks/triplets.py stsb_train.csv.gz stsb_test.csv.gz \
        --encoder sentence-transformer:all-MiniLM-L6-v2

Trained as ``dtgcnn train`` trains: a tenth of the triplets chooses the epoch, then all of them are
trained on. Pairs become triplets as by ``dtgcnn generate --positive-score 4 --negative-score 1``. A
labelled TEST is measured by its test rows, looked up among its training rows, once as the model
encodes them and once with a model that is indexed over the training rows; pairs by Spearman's
correlation. Mean and standard deviation over seeds, in percent.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from quality import KNOWN, figures, line

from dtgcnn import DTGCNN, DTGCNNConfig, Trainer, TripletDataset
from dtgcnn.callbacks import Callback, StopAfter
from dtgcnn.config.templates import suggest
from dtgcnn.data import TripletGenerator, fit_encoder, make_encoder
from dtgcnn.data.reading.pairs import holds_pairs, read_pairs
from dtgcnn.evaluation.metrics import pair_correlations
from dtgcnn.training import train_on_all

Encode = Callable[[Sequence[str]], Any]
Measure = Callable[[Encode, bool], list[float]]


class Known:
    """An encoder of texts whose vectors are known."""

    name = "known"

    def __init__(self, texts: Sequence[str], vectors: Any) -> None:
        self.rows, self.dim = dict(zip(texts, vectors, strict=True)), vectors.shape[1]

    def fit(self, texts: Sequence[str]) -> Self:
        """There is nothing to learn."""
        return self

    def encode(self, texts: Sequence[str]) -> Any:
        """(N, dim) the rows of these texts."""
        return np.stack([self.rows[text] for text in texts])


def triplets_of(path: Path, encoder: str) -> TripletDataset:
    """The triplets of a file, or those of its pairs."""
    if not holds_pairs(path):
        return TripletDataset(path)
    made = TripletGenerator(encoder=encoder).generate_from_pairs(
        read_pairs(path), positive_score=4.0, negative_score=1.0
    )
    return TripletDataset.from_triplets(made)


def measure_of(path: Path) -> tuple[list[str], tuple[str, ...], Measure]:
    """The texts of a file, the names of its figures, and what finds them."""
    if holds_pairs(path):
        pairs = read_pairs(path)
        assert pairs.scores is not None
        scores = pairs.scores

        def correlated(encode: Encode, _: bool) -> list[float]:
            views = encode(pairs.first), encode(pairs.second)
            return [pair_correlations(*views, scores)["spearman"]]

        return [*pairs.first, *pairs.second], ("Spearman",), correlated
    data = TripletDataset(path)
    texts, y = data.texts, data.labels
    assert texts is not None
    assert y is not None
    test, train = data.split_items("test"), data.split_items("train")

    def looked_up(encode: Encode, indexed: bool) -> list[float]:
        if indexed:
            encode = encode.__self__.index([texts[i] for i in train]).encode  # type: ignore
        z = [encode([texts[i] for i in rows]) for rows in (test, train)]
        return figures(z[0], y[test], KNOWN, z[1], y[train])

    return texts, KNOWN, looked_up


def trained(
    data: TripletDataset, given: Any, spec: str, seed: int, changes: dict[str, Any], stop: bool
) -> DTGCNN:
    """The model of ``dtgcnn train``, or with ``stop`` the start that it begins with."""
    named = {"input_dim": 384, "seed": seed, **changes}
    config = DTGCNNConfig.from_dict(named)
    loader, val = data.create_dataloaders(config.batch_size, 0.9, seed)
    suits = suggest(len(data), len(loader), started=config.has_start, triplets=True)
    if "loss" in changes:
        suits = {"num_epochs": suits["num_epochs"]}
    first, fresh = given, None
    if given is None:
        first, fresh = (make_encoder(spec, config.input_dim) for _ in range(2))
        fit_encoder(first, loader, unlabelled=False)
    model = DTGCNN(config.replace(**(suits | named)), backend="numpy", encoder=first)
    hooks: list[Callback] = [StopAfter(0)] if stop else []
    trainer = Trainer(model, train_loader=loader, val_loader=val, progress=False, callbacks=hooks)
    trainer.train()
    return train_on_all(trainer, data, fresh).model


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("train", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("--encoder", default="tfidf")
    parser.add_argument("--vectors", type=Path, help="those of the rows of TEST")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--set", action="append", default=[], help="settings, as NAME=JSON")
    options = parser.parse_args()
    texts, names, measure = measure_of(options.test)
    given = None
    if options.vectors is not None:
        vectors = TripletDataset(options.vectors).features
        given = Known(texts, vectors)
    changes = {name: json.loads(v) for name, v in (text.split("=") for text in options.set)}
    data = triplets_of(options.train, options.encoder)
    print(f"| | {' | '.join(names)} |\n|---{'|---' * len(names)}|")
    runs: dict[str, list[list[float]]] = {}
    for seed in range(options.seeds):
        for name, stop in (("the start", True), ("trained", False)):
            model = trained(data, given, options.encoder, seed, changes, stop)
            assert model.encoder is not None
            if stop:
                runs.setdefault("input vectors", []).append(measure(model.encoder.encode, False))
            runs.setdefault(name, []).append(measure(model.encode, False))
        if names == KNOWN:
            runs.setdefault("indexed", []).append(measure(model.encode, True))
    for name, found in runs.items():
        print(f"{line(name, found)} |", flush=True)


if __name__ == "__main__":
    main()
