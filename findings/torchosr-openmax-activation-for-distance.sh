#!/usr/bin/env bash
# torchosr's Openmax looks an activation up in the distribution of the distances from a class' mean, and trims the first
# two rows of a batch in place of the classes: of the rows of known classes it tells 2% where by the paper 90% are told.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# --no-deps leaves out what its data sets of images and its tests of them need.
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "torch==2.13.0" "scipy==1.17.1" "numpy==2.4.6" || \
    ! "$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps "torchosr==0.1.6"; then
    echo "could not be tried: torchosr or PyTorch were not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import importlib
import sys
import types
from importlib.metadata import distribution

import numpy as np
import torch
from scipy.stats import exponweib
from torch import nn

# The package without its data sets, and a stand-in for the metrics, which training and prediction make no use of.
for name in ("torchosr", "torchosr.models", "torchosr.architectures"):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [str(distribution("torchosr").locate_file(name.replace(".", "/")))]
sys.modules["torchmetrics"] = types.ModuleType("torchmetrics")
sys.modules["torchmetrics"].Accuracy = sys.modules["torchmetrics"].ConfusionMatrix = None
Openmax = importlib.import_module("torchosr.models.Openmax").Openmax
KNOWN, UNKNOWN, COLUMNS, ROWS, NEW, BATCH, ALPHA, EPOCHS = 5, 3, 16, 200, 100, 100, 2, 30


class Batches(list):
    dataset = range(KNOWN * ROWS)


def by_paper(model, rows, groups, new):
    """OpenMax by the model's own Weibull distributions, of the distances from the means of what it tells right."""
    found, activations = model(new), model(rows)
    right = activations.argmax(1) == groups
    means = torch.stack([activations[right & (groups == c)].mean(0) for c in range(KNOWN)])
    away = torch.cdist(found, means).double().numpy()
    far = torch.tensor(np.stack([exponweib.cdf(away[:, c], *model.weibs[c]) for c in range(KNOWN)], 1))
    rank = found.argsort(1, descending=True).argsort(1)
    weights = 1 - ((ALPHA - rank) / ALPHA).clamp(min=0) * far
    return torch.cat([found * weights, (found * (1 - weights)).sum(1, keepdim=True)], 1).argmax(1)


def measure(seed):
    random = torch.Generator().manual_seed(seed)
    means = 1.5 * torch.randn(KNOWN + UNKNOWN, COLUMNS, generator=random)

    def draw(classes, size):
        groups = torch.arange(classes).repeat_interleave(size)
        groups = groups[torch.randperm(len(groups), generator=random)]
        return means[groups] + torch.randn(len(groups), COLUMNS, generator=random), groups

    rows, groups = draw(KNOWN, ROWS)
    new, right = draw(KNOWN + UNKNOWN, NEW)
    right = right.clamp(max=KNOWN)
    target = nn.functional.one_hot(groups, KNOWN + 1).float()
    torch.manual_seed(seed)
    stack = nn.Sequential(nn.Linear(COLUMNS, 64), nn.ReLU())
    model = Openmax(lower_stack=stack, n_known=KNOWN, epsilon=0.0, tail=20, alpha=ALPHA)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    batches = Batches(zip(rows.split(BATCH), target.split(BATCH)))
    for _ in range(EPOCHS):
        model.train(batches, nn.CrossEntropyLoss(), optimizer)
    with torch.no_grad():
        paper = by_paper(model, rows, groups, new)
        theirs = torch.cat([model.predict(batch) for batch in new.split(BATCH)])
        plain = model(new).argmax(1)
    start = torch.arange(len(new)) % BATCH < 2
    known = right < KNOWN
    parts = (known, ~known, known & start, known & ~start)
    return [[(found == right)[part].double().mean() for found in (plain, paper, theirs)] for part in parts]


seen = np.mean([measure(seed) for seed in range(3)], axis=0)
print(f"{KNOWN} known classes and {UNKNOWN} that are not, in batches of {BATCH}; told right")
print(f"{'':54}no rejection   by paper   torchosr")
names = ("rows of known classes", "rows of unknown classes", "the first two of a batch, of known classes")
for name, values in zip((*names, "the others, of known classes"), seen):
    print(f"{name:54}" + "".join(f"{value:{width}.2f}" for value, width in zip(values, (12, 11, 11))))
print("torchosr 0.1.6, scipy 1.17.1, torch", torch.__version__.split("+")[0])
print("expected: OpenMax of Bendale and Boult (2016): the distribution that was fitted to the distances from a class'")
print("mean is asked for the distance of a row, and of all but the alpha largest activations none is revised")
print("cause: it is asked for the activation itself, which is the larger the surer the row is and far above most of")
print("those distances. And w[a_trimmer] = 1 takes the zeros and ones of a mask for the numbers of rows")
print("why it matters: what a class is told by is taken away from it. Nearly all rows are unknown, but two of a batch")
print("never are; the more rows are unknown in truth the better that looks, and alpha changes nothing")
same = seen[0, 0] > 0.9 and seen[0, 1] > 0.8 and seen[1, 1] > 0.5
sys.exit(0 if same and seen[0, 2] < 0.1 and seen[2, 2] > 0.9 and seen[3, 2] < 0.05 else 1)
PYTHON
