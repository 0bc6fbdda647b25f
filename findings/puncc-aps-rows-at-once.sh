#!/usr/bin/env bash
# puncc's APS and RAPS give no set more classes than there are rows in the call: sets of 90% hold the class of 90%
# of the rows that are asked for together, of 79% in pairs and of 63% one at a time.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "puncc==0.9.3" "scikit-learn==1.7.2" "scipy==1.15.3" "numpy==1.26.4"; then
    echo "could not be tried: puncc was not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 MPLBACKEND=agg "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import numpy as np
from deel.puncc.api.prediction import BasePredictor
from deel.puncc.classification import APS, LAC, RAPS
from sklearn.linear_model import LogisticRegression

ROWS, CLASSES, COLUMNS, MISSED = 2000, 20, 8, 0.1
rng = np.random.default_rng(0)
centers = rng.normal(size=(CLASSES, COLUMNS))
labels = rng.integers(CLASSES, size=3 * ROWS)
x = centers[labels] + rng.normal(size=(3 * ROWS, COLUMNS))
fit, calibration, test = (slice(i * ROWS, (i + 1) * ROWS) for i in range(3))


class Probabilities(BasePredictor):
    def predict(self, X, **options):
        return self.model.predict_proba(X, **options)


model = Probabilities(LogisticRegression(max_iter=1000))
sizes = (ROWS, 10, 5, 2, 1)
print(f"sets for {ROWS} rows of {CLASSES} classes, which miss the right one of {MISSED:.0%} at most")
print("rows in a call        " + "".join(f"{size:>8}" for size in sizes))
covered, largest = {}, {}
for name, method in (
    ("LAC", LAC(model)),
    ("APS", APS(model)),
    ("APS, not random", APS(model, rand=False)),
    ("RAPS", RAPS(model, lambd=0.01, k_reg=3)),
):
    np.random.seed(0)
    method.fit(X_fit=x[fit], y_fit=labels[fit], X_calib=x[calibration], y_calib=labels[calibration])
    covered[name], largest[name], means = [], [], []
    for size in sizes:
        sets = []
        for i in range(0, ROWS, size):
            sets.extend(method.predict(x[test][i : i + size], alpha=MISSED)[1])
        covered[name].append(float(np.mean([label in found for label, found in zip(labels[test], sets)])))
        means.append(float(np.mean([len(found) for found in sets])))
        largest[name].append(max(len(found) for found in sets))
    print(f"{name:16}covered" + "".join(f"{share:8.1%}" for share in covered[name]))
    print(f"{'':10}classes: mean" + "".join(f"{mean:7.2f} " for mean in means))
    print(f"{'':10}         most" + "".join(f"{most:7} " for most in largest[name]))
print("puncc 0.9.3, scikit-learn 1.7.2, numpy", np.__version__)
print("expected: sets of the same sizes for the same rows, with the right class in nine of ten or more")
print("cause: how many classes a set may have at most is read from the first axis of the probabilities, the rows, where")
print("the second has the classes")
print("why it matters: it is promised how often the sets are right, and tried on many rows at once they are. Asked for")
print("a row at a time, as a service is, they are of the likeliest class alone and wrong four times as often")
same = all(most <= size for name in covered if name != "LAC" for most, size in zip(largest[name], sizes))
same = same and min(covered["LAC"]) == max(covered["LAC"]) > 0.88
sys.exit(0 if same and all(x[0] > 0.88 and x[-1] < 0.7 for name, x in covered.items() if name != "LAC") else 1)
PYTHON
