#!/usr/bin/env bash
# ALiPy's calc_performance_metric takes the area under the curve of class 1 with the scores of class 0: it is
# 0.08 in place of 0.92.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# ALiPy uses np.trapz, which newer versions of NumPy do not have.
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "alipy==1.2.5" "scikit-learn==1.6.1" "scipy==1.14.1" "numpy==1.26.4"; then
    echo "could not be tried: ALiPy or scikit-learn were not installed" >&2
    exit 2
fi

"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import numpy as np
import sklearn
from alipy import ToolBox
from alipy.metrics import roc_auc_score as of_alipy
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

ROWS, TEST = 400, 200
rng = np.random.default_rng(0)


def by_hand(labels, scores):
    """The share of all pairs of a one and a zero in which the one has the higher score, ties as halves."""
    gap = scores[labels == 1][:, None] - scores[labels == 0][None]
    return float((gap > 0).mean() + (gap == 0).mean() / 2)


same = True
print("classes are   accuracy: ALiPy   AUC: by hand   scikit-learn   ALiPy's metric   its ToolBox")
for apart in (0.0, 0.3, 1.0, 2.0):
    labels = rng.integers(2, size=ROWS)
    x = rng.normal(size=(ROWS, 4)) + apart * labels[:, None]
    model = LogisticRegression().fit(x[TEST:], labels[TEST:])
    test, answers = x[:TEST], labels[:TEST]
    box = ToolBox(X=x, y=labels, query_type="AllLabels")
    said = model.predict_proba(test)
    accuracy = box.calc_performance_metric(answers, model.predict(test), performance_metric="accuracy_score")
    hand, wanted = by_hand(answers, said[:, 1]), roc_auc_score(answers, said[:, 1])
    metric = of_alipy(answers, said[:, 1])
    seen = box.calc_performance_metric(answers, said, performance_metric="roc_auc_score")
    print(f"{apart:.1f} apart{accuracy:18.2f}{hand:17.3f}{wanted:15.3f}{metric:17.3f}{seen:14.3f}")
    same = same and abs(hand - wanted) < 1e-9 and abs(metric - wanted) < 1e-9
    same = same and abs(seen - (1 - hand)) < 1e-9
print("ALiPy 1.2.5, scikit-learn", sklearn.__version__, "- numpy", np.__version__)
print("expected: the area for the class 1, as its own metric has it: 'For binary y_true, y_score is supposed")
print("to be the score of the class with greater label'. The ToolBox takes 'y_pred: [n_samples, n_classes]'")
print("cause: of the columns it hands on the first, which in predict_proba is the probability of class 0,")
print("and the positive class stays 1; scores of shape [n_samples], documented too, are an IndexError")
print("why it matters: the curve of an active learner falls from 0.5 towards 0 as it learns. The strategy")
print("that learns least comes out best, where only a figure below 0.5 would make one look")
sys.exit(0 if same else 1)
PYTHON
