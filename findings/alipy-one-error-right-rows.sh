#!/usr/bin/env bash
# ALiPy's one_error counts the rows that are right: a perfect prediction of several labels has an error of
# 1.00, and one that has every row wrong of 0.00, or of 1.00 where as many labels are missing as are too many.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "alipy==1.2.5" "scikit-learn==1.9.1" "scipy==1.17.1" "numpy==2.4.6"; then
    echo "could not be tried: ALiPy or scikit-learn were not installed" >&2
    exit 2
fi

"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import numpy as np
import sklearn
from alipy.metrics import one_error
from sklearn.metrics import zero_one_loss

ROWS, LABELS = 1000, 10
rng = np.random.default_rng(0)
labels = np.zeros((ROWS, LABELS), dtype=int)
for row in labels:
    row[rng.choice(LABELS, rng.integers(2, 5), replace=False)] = 1


def with_errors(share, kind):
    """Predictions of which so many rows miss a label, have one too many, or have another for one."""
    said = labels.copy()
    for row in said[: int(share * ROWS)]:
        here, absent = np.flatnonzero(row), np.flatnonzero(row == 0)
        if kind != "added":
            row[here[0]] = 0
        if kind != "missed":
            row[absent[0]] = 1
    return said


same = True
print("rows that are wrong           0/1 loss: by hand   scikit-learn   ALiPy's one_error")
for share, kind in [(0, "missed"), (0.3, "missed"), (1, "missed"), (1, "added"), (1, "exchanged")]:
    said = with_errors(share, kind)
    hand = float((said != labels).any(axis=1).mean())
    wanted, seen = zero_one_loss(labels, said), one_error(labels, said)
    name = f"{share:.0%}, a label {kind}" if share else "none"
    print(f"{name:29}{hand:18.2f}{wanted:15.2f}{seen:20.2f}")
    same = same and abs(hand - share) < 1e-9 and abs(wanted - share) < 1e-9
    same = same and abs(seen - (1 if kind == "exchanged" else 1 - share)) < 1e-9
print("ALiPy 1.2.5, scikit-learn", sklearn.__version__, "- numpy", np.__version__)
print("expected: an error, 0 for predictions that are all right: 'Compute the one_error, similar to 0/1-loss'")
print("cause: it returns the share of rows whose sum of the differences is 0, in place of those where it is")
print("not; and in that sum a label that is missing and one too many cancel out")
print("why it matters: ALiPy's ToolBox and experiments take it as performance_metric='one_error'. Its curve")
print("falls as the classifier gets worse: the query strategy that helps least comes out best")
sys.exit(0 if same else 1)
PYTHON
