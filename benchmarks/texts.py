"""``dtgcnn train`` on files of labelled texts, by widths of TF-IDF, beside a linear SVM.

    python benchmarks/texts.py trec50.csv.gz banking77.csv.gz --columns 384 768

Each FILE has texts, labels, and a split with test rows. First a linear SVM (scikit-learn's
``LinearSVC``, C = 1) on sparse TF-IDF of words, word pairs and character 2- to 5-grams, fitted on
the training rows; then, for each width, logistic regression on TF-IDF of so many columns, and the
trained model: test rows looked up among the training rows. Mean over seeds, in percent; MiB of the
saved model with its encoder; processor seconds of the whole command.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from encoders import trained
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline, make_union
from sklearn.svm import LinearSVC

from dtgcnn.data import TripletDataset

METRICS = ("map@r", "recall@1", "recall@10", "knn@10")


def linear_svm(file: Path) -> float:
    """Accuracy on the test rows."""
    data = TripletDataset(file)
    assert data.texts is not None
    assert data.labels is not None
    words = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2))
    characters = TfidfVectorizer(sublinear_tf=True, analyzer="char_wb", ngram_range=(2, 5))
    told: Any = make_pipeline(make_union(words, characters), LinearSVC())
    train, test = data.split_items("train"), data.split_items("test")
    told.fit([data.texts[item] for item in train], data.labels[train])
    return float(told.score([data.texts[item] for item in test], data.labels[test]))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE")
    parser.add_argument("--columns", type=int, nargs="+", default=[384, 768])
    parser.add_argument("--seeds", type=int, default=1)
    options = parser.parse_args()
    heads = ["", "columns", "linear SVM, sparse", "logistic regression", *METRICS, "MiB", "s"]
    print(f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|", flush=True)
    for file in options.files:
        sparse = 100 * linear_svm(file)
        for columns in options.columns:
            width = ("--set", f"input_dim={columns}")
            runs = [trained(file, seed, *width) for seed in range(options.seeds)]
            linear = [run["rivals"]["accuracy"]["input"]["logistic regression"] for run, *_ in runs]
            after = [[run["trained"][metric] for run, *_ in runs] for metric in METRICS]
            shares = [f"{100 * np.mean(of):.1f}" for of in (linear, *after)]
            taken, size = np.mean([rest for _, *rest in runs], axis=0)
            cells = [file.name, str(columns), f"{sparse:.1f}", *shares]
            print(f"| {' | '.join([*cells, f'{size:.0f}', f'{taken:.0f}'])} |", flush=True)


if __name__ == "__main__":
    main()
