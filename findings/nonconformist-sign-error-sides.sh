#!/usr/bin/env bash
# nonconformist's SignErrorErrFunc adds the errors of calibration to a prediction with the sign that they are subtracted
# with: an interval of 90% lies on the wrong side, and holds 0.01 of the values where a model is too low by 2.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "scikit-learn==1.5.2" "scipy==1.13.1" "numpy==1.26.4" "joblib==1.4.2" \
    "threadpoolctl==3.5.0" "setuptools==80.9.0" "wheel==0.45.1" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check --no-deps --no-build-isolation "nonconformist==2.1.0"; then
    echo "could not be tried: nonconformist was not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import numpy as np
from nonconformist.icp import IcpRegressor
from nonconformist.nc import AbsErrorErrFunc, NcFactory, SignErrorErrFunc
from sklearn.linear_model import LinearRegression

FIT, CALIBRATE, ASK, LEVEL, DRAWS = 500, 1000, 4000, 0.1, 10
NOISE = {
    "normal": lambda rng, rows: rng.normal(size=rows),
    "exponential": lambda rng, rows: rng.exponential(size=rows),
    "minus exponential": lambda rng, rows: -rng.exponential(size=rows),
}


def inside(low, high, values):
    """The share of the values in their interval, and the shares below and above."""
    return np.array([np.mean((low <= values) & (values <= high)), np.mean(values < low), np.mean(values > high)])


def tell(noise, shift, seed):
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(FIT + CALIBRATE + ASK, 3))
    values = rows @ [1.0, 2.0, 3.0] + NOISE[noise](rng, len(rows))
    values[FIT:] += shift
    fit, calibrate, ask = slice(FIT), slice(FIT, FIT + CALIBRATE), slice(FIT + CALIBRATE, None)
    told = []
    for measure in (SignErrorErrFunc(), AbsErrorErrFunc()):
        model = IcpRegressor(NcFactory.create_nc(LinearRegression(), measure))
        model.fit(rows[fit], values[fit])
        model.calibrate(rows[calibrate], values[calibrate])
        told.append(inside(*model.predict(rows[ask], significance=LEVEL).T, values[ask]))
    line = LinearRegression().fit(rows[fit], values[fit])
    errors = np.sort(values[calibrate] - line.predict(rows[calibrate]))
    place = int(np.floor(LEVEL / 2 * (CALIBRATE + 1)))
    by_hand = line.predict(rows[ask])
    return np.stack([*told, inside(by_hand + errors[place - 1], by_hand + errors[-place], values[ask])])


print(f"A line fit to {FIT} rows, and {CALIBRATE} to calibrate that are larger by a shift, as those that are asked for")
print(f"intervals of {1 - LEVEL:.2f}: the share of the values in them, below and above; mean of {DRAWS} draws")
print("noise              shift    SignErrorErrFunc             by hand, signed             AbsErrorErrFunc")
seen = {}
for noise in NOISE:
    for shift in (0.0, 0.5, 2.0):
        seen[noise, shift] = np.mean([tell(noise, shift, seed) for seed in range(DRAWS)], axis=0)
        signed, absolute, by_hand = seen[noise, shift]
        print(f"{noise:18}{shift:6.1f}" + "".join("    " + "".join(f"{value:8.2f}" for value in values)
                                                  for values in (signed, by_hand, absolute)))
print("nonconformist 2.1.0, numpy", np.__version__)
print("expected: 0.90 inside and 0.05 on either side, which is what errors with their sign are for")
print("cause: its documentation has the value less the prediction, its code the prediction less the value. The largest")
print("of these is added for the upper end, where it is by how much values lie below, and belongs to the lower end")
print("why it matters: a conformal interval is trusted since it holds its share whatever the model does. Where errors")
print("are the same on both sides nothing is to be seen, and the further off a model is the fewer values are in it")
right = all(abs(value[2][0] - 0.9) < 0.02 and abs(value[1][0] - 0.9) < 0.02 for value in seen.values())
wrong = all(seen[noise, 2.0][0][0] < 0.3 for noise in NOISE) and seen["exponential", 0.0][0][2] > 0.08
sys.exit(0 if right and wrong and abs(seen["normal", 0.0][0][0] - 0.9) < 0.02 else 1)
PYTHON
