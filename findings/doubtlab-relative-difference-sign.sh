#!/usr/bin/env bash
# doubtlab's RelativeDifferenceReason divides by the label with its sign: no label below 0 is ever doubted,
# however far it is from what the model says.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "doubtlab==0.2.4" "cleanlab==2.9.0" "pandas==3.1.1" "scikit-learn==1.9.1" \
    "scipy==1.17.1" "numpy==2.4.6"; then
    echo "could not be tried: doubtlab or cleanlab were not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import numpy as np
from doubtlab.ensemble import DoubtEnsemble
from doubtlab.reason import RelativeDifferenceReason
from sklearn.linear_model import LinearRegression

ROWS, THRESHOLD = 2000, 0.5
rng = np.random.default_rng(0)
x = rng.normal(size=(ROWS, 3))
truth = x @ [10.0, 5.0, -3.0]
model = LinearRegression().fit(x, truth)
wrong = rng.random(ROWS) < 0.1
labels = np.where(wrong, 3 * truth, truth + 0.01 * rng.normal(size=ROWS))  # a tenth is three times too large


by_hand = np.abs(model.predict(x) - labels) >= THRESHOLD * np.abs(labels)
doubted = np.zeros(ROWS, dtype=bool)
doubt = DoubtEnsemble(relative=RelativeDifferenceReason(model, threshold=THRESHOLD))
doubted[doubt.get_indices(x, labels)] = True
print(f"{ROWS} labels, a tenth of them three times as large as they should be, doubted from a half on")
print("wrong labels      by hand   by doubtlab")
seen = []
for name, side in (("above 0", labels > 0), ("below 0", labels < 0)):
    seen.append([float(found[wrong & side].mean()) for found in (by_hand, doubted)])
    print(f"  {name:12}{seen[-1][0]:10.1%}{seen[-1][1]:13.1%}")
print("doubtlab 0.2.4, numpy", np.__version__)
print("expected: 'doubt when the relative difference between label and regression is too large'")
print("cause: the distance is divided by the label and not by its size: below 0 it is never above a threshold")
print("why it matters: labels such as cosines lie on both sides of 0. A half of the wrong ones is left in, and")
print("what is doubted looks as if the others were all right")
sys.exit(0 if seen == [[1.0, 1.0], [1.0, 0.0]] else 1)
PYTHON
