#!/usr/bin/env bash
# rexmex' ClassificationMetricSet makes the caller's scores 0 or 1 for the metrics that need it and goes on with these:
# in its report the AUC is 0.80 in place of 0.88 and the average precision 0.76 in place of 0.89, the recall is 0.66 by
# one name and 0.81 by another, and a report after it has yet other values.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "numpy==1.26.4" "scipy==1.13.1" "scikit-learn==1.5.2" "pandas==2.2.3" "six==1.17.0" ||
    ! "$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps "rexmex==0.1.3"; then
    echo "could not be tried: rexmex was not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata
import sys

import numpy as np
import pandas as pd
from rexmex.metricset import ClassificationMetricSet
from rexmex.scorecard import ScoreCard
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score

NAMES = ["roc_auc", "average_precision", "hit_rate", "recall"]


def links():
    """Scores of links and of pairs without one, 1000 of them."""
    rng = np.random.default_rng(0)
    true = rng.integers(0, 2, 1000)
    return true, 1 / (1 + np.exp(-1.5 * true + 0.75 - rng.normal(size=1000)))


def model(load, positive, columns):
    rows, kinds = load(return_X_y=True)
    true, rows = (kinds == positive).astype(int), rows[:, :columns]
    return true[1::2], LogisticRegression(max_iter=5000).fit(rows[::2], true[::2]).predict_proba(rows[1::2])[:, 1]


print("metric               by scikit-learn  asked alone  in the report  in a report after it  scores that are 0 or 1")
sets = {"links": links(), "cancer": model(load_breast_cancer, 1, 2), "digit 8": model(load_digits, 8, 64)}
right, wrong = [], []
for name, (true, score) in sets.items():
    frame = pd.DataFrame({"y_true": true, "y_score": score.copy()})
    alone = {metric: ScoreCard(ClassificationMetricSet().filter_metrics([metric])).generate_report(frame.copy())
             for metric in ("roc_auc", "average_precision")}
    first = ScoreCard(ClassificationMetricSet()).generate_report(frame)
    again = ScoreCard(ClassificationMetricSet()).generate_report(frame)
    oracle = {"roc_auc": roc_auc_score(true, score), "average_precision": average_precision_score(true, score)}
    for metric in NAMES:
        values = [oracle.get(metric, np.nan), alone[metric][metric][0] if metric in alone else np.nan, first[metric][0],
                  again[metric][0], np.isin(frame.y_score, (0, 1)).mean()]
        print(f"{name + ' ' + metric:26}" + "".join("{:>{}}".format("" if value != value else f"{value:.2f}", width)
              for value, width in zip(values, (10, 13, 15, 22, 24))))
        if metric in oracle:
            right.append(abs(values[1] - values[0]))
            wrong.append(values[0] - values[2])
    wrong.append(abs(first["hit_rate"][0] - again["hit_rate"][0]))
print("rexmex", importlib.metadata.version("rexmex"), "and pandas", pd.__version__)
print("expected: each metric of the scores as they were given, whatever other metrics are asked for")
print("cause: what makes scores 0 or 1 writes into the array that it is given. The metrics are taken one after the")
print("other from the same array, so that all those after recall, the first one that needs it, are of zeros and ones,")
print("and so is the caller's table")
print("why it matters: it is made to compare recommenders by many metrics in one report. A metric there depends on")
print("which others are beside it")
sys.exit(0 if max(right) < 1e-9 and min(wrong) > 0.01 else 1)
PYTHON
