#!/usr/bin/env bash
# sslearn's CoTraining takes a class' place among the classes for its label: with classes called 1 to 3 it adds the rows
# that it takes for 2 as 1, and of new iris flowers 0.40 are told right in place of 0.91 with the same classes called 0
# to 2. With classes called 5 to 7 it adds none.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "numpy==1.26.4" "scipy==1.13.1" "scikit-learn==1.7.2" "pandas==2.2.3" "joblib==1.5.2" \
    "statsmodels==0.14.4" "sslearn==1.1.0"; then
    echo "could not be tried: sslearn was not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import numpy as np
import sklearn
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_breast_cancer, load_digits, load_iris
from sklearn.naive_bayes import GaussianNB
from sklearn.preprocessing import StandardScaler
from sslearn.wrapper import CoTraining

LABELLED, SEEDS = 8, 5


def draw(name):
    rows, kinds = {"cancer": load_breast_cancer, "iris": load_iris, "digits 0 to 2": load_digits}[name](return_X_y=True)
    chosen = kinds < 3
    return StandardScaler().fit_transform(rows[chosen]) + 0.0, kinds[chosen]


class Noted(ClassifierMixin, BaseEstimator):
    """Naive Bayes that keeps the labels that it was trained with last."""

    def fit(self, rows, labels):
        self.model_, self.rows_, self.labels_ = GaussianNB(var_smoothing=1e-2).fit(rows, labels), rows, labels
        self.classes_ = self.model_.classes_
        return self

    def predict_proba(self, rows):
        return self.model_.predict_proba(rows)

    def predict(self, rows):
        return self.model_.predict(rows)


def trial(rows, kinds, names, seed):
    """New rows told right by co-training and by the labelled ones alone, rows added and how many of them right."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(rows))
    train, new = order[: len(rows) * 2 // 3], order[len(rows) * 2 // 3 :]
    labels = np.full(len(train), -1)
    for kind in range(len(names)):
        given = np.flatnonzero(kinds[train] == kind)[:LABELLED]
        labels[given] = names[kind]
    columns = [list(range(0, rows.shape[1], 2)), list(range(1, rows.shape[1], 2))]
    model = CoTraining(Noted(), random_state=seed).fit(rows[train], labels, features=columns)
    known = labels >= 0
    alone = GaussianNB(var_smoothing=1e-2).fit(rows[train][known], labels[known])
    first = model.h_[0]
    true = {row.tobytes(): names[kind] for row, kind in zip(rows[:, columns[0]], kinds)}
    added = [true[row.tobytes()] == label for row, label in zip(first.rows_[known.sum():], first.labels_[known.sum():])]
    right = names[kinds[new]]
    return [*(np.mean(one.predict(rows[new]) == right) for one in (model, alone)), len(added),
            np.mean(added) if added else np.nan]


print(f"new rows told right, {LABELLED} labelled rows a class, mean of {SEEDS}, and rows that co-training adds")
print("                classes    CoTraining   labelled rows alone   rows added   of them right")
seen = {}
for name in ("cancer", "iris", "digits 0 to 2"):
    rows, kinds = draw(name)
    count = kinds.max() + 1
    for first in (0, 1, 5):
        line = np.mean([trial(rows, kinds, np.arange(count) + first, seed) for seed in range(SEEDS)], axis=0)
        seen[name, first] = line
        print(f"{name:16}{first} to {first + count - 1}" + "".join(
            f"{value:{width}.2f}" for value, width in zip(line, (13, 22))) + f"{line[2]:13.0f}{line[3]:16.2f}")
print("sslearn 1.1.0, scikit-learn", sklearn.__version__, "and numpy", np.__version__)
print("expected: the same whatever the classes are called, as with the other classifiers of the same file")
print("cause: the class of a row is the place of the largest probability, which is compared with the labels and added")
print("as one. The labels are not numbered before, as they are elsewhere in the same file. Of classes from 5 on none")
print("is added")
print("why it matters: stars from 1 to 5 and grades from 1 to 6 are labels. Rows are added with the label of the class")
print("before theirs, and the more are added the worse it gets")
right = all(np.ptp([seen[name, first][1] for first in (0, 1, 5)]) < 1e-9 for name, _ in seen)
wrong = all(seen[name, 1][3] < 0.5 < seen[name, 0][3] and seen[name, 5][2] == 0 for name, _ in seen)
sys.exit(0 if right and wrong and seen["cancer", 1][0] < seen["cancer", 0][0] - 0.1 else 1)
PYTHON
