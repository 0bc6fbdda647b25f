#!/usr/bin/env bash
# Quaterion's CircleLoss adds where the paper subtracts in both of its weights: rows that are all alike have a loss of
# 11 in place of 235, and what it trains ends with a cosine of 0.95 between rows of different groups, not of -0.03.
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
from torch.nn.functional import normalize, softplus

# The package without what its __init__ imports for training.
sys.modules["quaterion"] = types.ModuleType("quaterion")
sys.modules["quaterion"].__path__ = [str(distribution("quaterion").locate_file("quaterion"))]
CircleLoss = importlib.import_module("quaterion.loss.circle_loss").CircleLoss
MARGIN, SCALE, GROUPS, COLUMNS, STEPS = 0.25, 256, 20, 16, 300


def by_paper(alike, unlike):
    """Of the similarities of pairs of one group and of pairs of two: Circle loss, its weights without a gradient."""
    weights = (1 + MARGIN - alike.detach()).clamp(min=0), (unlike.detach() + MARGIN).clamp(min=0)
    positive = torch.logsumexp(-SCALE * weights[0] * (alike - (1 - MARGIN)), 0)
    return softplus(positive + torch.logsumexp(SCALE * weights[1] * (unlike - MARGIN), 0))


def of_rows(rows, groups):
    """By the paper's formula of the similarities that Quaterion takes, from 0 to 1."""
    rows = normalize(rows)
    upper = torch.ones(len(rows), len(rows), dtype=torch.bool).triu(1)
    similarity, same = (rows @ rows.T + 1) / 2, groups[:, None] == groups
    return by_paper(similarity[same & upper], similarity[~same & upper])


library = CircleLoss(margin=MARGIN, scale_factor=SCALE)
other = pytorch_metric_learning.losses.CircleLoss(m=MARGIN, gamma=SCALE)


def train(function, seed):
    """The mean cosine within and between groups, and the R-precision, of new rows after training."""
    random = torch.Generator().manual_seed(seed)
    means = torch.randn(GROUPS, COLUMNS, generator=random)
    groups = [torch.arange(count) % GROUPS for count in (200, 400)]
    rows, new = (means[group] + 0.7 * torch.randn(len(group), COLUMNS, generator=random) for group in groups)
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(COLUMNS, 64), nn.ReLU(), nn.Linear(64, COLUMNS))
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(STEPS):
        value = function(model(rows), groups[0])
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    with torch.no_grad():
        found = normalize(model(new))
    cosine = (found @ found.T).fill_diagonal_(-2)
    alike = (groups[1][:, None] == groups[1]).fill_diagonal_(False)
    share = alike.gather(1, cosine.topk(int(alike.sum(1)[0]), 1).indices).double().mean()
    unlike = groups[1][:, None] != groups[1]
    return torch.stack([cosine[alike].mean(), cosine[unlike].mean(), share])


torch.manual_seed(0)
groups, random = torch.arange(40) % 10, torch.randn(40, 8)
seen = []
for function in (of_rows, other, library):
    ends = torch.stack([train(function, seed) for seed in range(3)]).mean(0).tolist()
    seen.append([float(function(random, groups)), float(function(torch.ones(40, 8), groups)), *ends])
print(f"{'':42}by the paper   pytorch-metric-learning   quaterion")
names = ("loss of 40 random rows of 10 groups", "loss of 40 rows that are all alike", "cosine within a group")
names = (*names, "cosine between groups", "R-precision")
for name, digits, *values in zip(names, (1, 1, 2, 2, 2), *seen):
    after = "" if digits == 1 else "trained: "
    print(f"{after + name:42}" + "".join(f"{x:{width}.{digits}f}" for x, width in zip(values, (12, 26, 12))))
print("quaterion 0.1.35, pytorch-metric-learning 2.9.0, torch", torch.__version__.split("+")[0])
print("expected: the loss 'as defined in' the paper: a pair of one group weighs 1 + m - s, the more the farther it is")
print("from its optimum, and a pair of two groups s + m")
print("cause: it takes 1 + m + s and s - m, the optimum's sign turned in both")
print("why it matters: at the default margin the weights of a model that maps all texts to one place hold each other:")
print("training goes there. The loss falls as it does in a training that works")
paper, theirs, (start, equal, _, between, share) = seen
same = paper[1] > 200 and equal < 20 < 200 < start and between > 0.8
sys.exit(0 if same and max(paper[3], theirs[3]) < 0.2 and share < min(paper[4], theirs[4]) else 1)
PYTHON
