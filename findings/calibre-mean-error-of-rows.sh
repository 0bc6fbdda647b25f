#!/usr/bin/env bash
# calibre's mean_calibration_error is the mean distance of a probability from 0 or 1, whichever came: a model whose
# probabilities are right has 0.33 of it, the same one after it was made to say 0 or 1 alone 0.25.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# --no-deps leaves out solvers and plots, which the measures make no use of.
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "scikit-learn==1.9.1" "scipy==1.17.1" "numpy==2.4.6" || \
    ! "$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps "calibre==0.4.0"; then
    echo "could not be tried: calibre or scikit-learn were not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import importlib
import sys
import types
from importlib.metadata import distribution

import numpy as np
from sklearn.metrics import brier_score_loss, log_loss, mean_absolute_error

# The package without what its __init__ imports beside the measures, such as solvers.
sys.modules["calibre"] = types.ModuleType("calibre")
sys.modules["calibre"].__path__ = [str(distribution("calibre").locate_file("calibre"))]
metrics = importlib.import_module("calibre.metrics")
ROWS = 100_000
rng = np.random.default_rng(0)
right = rng.random(ROWS)
came = (rng.random(ROWS) < right).astype(int)
odds = np.log(right / (1 - right))
print(f"{ROWS} outcomes that come with the probabilities that are told by the first model; by calibre and scikit-learn")
print("                                  mean calibration   expected calibration   mean absolute   Brier    log")
print("                                       error                error               error      score    loss")
seen = {}
models = {f"log odds times {factor}": 1 / (1 + np.exp(-factor * odds)) for factor in (1, 0.5, 2, 4)}
models |= {"0 or 1, by what is more likely": np.round(right), "0.5 for all": np.full(ROWS, 0.5)}
for name, found in models.items():
    seen[name] = (
        metrics.mean_calibration_error(came, found),
        metrics.expected_calibration_error(came, found),
        mean_absolute_error(came, found),
        brier_score_loss(came, found),
        log_loss(came, found),
    )
    print(f"{name:36}" + "".join(f"{x:{width}.3f}" for x, width in zip(seen[name], (9, 21, 21, 11, 9))))
print("calibre 0.4.0, scikit-learn 1.9.1, numpy", np.__version__)
print("expected: an error of calibration, that is 0 or near it for the first model, whose probabilities are right, and")
print("for the last one, and the larger the more too sure a model is")
print("cause: it averages abs(probability - outcome), row by row, without any bins: the mean absolute error. What that")
print("asks for is to say 0 or 1")
print("why it matters: it is the first of the measures in the documentation, and its plots compare calibrators by it.")
print("It prefers what makes scores more sure than they should be to what calibrates them")
mean, binned = ({name: values[i] for name, values in seen.items()} for i in (0, 1))
first, sure = "log odds times 1", "0 or 1, by what is more likely"
wrong = mean[first] > 0.3 > mean["log odds times 4"] > mean[sure] and binned[first] < 0.01 < 0.2 < binned[sure]
sys.exit(0 if wrong and all(np.isclose(values[0], values[2]) for values in seen.values()) else 1)
PYTHON
