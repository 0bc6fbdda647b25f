#!/usr/bin/env bash
# BaaL's BatchBALD chooses one row more than it is asked for and ranks the first of them last: the row that
# its committee disagrees about most is the one that is not labelled.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check --no-deps "baal==2.1.0" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "torch==2.13.0" "torchmetrics==1.9.0" "structlog==22.3.0" "Pillow==13.0.0" \
    "matplotlib==3.11.2" "tqdm==4.70.1" "scikit-learn==1.9.1" "scipy==1.17.1" "numpy==2.4.6"; then
    echo "could not be tried: baal or PyTorch were not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import itertools
import sys

import numpy as np
import torch
from baal.active.heuristics import BALD, BatchBALD
from scipy.special import softmax, xlogy

ROWS, CLASSES, COMMITTEE = 200, 3, 20
rng = np.random.default_rng(0)
torch.manual_seed(0)
logits = 2 * rng.normal(size=(ROWS, CLASSES, 1))
logits = logits + rng.uniform(0.1, 2, size=(ROWS, 1, 1)) * rng.normal(size=(ROWS, CLASSES, COMMITTEE))
probabilities = softmax(logits, axis=1)  # of a row's classes, by each of the committee


def information(chosen):
    """What the labels of these rows tell of the committee, by all combinations of their labels."""
    joint = np.ones((1, COMMITTEE))
    for place in chosen:
        joint = (joint[:, None] * probabilities[place][None]).reshape(-1, COMMITTEE)
    mean = joint.mean(axis=1)
    return float(-xlogy(mean, mean).sum() + xlogy(joint, joint).sum(axis=0).mean())


def by_hand(number):
    """The paper's greedy choice: each time the row with which the chosen ones tell most."""
    chosen = []
    for _ in range(number):
        gains = [-1 if place in chosen else information([*chosen, place]) for place in range(ROWS)]
        chosen.append(int(np.argmax(gains)))
    return chosen


most = int(BALD()(probabilities)[0])
same = True
print(f"200 rows, 3 classes, a committee of 20; by BALD row {most} tells most, {information([most]):.3f}")
print("num_samples   rows scored   place of that row   told by hand   by the first num_samples   at best of them")
for number in (1, 2, 3, 4):
    heuristic = BatchBALD(num_samples=number, num_draw=20000)
    scores = heuristic.get_uncertainties(probabilities)
    order = heuristic.reorder_indices(scores)
    scored = int((scores != 0).sum())
    place = int(np.flatnonzero(order == most)[0]) + 1
    hand, seen = information(by_hand(number)), information(order[:number])
    most_of_them = max(information(few) for few in itertools.combinations(order[:scored], number))
    print(f"{number:>11}{scored:>14}{place:>20}{hand:>15.3f}{seen:>27.3f}{most_of_them:>18.3f}")
    same = same and scored == number + 1 and place == number + 1 and seen < hand - 0.01
    same = same and by_hand(number)[0] == most and most_of_them > seen + 0.01
print("baal 2.1.0, PyTorch", torch.__version__, "- numpy", np.__version__)
print("expected: 'num_samples: number of samples to select', ranked first, among them the one that tells most")
print("cause: it starts with that row and then takes num_samples further ones. A row's score is what all so")
print("far tell together, so that the last has the highest and the first, with its own alone, the lowest")
print("why it matters: the rest were chosen to go with the row that is left out. With num_samples=1 it is the")
print("row that tells most beside the best one, and active learning labels any but that")
sys.exit(0 if same else 1)
PYTHON
