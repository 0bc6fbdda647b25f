#!/usr/bin/env bash
# ckatorch's CKA over a data loader is that of its last batch: two models have 1.00 or 0.33 over the same 1000
# texts, by which of them come last, in place of 0.75.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "ckatorch==1.0.3" "torch==2.13.0" "matplotlib==3.11.2" "pandas==2.3.3" \
    "numpy==2.4.6"; then
    echo "could not be tried: ckatorch or PyTorch were not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 MPLBACKEND=agg "$folder/venv/bin/python" -W ignore - 2> /dev/null <<'PYTHON'
import sys

import torch
from ckatorch import CKA
from torch.utils.data import DataLoader, TensorDataset

TEXTS, WORDS, COLUMNS, BATCH = 1000, 16, 8, 100
torch.manual_seed(0)


def encoder(weights):
    layer = torch.nn.Linear(2 * COLUMNS, len(weights), bias=False)
    layer.weight.data = weights
    return torch.nn.Sequential(layer)


# Texts of two kinds, each with columns of its own; of those of the second kind the second model keeps one.
whole = torch.eye(2 * COLUMNS)
first, second = encoder(whole), encoder(whole[: COLUMNS + 1])
texts = torch.zeros(TEXTS, WORDS, 2 * COLUMNS)
texts[: TEXTS // 2, :, :COLUMNS] = torch.randn(TEXTS // 2, WORDS, COLUMNS)
texts[TEXTS // 2 :, :, COLUMNS:] = torch.randn(TEXTS // 2, WORDS, COLUMNS)


def hsic(x, y):
    """The unbiased criterion of Nguyen et al. of each text, over its words."""
    k, l = x @ x.mT, y @ y.mT
    k.diagonal(dim1=-2, dim2=-1).zero_()
    l.diagonal(dim1=-2, dim2=-1).zero_()
    n, ones = WORDS, torch.ones(WORDS, dtype=x.dtype)
    trace = (k * l).sum((-2, -1))
    sums = (k @ ones).sum(-1) * (l @ ones).sum(-1) / ((n - 1) * (n - 2))
    return (trace + sums - 2 / (n - 2) * ((k @ ones) * (l @ ones)).sum(-1)) / (n * (n - 3))


def by_hand(rows):
    with torch.no_grad():
        x, y = first(rows).double(), second(rows).double()
    return float(hsic(x, y).mean() / (hsic(x, x).mean() * hsic(y, y).mean()).sqrt())


def by_library(rows):
    loader = DataLoader(TensorDataset(rows), batch_size=BATCH)
    return float(CKA(first, second, layers=["0"])(loader))


print(f"{TEXTS} texts of {WORDS} word vectors of two kinds, in batches of {BATCH}: CKA of two models")
print("the texts' order             by hand   of the last batch, by hand   by ckatorch")
mixed = texts[torch.randperm(TEXTS)]
seen = []
for name, rows in (
    ("the first kind at the end", texts.flip(0)),
    ("the second kind at the end", texts),
    ("mixed", mixed),
    ("mixed, two of the first kind", torch.cat([mixed, texts[:2]])),
    ("mixed, two of the second kind", torch.cat([mixed, texts[-2:]])),
):
    last = (len(rows) - 1) // BATCH * BATCH
    seen.append((by_hand(rows), by_hand(rows[last:]), by_library(rows)))
    print(f"{name:29}{seen[-1][0]:7.3f}{seen[-1][1]:20.3f}{seen[-1][2]:20.3f}")
print("ckatorch 1.0.3, PyTorch", torch.__version__)
print("expected: 'the minibatch version of CKA by averaging HSIC_1 scores over k minibatches', as its README has it")
print("cause: each batch writes its value over that of the one before it, and nothing is added up but over epochs,")
print("each of which has the value of its last batch")
print("why it matters: what two models have in common is read from a tenth of the texts, or from the two that were")
print("left over, and another order of the same texts has another result")
same = all(abs(library - end) < 1e-4 for _, end, library in seen)
same = same and all(abs(hand - seen[0][0]) < 0.01 for hand, *_ in seen)
sys.exit(0 if same and seen[0][2] > seen[0][0] + 0.1 and seen[1][2] < seen[1][0] - 0.1 else 1)
PYTHON
