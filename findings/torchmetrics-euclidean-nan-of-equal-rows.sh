#!/usr/bin/env bash
# torchmetrics' pairwise_euclidean_distance between two equal rows is now and then not a number.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "torch==2.13.0" "torchmetrics==1.9.0" "numpy==2.4.6"; then
    echo "could not be tried: torchmetrics or PyTorch were not installed" >&2
    exit 2
fi

"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import numpy as np
import torch
from torchmetrics.functional.pairwise import pairwise_euclidean_distance

rng = np.random.default_rng(0)
same, any_nan = True, 0
print("1,000 unit rows, against themselves as a second argument and each once more within the first")
print("columns  not numbers: of queries  of copies  nearest row found: argmin    topk  exact")
for columns in (32, 128, 768):
    x = rng.normal(size=(1000, columns))
    x = (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)
    rows = torch.tensor(x)
    exact = np.stack([np.linalg.norm(row - x.astype(np.float64), axis=1) for row in x])
    distances = pairwise_euclidean_distance(rows, rows)
    missing = torch.isnan(distances)
    copies = pairwise_euclidean_distance(torch.cat([rows, rows]))
    of_copies = int(torch.isnan(copies[:1000, 1000:]).sum())
    own = torch.arange(1000)
    by_argmin = int((distances.argmin(dim=1) == own).sum())
    by_topk = int((distances.topk(1, largest=False).indices[:, 0] == own).sum())
    print(
        f"{columns:7}{int(missing.sum()):23}{of_copies:11}{by_argmin:28}{by_topk:8}"
        f"{int((exact.argmin(axis=1) == own.numpy()).sum()):7}"
    )
    any_nan += int(missing.sum())
    # Only equal rows are concerned, and there topk takes another row for the nearest.
    same = same and int(missing.diagonal().sum()) == int(missing.sum()) == 1000 - by_topk
    same = same and bool((exact.argmin(axis=1) == own.numpy()).all()) and exact.min() == 0
    mean = pairwise_euclidean_distance(rows, rows, reduction="mean")
    same = same and int(torch.isnan(mean).sum()) == int(missing.sum())
print("torchmetrics 1.9.0, torch", torch.__version__)
print("expected: equal rows are 0 apart, or nearly so")
print("cause: the square root of |x|² + |y|² - 2xy, which rounds to just below 0; that it is in double")
print("precision, as since issue 1351, makes it no less negative. Only the diagonal of x against")
print("itself is set to 0")
print("why it matters: a text that is in the data twice, or a query that is among the rows, has no")
print("distance to itself: topk leaves it out, a mean over it is not a number")
sys.exit(0 if same and any_nan else 1)
PYTHON
