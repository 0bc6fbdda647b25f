#!/usr/bin/env bash
# scikit-network's BinaryCrossEntropy of several outputs takes the number of a class for what each of its outputs should
# be: training makes the loss larger, and of three groups of nodes 0.37 are told right, of six 0.24, where the gradient
# of the same loss tells 0.95 and 0.94.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "numpy==2.2.6" "scipy==1.15.3" "scikit-network==0.33.5"; then
    echo "could not be tried: scikit-network was not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata
import sys

import numpy as np
from scipy import sparse
from scipy.special import expit
from sknetwork.gnn import GNNClassifier
from sknetwork.gnn.loss import BinaryCrossEntropy

EACH, EPOCHS, SEEDS = 50, 200, 3


class ByHand(BinaryCrossEntropy):
    """The same loss with the gradient of what its loss() computes: each output is 1 for its own class, 0 else."""

    @staticmethod
    def loss_gradient(signal, labels):
        return expit(signal) - np.eye(signal.shape[1])[labels]


def draw(groups, seed):
    """Nodes whose links and features tell their group, a third of them labelled."""
    rng = np.random.default_rng(seed)
    group = np.arange(groups * EACH) % groups
    links = np.triu(rng.random((len(group), len(group))) < np.where(group[:, None] == group, 0.15, 0.01), 1)
    features = np.eye(groups)[group] + 0.5 * rng.normal(size=(len(group), groups))
    return sparse.csr_matrix((links + links.T).astype(float)), features, group, rng.random(len(group)) < 0.33


def slope(loss, groups):
    """Cosine of a loss' gradient with that of its values by finite differences."""
    rng = np.random.default_rng(0)
    signal, labels = rng.normal(size=(40, groups)), np.arange(40) % groups
    true = np.zeros_like(signal)
    for place in np.ndindex(*signal.shape):
        step = np.zeros_like(signal)
        step[place] = 1e-5
        true[place] = loss.loss(signal + step, labels) - loss.loss(signal - step, labels)
    own = loss.loss_gradient(signal, labels)
    return (own * true).sum() / np.linalg.norm(own) / np.linalg.norm(true)


print(f"nodes without a label that are told right, mean of {SEEDS}, the loss before and after training, and the cosine")
print("of the loss' gradient with that of its values")
print("groups   loss                      right            loss      cosine")
seen = {}
for groups in (2, 3, 4, 6):
    for name, loss in (("CrossEntropy", None), ("BinaryCrossEntropy", BinaryCrossEntropy()), ("by hand", ByHand())):
        lines = []
        for seed in range(SEEDS):
            links, features, group, known = draw(groups, seed)
            model = GNNClassifier(dims=groups, loss=loss or name, early_stopping=False)
            told = model.fit_predict(links, features, np.where(known, group, -1), n_epochs=EPOCHS, random_state=seed)
            losses = model.history_["loss"]
            lines.append([np.mean((told == group)[~known]), losses[0], losses[-1]])
        seen[groups, name] = np.mean(lines, axis=0)
        print("{:6}   {:22}{:9.2f}{:9.2f} to {:5.2f}{:9.2f}".format(
            groups, name, *seen[groups, name], slope(model.loss, groups)))
print("scikit-network", importlib.metadata.version("scikit-network"), "and numpy", np.__version__)
print("expected: the gradient of the loss beside it, where the output of a node's class should be 1 and the others 0")
print("cause: the labels themselves are taken from the probabilities. With one output, for classes 0 and 1, that is")
print("right. With several, class 0 pulls all outputs to 0, class 1 all to 1 and the others all above 1")
print("why it matters: it is one of the two losses there are, and its values are right, for several outputs as well.")
print("The network that it trains tells next to nothing")
right = all(seen[groups, "by hand"][0] > 0.85 for groups in (3, 4, 6))
wrong = all(line[2] > line[1] and line[0] < 0.5 for (groups, name), line in seen.items()
            if name == "BinaryCrossEntropy" and groups > 2)
sys.exit(0 if right and wrong else 1)
PYTHON
