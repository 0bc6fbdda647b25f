#!/usr/bin/env bash
# Quaterion's FastAPLoss has the right value and a gradient that is not a number as soon as a row has no other one near
# it: training turns all weights into NaN within a few steps, while the loss goes on as a number, 1.00.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# Quaterion says to be for Python up to 3.10; the loss is of Python and PyTorch alone, and --no-deps leaves out what
# trains and saves models.
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "torch==2.13.0" "scikit-learn==1.9.1" "scipy==1.17.1" "numpy==2.4.6" \
    "tqdm==4.70.1" || \
    ! "$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
    --ignore-requires-python "quaterion==0.1.35" "pytorch-metric-learning==2.9.0"; then
    echo "could not be tried: quaterion or PyTorch were not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import importlib
import sys
import types
from importlib.metadata import distribution

import pytorch_metric_learning.losses
import torch
from torch import nn
from torch.nn.functional import normalize

# The package without what its __init__ imports for training.
sys.modules["quaterion"] = types.ModuleType("quaterion")
sys.modules["quaterion"].__path__ = [str(distribution("quaterion").locate_file("quaterion"))]
losses = {
    "pytorch-metric-learning": pytorch_metric_learning.losses.FastAPLoss(num_bins=10),
    "quaterion": importlib.import_module("quaterion.loss.fast_ap_loss").FastAPLoss(num_bins=10),
}
GROUPS, ROWS, COLUMNS, STEPS = 8, 64, 16, 50


def data(count):
    groups = torch.arange(count) % GROUPS
    return means[groups] + torch.randn(count, COLUMNS), groups


def not_a_number(values):
    return float(values.isnan().double().mean())


seen = {}
for name, loss in losses.items():
    torch.manual_seed(0)
    means = torch.randn(GROUPS, COLUMNS)
    (rows, groups), (new, classes) = data(ROWS), data(4 * ROWS)
    model = nn.Sequential(nn.Linear(COLUMNS, 32), nn.ReLU(), nn.Linear(32, COLUMNS))
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    values, lost = [], None
    for step in range(STEPS):
        value = loss(model(rows), groups)
        optimizer.zero_grad()
        value.backward()
        if lost is None and not_a_number(torch.cat([x.grad.ravel() for x in model.parameters()])):
            lost = step + 1
        optimizer.step()
        values.append(float(value.detach()))
    with torch.no_grad():
        found = normalize(model(new))
    cosine = (found @ found.T).fill_diagonal_(-2)
    alike = (classes[:, None] == classes).fill_diagonal_(False)
    share = float(alike.gather(1, cosine.topk(4 * ROWS // GROUPS - 1, 1).indices).double().mean())
    seen[name] = values[0], lost, values[1], not_a_number(found), values[-1], share
print(f"a model of {ROWS} rows in {GROUPS} groups, {STEPS} steps     " + "".join(f"{name:>27}" for name in seen))
told = "loss of the first step", "first step with a gradient of NaN", "loss of the second step"
told = (*told, "rows that are NaN at the end", "loss of the last step", "R-precision of new rows")
for place, line in enumerate(told):
    cells = (values[place] for values in seen.values())
    print(f"{line:46}" + "".join(f"{x!s:>27}" if place == 1 else f"{abs(x):27.3f}" for x in cells))
print("quaterion 0.1.35, pytorch-metric-learning 2.9.0, torch", torch.__version__.split("+")[0])
print("expected: the gradient of the loss, as that of the other library, to which its values are equal")
print("cause: where no row has been counted yet it divides 0 by 0 and puts 0 in place of the result; the gradient of")
print("the division stays")
print("why it matters: no error tells that the model is lost. The loss is a number again from then on, since it leaves")
print("out what is none, and a run that saves its best model keeps one that has hardly been trained")
good, bad = seen.values()
same = abs(good[0] - bad[0]) < 1e-5 and good[1] is None and bad[1] is not None
sys.exit(0 if same and (good[3], bad[3]) == (0, 1) and bad[4] == 1 and good[5] > 0.5 else 1)
PYTHON
