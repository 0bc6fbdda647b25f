"""Quality of the parts on labelled vectors with a train and a test split, over several seeds.

    python benchmarks/quality.py banking77.minilm.npz --seeds 3
    python benchmarks/quality.py trec50.minilm.npz --variant triplet_margin=0.5,dropout_rate=0.2

Each variant is trained as ``dtgcnn train`` trains: a fifth of the training rows chooses the epoch,
then all of them are trained on. Known: test rows looked up among the training rows. Unseen: trained
without every third class (by number, from ``seed`` modulo 3 on), whose test rows are looked up
among each other, once as that model encodes them and once with a model that is indexed over them.
Mean and standard deviation, in percent; processor seconds of the first of both trainings.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from dtgcnn import DTGCNN, DTGCNNConfig, Trainer, TripletDataset
from dtgcnn.callbacks import Callback, StopAfter
from dtgcnn.config.templates import suggest
from dtgcnn.data import closed_form, usual_classes, usual_split, with_pseudo_labels
from dtgcnn.data.linear_maps import unit
from dtgcnn.evaluation import retrieval_metrics
from dtgcnn.model.start import Start
from dtgcnn.training import train_on_all

NO_GATE, NO_STEPS = "no gate", "no triplets (the start alone)"
VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    NO_STEPS: {},
    NO_GATE: {},
    "no class code": {"code_weight": 0.0},
    "no start": {"start": "none"},
    "no graph (own share 1)": {"graph_self_weight": 1.0},
    "propagation, 3 hops": {"propagation_hops": 3},
    "code weight 0.75": {"code_weight": 0.75},
    "SupCon": {"loss": "supcon"},
}
KNOWN = ("map@r", "recall@1", "recall@10", "knn@10")
CLOSED = ("map@r", "recall@1", "knn@10")
UNSEEN = ("map@r", "recall@1")


@contextmanager
def without_gate() -> Iterator[None]:
    """Class codes at one weight, however sure they are: ``(β / c) p`` in place of
    ``(β / c²) ‖p‖ p``."""
    gated, block = closed_form.gated, Start._block

    def flat(codes: Any, scale: float) -> Any:
        return codes * np.sqrt(scale * closed_form.CODE_WEIGHT)

    def unweighted(self: Start, ops: Any, x: Any, by_rows: bool) -> Any:
        own = self.arrays
        white: Any = self._whitened(ops, x)
        near = zip(self._views(ops, x, white), self.known, strict=True)
        kernel = sum(0.5 * np.exp(2.0 * (a @ b.T - 1.0)) for a, b in near)
        codes = flat(kernel @ own["coefficients"], own["code_scale"])
        z = unit(np.concatenate([white, codes], axis=1) @ own["projection"])
        return z.astype(np.float32), np.ones((len(x), 1), np.float32)

    closed_form.gated, Start._block = flat, unweighted  # type: ignore[method-assign]
    try:
        yield
    finally:
        closed_form.gated, Start._block = gated, block  # type: ignore[method-assign]


def labelled_vectors(file: Path) -> tuple[TripletDataset, Any, Any, Any, Any]:
    """The data, their rows and classes, and which rows are to train on and to test with."""
    data = TripletDataset(file)
    if data.features is None or data.labels is None:
        raise SystemExit(f"{file}: must hold labelled vectors")
    return data, data.features, data.labels, data.split_items("train"), data.split_items("test")


def trained(
    x: Any, labels: Any, seed: int, changes: dict[str, Any], backend: str
) -> tuple[DTGCNN, Any]:
    """A model trained on all rows to the last epoch, and the metrics of each epoch."""
    dataset = TripletDataset.from_arrays(x, labels)
    named = {"input_dim": x.shape[1], "seed": seed, **changes}
    config = DTGCNNConfig.from_dict(named)
    loader, _ = dataset.create_dataloaders(config.batch_size, 1.0, seed, config.samples_per_class)
    suits = suggest(len(dataset), len(loader), started=config.has_start)
    model = DTGCNN(config.replace(**(suits | named)), backend=backend)
    return model, Trainer(model, train_loader=loader, progress=False).train()


def closed(data: TripletDataset, view: Any) -> list[float]:
    """Test rows looked up among the training rows."""
    test, train = data.split_items("test"), data.split_items("train")
    y = data.labels
    assert y is not None
    return figures(view[test], y[test], CLOSED, view[train], y[train])


def chosen(x: Any, y: Any, seed: int, start: bool, changes: dict[str, Any], backend: str) -> DTGCNN:
    """What ``dtgcnn train`` makes of the rows, or the start that it begins with."""
    callbacks = [StopAfter(0)] if start else []
    trainer, dataset = held_out(x, y, seed, changes, backend, callbacks)
    return train_on_all(trainer, dataset).model


def held_out(
    x: Any,
    y: Any,
    seed: int,
    changes: dict[str, Any],
    backend: str = "numpy",
    callbacks: Sequence[Callback] = (),
    *,
    unlabelled: bool = False,
) -> tuple[Trainer, TripletDataset]:
    """The first training of ``dtgcnn train``, whose epoch a fifth of the rows chooses, and its
    data; with ``unlabelled`` rows of class −1 take part where labelled ones say so."""
    dataset = TripletDataset.from_arrays(x, y)
    named = {"input_dim": x.shape[1], "seed": seed, **changes}
    config = DTGCNNConfig.from_dict(named)
    split = usual_split(dataset)
    share = 0.0 if unlabelled else usual_classes(dataset, split)
    sizes = (config.batch_size, split, seed, config.samples_per_class)
    loader, val = dataset.create_dataloaders(*sizes, held_out_classes=share)
    if unlabelled and len(dataset.unlabelled_items()):
        loader, _ = with_pseudo_labels(loader, x, val, most=config.bank_size, seed=seed)
    suits = suggest(len(dataset.training_items()), len(loader), started=config.has_start)
    model = DTGCNN(config.replace(**(suits | named)), backend=backend)
    trainer = Trainer(
        model, train_loader=loader, val_loader=val, progress=False, callbacks=callbacks
    )
    trainer.train()
    return trainer, dataset


def figures(view: Any, labels: Any, names: tuple[str, ...], *gallery: Any) -> list[float]:
    """The named metrics."""
    found = retrieval_metrics(view, labels, *gallery)
    return [found[name] for name in names]


def unseen_classes(labels: Any, seed: int) -> Any:
    """Every third class."""
    return np.arange(seed % 3, labels.max() + 1, 3)


def line(name: str, runs: list[list[float]], digits: int = 1) -> str:
    """The beginning of a row of the table: mean and deviation of each column."""
    cells = []
    for column in zip(*runs, strict=True):
        spread = f" ± {100 * np.std(column, ddof=1):.{digits}f}" if len(column) > 1 else ""
        cells.append(f"{100 * np.mean(column):.{digits}f}{spread}")
    return f"| {name} | " + " | ".join(cells)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--backend", default="numpy")
    parser.add_argument("--start", action="store_true", help="take no step: the starts alone")
    parser.add_argument("--only", action="append", help="these of the variants")
    parser.add_argument("--variant", action="append", help="settings as NAME=JSON, comma-separated")
    options = parser.parse_args()
    variants = {n: c for n, c in VARIANTS.items() if not options.only or n in options.only}
    if options.variant:
        pairs = {text: [p.split("=") for p in text.split(",")] for text in options.variant}
        variants = {t: {k: json.loads(v) for k, v in p} for t, p in pairs.items()}

    _, x, y, train, test = labelled_vectors(options.file)
    heads = [*KNOWN, *(f"unseen {name}" for name in UNSEEN), *(f"indexed {n}" for n in UNSEEN)]
    print(f"| variant | {' | '.join(heads)} | seconds |\n|---{'|---' * (len(heads) + 1)}|")
    runs = []
    for seed in range(options.seeds):
        rest = test[np.isin(y[test], unseen_classes(y, seed))]
        known = figures(x[test], y[test], KNOWN, x[train], y[train])
        runs.append(known + 2 * figures(x[rest], y[rest], UNSEEN))
    print(line("input vectors", runs) + " | |", flush=True)
    for name, changes in variants.items():
        runs, seconds = [], []
        for seed in range(options.seeds):
            held = unseen_classes(y, seed)
            rest, seen = test[np.isin(y[test], held)], train[~np.isin(y[train], held)]
            start = options.start or name == NO_STEPS
            with without_gate() if name == NO_GATE else nullcontext():
                begin = time.process_time()
                model = chosen(x[train], y[train], seed, start, changes, options.backend)
                seconds.append(time.process_time() - begin)
                z = model.encode(x)
                partial = chosen(x[seen], y[seen], seed, start, changes, options.backend)
                views = [m.encode(x[rest]) for m in (partial, partial.index(x[rest]))]
            run = figures(z[test], y[test], KNOWN, z[train], y[train])
            runs.append(run + [f for v in views for f in figures(v, y[rest], UNSEEN)])
        print(line(name, runs) + f" | {np.mean(seconds):.0f} |", flush=True)


if __name__ == "__main__":
    main()
