#!/usr/bin/env bash
# easyfsl's PTMAP rounds the number of queries per class down: with fewer queries than classes it is 0, all
# scores are 0, and each query is of the first class.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# easyfsl asks for torchvision, for its images and their networks; its methods for features use neither.
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "torch==2.13.0" "numpy==2.4.6" ||
    ! "$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
        "easyfsl==1.5.0"; then
    echo "could not be tried: easyfsl or PyTorch were not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import importlib.util
import sys
import types
from pathlib import Path

import numpy as np
import torch

# easyfsl.methods imports all methods, and the networks of some: this is an empty package at its place.
sys.modules["easyfsl.methods"] = types.ModuleType("easyfsl.methods")
place = Path(importlib.util.find_spec("easyfsl").origin).parent
sys.modules["easyfsl.methods"].__path__ = [str(place / "methods")]
from easyfsl.methods.bd_cspn import BDCSPN
from easyfsl.methods.pt_map import PTMAP
from easyfsl.methods.tim import TIM

CLASSES, SHOTS, WIDTH, TASKS = 5, 5, 16, 40
torch.manual_seed(0)
rng = np.random.default_rng(0)
centres = 3 * torch.rand(CLASSES, WIDTH)


def rows(labels):
    """Features of five classes that lie far from each other, none of them negative."""
    return (centres[labels] + 0.1 * torch.randn(len(labels), WIDTH)).relu()


def plan(costs, share):
    """Sinkhorn's transport plan in NumPy: each query is given away once, each class takes so many."""
    moved = np.exp(-10 * costs)
    for _ in range(1000):
        moved *= 1 / moved.sum(axis=1, keepdims=True)
        moved *= share / moved.sum(axis=0)
    return moved / moved.sum(axis=1, keepdims=True)


def by_hand(support, labels, queries):
    """PT-MAP as in its paper, with as many queries to a class as there are on average."""
    support, queries = ((features.numpy() + 1e-6) ** 0.5 for features in (support, queries))
    known = np.eye(CLASSES)[labels]
    prototypes = known.T @ support / known.sum(axis=0)[:, None]
    for step in range(11):
        costs = ((queries[:, None] - prototypes[None]) ** 2).sum(axis=2)
        given = plan(costs, len(queries) / CLASSES)
        if step < 10:
            weights = np.concatenate([known, given])
            means = weights.T @ np.concatenate([support, queries]) / weights.sum(axis=0)[:, None]
            prototypes += 0.2 * (means - prototypes)
    return given.argmax(axis=1)


same = True
labels = torch.arange(CLASSES).repeat_interleave(SHOTS)
print("five classes of five shots, each query of another class: accuracy, and PTMAP's answers")
print("queries   by hand   BDCSPN    TIM   PTMAP   of the first class   its highest score")
for asked in (5, 4, 3, 2):
    right = {}
    first, highest = 0.0, 0.0
    for _ in range(TASKS):
        truth = torch.tensor(rng.permutation(CLASSES)[:asked])
        support, queries = rows(labels), rows(truth)
        answers = {"by hand": torch.tensor(by_hand(support, labels, queries))}
        for method in (BDCSPN, TIM, PTMAP):
            model = method()
            model.process_support_set(support, labels)
            scores = model(queries)
            answers[method.__name__] = scores.argmax(dim=1)
        first += (answers["PTMAP"] == 0).float().mean().item() / TASKS
        highest = max(highest, scores.abs().max().item())
        for name, answer in answers.items():
            right[name] = right.get(name, 0) + (answer == truth).float().mean().item() / TASKS
    hand, rectified, informed, mapped = right.values()
    print(f"{asked:5}{hand:12.2f}{rectified:9.2f}{informed:8.2f}{mapped:7.2f}{first:15.2f}{highest:20.2f}")
    same = same and min(hand, rectified, informed) > 0.9
    same = same and (mapped > 0.99 if asked == CLASSES else mapped < 0.3 and first > 0.999 and highest == 0)
print("easyfsl 1.5.0, torch", torch.__version__, "- numpy", np.__version__)
print("expected: PT-MAP's assignment of queries to classes, which takes as many to a class as there are on")
print("average, 0.8 of four queries for five classes; or an error, if it must be a whole number")
print("cause: it computes that number with //, which is 0 where there are fewer queries than classes. The")
print("transport plan is then 0 everywhere, and the highest of equal scores is the first")
print("why it matters: an application has few queries at a time, and gets the class that comes first for")
print("each, where BDCSPN and TIM, which look at the queries together as well, are right; no error tells")
sys.exit(0 if same else 1)
PYTHON
