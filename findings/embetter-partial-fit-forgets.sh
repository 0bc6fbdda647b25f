#!/usr/bin/env bash
# embetter's ContrastiveTuner starts a new network in each call of partial_fit: after ten batches it is what the last
# one alone makes of it, to the last bit, and of new digits 0.77 have a nearest one that is the same in place of 0.89.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "torch==2.13.0" "numpy==2.2.6" "scikit-learn==1.7.2" "scipy==1.15.3" ||
    ! "$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps "embetter==0.9.1"; then
    echo "could not be tried: torch or embetter were not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import random
import sys
from unittest import mock

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.metrics import pairwise_distances

# Sentence encoders, which another class of the same package trains, are not needed here.
sys.modules["sentence_transformers"] = mock.MagicMock()
from embetter.finetune import ContrastiveTuner  # noqa: E402

TRAIN, SETTINGS = 1000, {"hidden_dim": 16, "epochs": 10, "learning_rate": 0.003}
rows, kinds = load_digits(return_X_y=True)
rows = rows / 16.0
classes = np.unique(kinds)


def seed(number):
    random.seed(number)
    torch.manual_seed(number)


def library(batches):
    tuner = ContrastiveTuner(**SETTINGS)
    for number, batch in enumerate(batches):
        seed(number)
        tuner.partial_fit(rows[batch], kinds[batch], classes=classes)
    return tuner


def alone(rows, kinds, number):
    seed(number)
    return ContrastiveTuner(**SETTINGS).fit(rows, kinds)


def by_hand(batches):
    """The same steps on the same pairs, by one network and one optimizer that are kept between batches."""
    tuner = library(batches[:1])
    network = tuner.learner.network_
    optimizer = torch.optim.Adam(network.parameters(), lr=SETTINGS["learning_rate"])
    for number, batch in enumerate(batches[1:], 1):
        seed(number)
        first, second, label = tuner.generate_batch(torch.from_numpy(rows[batch]).float(), kinds[batch])
        data = torch.utils.data.TensorDataset(first, second, label.float())
        for _ in range(SETTINGS["epochs"]):
            for a, b, c in torch.utils.data.DataLoader(data, batch_size=256, shuffle=True):
                optimizer.zero_grad()
                torch.nn.functional.mse_loss(network(a, b), c).backward()
                optimizer.step()
    return tuner


def told(tuner):
    """The share of new digits whose nearest one of the training set by cosine is the same digit."""
    output = tuner.transform(rows)
    near = pairwise_distances(output[TRAIN:], output[:TRAIN], metric="cosine").argmin(1)
    return np.mean(kinds[near] == kinds[TRAIN:])


print(f"{TRAIN} digits in batches: share of new digits told by their nearest one, and how far from the last one alone")
print("batches   partial_fit   last batch alone   kept, by hand   all at once      far, here   by hand")
seen = {}
whole = told(alone(rows[:TRAIN], kinds[:TRAIN], 0))
for count in (2, 5, 10):
    batches = np.array_split(np.arange(TRAIN), count)
    made = library(batches), alone(rows[batches[-1]], kinds[batches[-1]], count - 1), by_hand(batches)
    far = [np.abs(made[way].transform(rows) - made[1].transform(rows)).max() for way in (0, 2)]
    seen[count] = [*(told(tuner) for tuner in made), whole], far
    print(f"{count:7}" + "".join(f"{value:{width}.2f}" for value, width in zip(seen[count][0], (14, 19, 16, 14)))
          + f"{far[0]:15.6f}{far[1]:10.2f}")
print("embetter 0.9.1, torch", torch.__version__)
print("expected: what partial_fit does in scikit-learn and in FeedForwardTuner of the same package, going on from")
print("where the batches before have led")
print("cause: it hands its pairs over to the fit of ContrastiveLearner, which makes a network and an optimizer anew")
print("why it matters: it is for labels that come in bit by bit, as in annotation, or for what does not fit in memory.")
print("All but the last batch is for nothing, and nothing tells")
right = all(far[1] > 0.1 for _, far in seen.values())
wrong = all(far[0] == 0 and shares[0] < shares[2] - 0.02 for shares, far in seen.values())
sys.exit(0 if right and wrong else 1)
PYTHON
