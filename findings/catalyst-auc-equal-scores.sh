#!/usr/bin/env bash
# Catalyst's AUC ranks equal scores as they happen to be sorted: of one score for all it is 0.00 or 1.00 by the order of
# the rows, in place of 0.50, and of cosines in half precision 0.58 or 0.68 in place of 0.64.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# --no-deps leaves out what trains models: the metric is one file.
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "torch==2.13.0" "scikit-learn==1.9.1" "scipy==1.17.1" "numpy==2.4.6" || \
    ! "$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps "catalyst==22.4"; then
    echo "could not be tried: catalyst or PyTorch were not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import importlib.util
import sys
from importlib.metadata import distribution

import numpy as np
import sklearn
import torch
from sklearn.metrics import roc_auc_score

file = distribution("catalyst").locate_file("catalyst/metrics/functional/_auc.py")
spec = importlib.util.spec_from_file_location("_auc", file)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
ROWS = 1000
rng = np.random.default_rng(0)
positive = np.arange(ROWS) < ROWS // 2
x = rng.normal(size=(ROWS, 64))
y = x + np.where(positive, 0.06, 0.064)[:, None] * rng.normal(size=x.shape)
cosine = (x * y).sum(1) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1)
scores = {
    "one score for all": np.full(ROWS, 0.5),
    "votes of 5 neighbors": rng.binomial(5, np.where(positive, 0.6, 0.4)) / 5,
    "cosines near 1": cosine,
    "the same in float16": cosine.astype(np.float16).astype(float),
    "random numbers": rng.normal(size=ROWS) + positive,
}
print(f"{ROWS // 2} positives and as many negatives")
print("scores                  different   scikit-learn   positives first   last   shuffled")
seen = {}
for name, values in scores.items():
    found = []
    for order in (np.arange(ROWS), np.arange(ROWS)[::-1], rng.permutation(ROWS)):
        found.append(float(module.auc(torch.tensor(values[order]), torch.tensor(positive[order].astype(int)))[0]))
    seen[name] = roc_auc_score(positive, values), *found
    print(f"{name:24}{len(np.unique(values)):9}{seen[name][0]:15.3f}{found[0]:18.3f}{found[1]:7.3f}{found[2]:11.3f}")
print("catalyst 22.4, scikit-learn", sklearn.__version__, "- torch", torch.__version__.split("+")[0])
print("expected: a pair of equal scores counts one half, so that the order of the rows does not matter")
print("cause: the curve goes on by one row at a time, also among rows of one score, in the order in which the sort")
print("happens to leave them")
print("why it matters: pairs to verify are mostly listed the equal ones first, and votes, quantized and half-precision")
print("similarities have many ties: a score that tells nothing looks perfect or worse than chance")
same = np.ptp(seen["random numbers"]) < 1e-6
sys.exit(0 if same and all(np.ptp(seen[name]) > 0.02 for name in (list(scores)[i] for i in (0, 1, 3))) else 1)
PYTHON
