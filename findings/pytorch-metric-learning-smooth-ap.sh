#!/usr/bin/env bash
# pytorch-metric-learning's SmoothAPLoss takes a row's place in the batch for its class: a perfect
# ranking has a loss unless there are as many classes as rows of each, one after the other.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "torch==2.13.0" "pytorch-metric-learning==2.9.0" "numpy==2.4.6"; then
    echo "could not be tried: pytorch-metric-learning or PyTorch were not installed" >&2
    exit 2
fi

"$folder/venv/bin/python" - <<'PYTHON'
import sys

import numpy as np
import torch
from pytorch_metric_learning.losses import SmoothAPLoss

rng = np.random.default_rng(0)


def smooth_ap(x, labels, temperature=0.01):
    """The paper's loss in NumPy, the positives of a row being those of its label, itself as well."""
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    losses = []
    for own, cosines in zip(labels, x @ x.T):
        differences = (cosines[None, :] - cosines[:, None]) / temperature
        above = 0.5 + 0.5 * np.tanh(differences / 2)  # [i, j]: is row j ranked above row i
        np.fill_diagonal(above, 0.0)
        of_class = labels == own
        rank_of_class = 1 + above[np.ix_(of_class, of_class)].sum(axis=1)
        rank = 1 + above[of_class].sum(axis=1)
        losses.append(1 - np.mean(rank_of_class / rank))
    return float(np.mean(losses))


same = True
print("rows close around the centre of their class, centres at right angles: average precision is 1")
print("batch                       expected   seen  with classes by place")
for classes, rows, mixed in ((4, 4, False), (8, 4, False), (4, 8, False), (3, 2, False), (4, 4, True)):
    labels = np.repeat(np.arange(classes), rows)
    if mixed:
        labels = rng.permutation(labels)
    x = np.eye(16)[labels] + 0.01 * rng.normal(size=(len(labels), 16))
    expected = smooth_ap(x, labels)
    seen = SmoothAPLoss()(torch.tensor(x, dtype=torch.float32), torch.tensor(labels)).item()
    by_place = smooth_ap(x, np.arange(len(labels)) // classes)
    name = f"{classes} classes of {rows} rows{', mixed' if mixed else ''}"
    print(f"{name:28}{expected:8.3f}{seen:7.3f}{by_place:11.3f}")
    same = same and expected < 1e-3 and abs(seen - by_place) < 1e-3
    same = same and (seen < 1e-3 if classes == rows and not mixed else seen > 0.1)
print("pytorch-metric-learning 2.9.0, torch", torch.__version__)
print("cause: with C classes in the batch the first C rows are one class, the next C the second, and")
print("so on; of the labels only the number of rows of each is looked at")
print("why it matters: a batch of P classes with K rows of each mostly has another P than K, and the")
print("loss then pulls rows of several classes together. It goes down as it is trained, and nothing")
print("tells of it")
sys.exit(0 if same else 1)
PYTHON
