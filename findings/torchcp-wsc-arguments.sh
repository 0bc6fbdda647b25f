#!/usr/bin/env bash
# TorchCP's WSC, the coverage in the worst slab, looks for the slab by the classes' numbers in place of the
# coverage, finds none, and returns what all rows have: 0.90 where a sixth of them have 0.51.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# TorchCP asks for a package that is compiled and for language models; its metrics use neither.
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "torch==2.13.0" "scikit-learn==1.9.1" "scipy==1.17.1" "numpy==2.4.6" \
    "tqdm==4.67.1" ||
    ! "$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
        "torchcp==1.2.1"; then
    echo "could not be tried: TorchCP or PyTorch were not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import importlib.util
import sys
import types
from pathlib import Path

import numpy as np
import torch

# The packages around the metrics import all of TorchCP: these are empty ones at the same places.
place = Path(importlib.util.find_spec("torchcp").origin).parent
for name in ("torchcp", "torchcp.classification", "torchcp.classification.utils"):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [str(place.joinpath(*name.split(".")[1:]))]
from torchcp.classification.utils import metrics

ROWS, CLASSES, LEAST, DIRECTIONS = 4000, 10, 0.1, 200
rng = np.random.default_rng(0)
x = rng.normal(size=(ROWS, 3)).astype(np.float32)
labels = rng.integers(CLASSES, size=ROWS)
slab = x[:, 0] > 1
found_in, counted_in = np.split(rng.permutation(ROWS), [ROWS // 4])


def worst(covered):
    """Of all slabs that hold a tenth of the rows or more, the one of the least coverage; its bounds."""
    best = (2.0,)
    for direction in rng.normal(size=(DIRECTIONS, 3)):
        along = x[found_in] @ direction
        order = np.argsort(along)
        sums = np.concatenate([[0], np.cumsum(covered[found_in][order])])
        sizes = np.arange(len(sums)) - np.arange(len(sums))[:, None]
        shares = np.where(sizes >= LEAST * len(along), (sums - sums[:, None]) / np.maximum(sizes, 1), 2)
        start, stop = np.unravel_index(shares.argmin(), shares.shape)
        if shares[start, stop] < best[0]:
            best = shares[start, stop], direction, along[order[start]], along[order[stop - 1]]
    return best[1:]


def by_hand(covered):
    """The paper's two steps: the slab is found with a quarter of the rows, its coverage is the others'."""
    direction, low, high = worst(covered)
    along = x[counted_in] @ direction
    return float(covered[counted_in][(along >= low) & (along <= high)].mean())


same = True
print("coverage of   all rows   x[0] > 1   worst slab by hand   WSC   its own search, by argument names")
for inside in (0.97, 0.5, 0.0):
    covered = rng.random(ROWS) < np.where(slab, inside, 0.97)
    sets = np.zeros((ROWS, CLASSES), dtype=bool)
    sets[np.arange(ROWS), labels] = covered
    seen = metrics.WSC(
        torch.tensor(x), torch.tensor(sets), torch.tensor(labels), delta=LEAST, M=DIRECTIONS
    )
    named = metrics.calWSC(
        X=x[found_in], y=labels[found_in], covered=covered[found_in], delta=LEAST, M=DIRECTIONS, verbose=False
    )
    named = float(metrics.wsc_vab(x[counted_in], labels[counted_in], covered[counted_in], *named[1:]))
    hand, everywhere, there = by_hand(covered), float(covered.mean()), float(covered[slab].mean())
    print(f"{everywhere:21.2f}{there:11.2f}{hand:18.2f}{seen:14.2f}{named:22.2f}")
    same = same and abs(seen - everywhere) < 0.02 and abs(named - hand) < 0.1
    same = same and (inside > 0.9 or hand < inside + 0.15 < seen - 0.1)
print("TorchCP 1.2.1, torch", torch.__version__, "- numpy", np.__version__)
print("expected: the worst slab's coverage, as in the paper that the documentation names: at most that of")
print("x[0] > 1, a slab that holds a sixth of the rows, where delta=0.1 asks for a tenth")
print("cause: WSC calls its search with (X, covered, y), which takes (X, y, covered): a slab is rated by the")
print("mean of its classes' numbers. Only below 1 would that count, so it stays with the slab of all rows")
print("why it matters: WSC is there to tell whether prediction sets fail for some kind of input. It says")
print("that they hold everywhere, for whichever model: a number between 0 and 1 like the other coverages")
sys.exit(0 if same else 1)
PYTHON
