#!/usr/bin/env bash
# netcal's MMCE of two classes takes the probability of class 1 for the confidence in whichever class was
# predicted: a calibrated classifier has an error of 0.21, and one that has its zeros upside down of none.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "netcal==1.4.0" "torch==2.13.0" "scipy==1.17.1" "numpy==2.4.6"; then
    echo "could not be tried: netcal or PyTorch were not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import numpy as np
from netcal.metrics import ECE, MMCE

ROWS = 2000
rng = np.random.default_rng(0)
said = rng.random(ROWS)  # how likely the class 1 is said to be


def by_hand(labels):
    """The documented formula: of the predicted class's own probability, which is the highest of the two."""
    confidence = np.maximum(said, 1 - said)
    gap = (labels == (said > 0.5)) - confidence
    kernel = np.exp(-2.5 * np.abs(np.subtract.outer(confidence, confidence)))
    return float(np.sqrt(gap @ kernel @ gap)) / ROWS


two_columns = np.stack([1 - said, said], axis=1)
really = {
    "calibrated": said,
    "zeros upside down": np.where(said < 0.5, 1 - said, said),
}
seen = {}
print("                      MMCE by hand   of two columns   of one column   ECE of one column")
for name, chance in really.items():
    labels = (rng.random(ROWS) < chance).astype(int)
    measured = by_hand(labels), MMCE().measure(two_columns, labels), MMCE().measure(said, labels)
    seen[name] = measured
    hand, two, one = measured
    print(f"{name:18}{hand:16.3f}{two:17.3f}{one:16.3f}{ECE(10).measure(said, labels):20.3f}")
print("upside down: of rows that are said to be of class 1 with a chance of 10%, 90% are")
print("netcal 1.4.0, numpy", np.__version__)
print("expected: one figure for both forms, since the documentation has '1-D for binary classification'")
print("cause: with one column a row counts as right where its class is the more likely one, and that is")
print("compared with the probability of class 1, which below a half is that of the other class")
print("why it matters: it is a number between 0 and 1 that moves with the model. Choosing by it prefers")
print("a classifier that is surely wrong about its zeros to one whose probabilities are right")
same = all(abs(hand - two) < 1e-6 for hand, two, _ in seen.values())
same = same and seen["calibrated"][0] < 0.03 < 0.2 < seen["calibrated"][2]
same = same and seen["zeros upside down"][0] > 0.2 > 0.03 > seen["zeros upside down"][2]
sys.exit(0 if same else 1)
PYTHON
