#!/usr/bin/env bash
# lightly's EMPSSLLoss adds the total coding rate where the paper subtracts it: what should keep rows apart pulls them
# together, and after training the mean cosine of two texts is 1.00 in place of 0.10.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# --no-deps leaves out what trains on images: the loss is one file.
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "torch==2.13.0" "numpy==2.4.6" || ! "$folder/venv/bin/python" -m pip install \
    --quiet --disable-pip-version-check --no-deps "lightly==1.6.0"; then
    echo "could not be tried: lightly or PyTorch were not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import importlib.util
import sys
from importlib.metadata import distribution

import torch
from torch import nn
from torch.nn.functional import cosine_similarity, normalize

spec = importlib.util.spec_from_file_location(
    "emp_ssl_loss", distribution("lightly").locate_file("lightly/loss/emp_ssl_loss.py")
)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
TEXTS, GROUPS, COLUMNS, VIEWS, STEPS, RATE, PULL = 256, 32, 16, 4, 200, 0.2, 200.0
lightly = module.EMPSSLLoss(tcr_eps=RATE, inv_coef=PULL)


def by_paper(views):
    """Minus the coding rate of each view's rows, minus how near the views of a row lie to their mean."""
    z = torch.stack(views)
    spread = z.transpose(1, 2) @ z * z.shape[2] / (z.shape[1] * RATE)
    rate = torch.logdet(torch.eye(z.shape[2]) + spread).mean() / 2
    return -rate - PULL * cosine_similarity(z, z.mean(0, keepdim=True), dim=-1).mean()


def views(rows):
    return [rows + 0.3 * torch.randn(rows.shape, generator=random) for _ in range(VIEWS)]


def train(function):
    torch.manual_seed(0)
    layers = nn.Linear(COLUMNS, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, COLUMNS)
    model = nn.Sequential(*layers)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    for _ in range(STEPS):
        value = function([normalize(model(view)) for view in views(rows)])
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    with torch.no_grad():
        found = normalize(model.eval()(rows))
    cosine = found @ found.T
    other = ~torch.eye(TEXTS, dtype=torch.bool)
    spectrum = torch.linalg.svdvals(found) ** 2
    share = spectrum / spectrum.sum()
    rank = torch.exp(-(share * share.clamp(min=1e-12).log()).sum())
    nearest = groups[cosine.fill_diagonal_(-2).argmax(1)] == groups
    return [float(x) for x in (cosine[other].mean(), rank, nearest.double().mean())]


random = torch.Generator().manual_seed(0)
groups = torch.arange(TEXTS) % GROUPS
rows = torch.randn(GROUPS, COLUMNS, generator=random)[groups] + 0.5 * torch.randn(TEXTS, COLUMNS, generator=random)
alike = [normalize(torch.ones(TEXTS, COLUMNS))] * VIEWS
apart = [normalize(torch.randn(TEXTS, COLUMNS, generator=random))] * VIEWS
seen = {name: [float(f(alike)), float(f(apart)), *train(f)] for name, f in (("paper", by_paper), ("lightly", lightly))}
lines = "loss of rows that are all alike", "loss of rows in all directions", "trained: mean cosine of two texts"
lines = (*lines, "trained: effective rank of the rows", "trained: nearest text of the same group")
print(f"{TEXTS} texts, {VIEWS} views of each that agree             " + "".join(f"{name:>12}" for name in seen))
for place, line in enumerate(lines):
    print(f"{line:46}" + "".join(f"{values[place]:12.2f}" for values in seen.values()))
print("lightly 1.6.0, torch", torch.__version__.split("+")[0])
print("expected: the less, the better; the paper maximizes the coding rate of the rows, so that they do not collapse,")
print("together with the likeness of the views, and its authors' code has the minus in both")
print("cause: the likeness is returned with a minus and the rate without one")
print("why it matters: the least loss is that of a model that gives one row to all texts, and since the views agree")
print("ever better it looks as if training went well")
paper, library = seen.values()
same = paper[1] < paper[0] and library[1] > library[0] + 1 and abs(paper[2]) < 0.2 < 0.9 < library[2]
sys.exit(0 if same and library[3] < paper[3] / 3 else 1)
PYTHON
