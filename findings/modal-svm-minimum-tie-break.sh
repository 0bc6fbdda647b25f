#!/usr/bin/env bash
# modAL's SVM_binary_minimum with random_tie_break=True asks for the row farthest from all boundaries, where
# without it that is the nearest one: all it learns from are the rows that it is surest of.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# modAL asks scikit-learn for an argument that it has no longer since 1.8.
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "modAL-python==0.4.2.1" "scikit-learn==1.7.2" "scipy==1.16.3" "pandas==2.3.3" \
    "numpy==2.3.5"; then
    echo "could not be tried: modAL or scikit-learn were not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import numpy as np
import sklearn
from modAL.models import ActiveLearner
from modAL.multilabel import SVM_binary_minimum, min_confidence
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.svm import SVC

START, QUERIES = 30, 40
rng = np.random.default_rng(0)
rows = rng.normal(size=(3000, 6))
labels = (rows @ rng.normal(size=(6, 3)) > 0).astype(int)  # three labels a row
known, pool, test = np.split(np.arange(3000), [START, 1000])


def nearness(learner, places):
    """Of each row the distance from the nearest of the three boundaries, which is what is asked by."""
    found = [svm.decision_function(rows[places]) for svm in learner.estimator.estimators_]
    return np.abs(found).min(axis=0)


def learner():
    svm = OneVsRestClassifier(SVC(kernel="linear"))
    return ActiveLearner(svm, query_strategy=SVM_binary_minimum, X_training=rows[known], y_training=labels[known])


def taught(choose):
    """The share of labels that are right after 40 queries, and the mean place of the row asked for."""
    teacher, left, places = learner(), pool.copy(), []
    for _ in range(QUERIES):
        distances = nearness(teacher, left)
        chosen = int(np.ravel(choose(teacher, left, distances))[0])
        places.append((distances < distances[chosen]).sum() + 1)
        teacher.teach(rows[left[[chosen]]], labels[left[[chosen]]])
        left = np.delete(left, chosen)
    return float((teacher.predict(rows[test]) == labels[test]).mean()), float(np.mean(places))


np.random.seed(0)
results = {}
print("place of the row asked for among the pool's 970, the nearest to a boundary first, and accuracy")
for name, choose in (
    ("by hand, the nearest", lambda _, left, distances: np.argmin(distances)),
    ("random_tie_break=False", lambda teacher, left, _: teacher.query(rows[left])[0]),
    ("random_tie_break=True", lambda teacher, left, _: teacher.query(rows[left], random_tie_break=True)[0]),
    ("at random", lambda _, left, distances: rng.integers(len(left))),
):
    right, place = results[name] = taught(choose)
    print(f"  {name:24}{place:8.1f}{right:10.3f}")

# Another strategy of the same module, whose smallest values are wanted as well.
model = OneVsRestClassifier(LogisticRegression()).fit(rows[known], labels[known])
other = [
    int(min_confidence(model, rows[pool], random_tie_break=broken)[0][0]) for broken in (False, True)
]
print("min_confidence asks for the same row under both:", other[0] == other[1])
print("modAL 0.4.2.1, scikit-learn", sklearn.__version__, "- numpy", np.__version__)
print("expected: 'If True, shuffles utility scores to randomize the order. This can be used to break the tie'")
print("cause: without it the smallest distance is looked for, with it the largest. No two distances are equal")
print("here, so there is no tie to break")
print("why it matters: that option is the usual way to keep the order of a pool out of what is asked for.")
print("With it active learning pays for labels that the model has right already")
hand, plain, broken, drawn = results.values()
same = hand == plain and plain[1] == 1 and other[0] == other[1]
same = same and broken[1] > 900 and broken[0] < min(drawn[0], plain[0])
sys.exit(0 if same else 1)
PYTHON
