#!/usr/bin/env bash
# MiniSom's Chebyshev distance is the largest difference with its sign in place of without: the farther a unit lies
# above a row the nearer it is. Of a map of the iris flowers half of the winners are not the nearest unit, and 0.75 of
# the flowers are of the most frequent kind of their unit, by hand 0.95.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "numpy==1.26.4" "scipy==1.13.1" "scikit-learn==1.7.2" "setuptools==80.9.0" \
    "wheel==0.45.1" || ! "$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
    --no-build-isolation "MiniSom==2.3.6"; then
    echo "could not be tried: MiniSom or scikit-learn were not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import numpy as np
from minisom import MiniSom
from scipy.spatial.distance import cdist
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.preprocessing import StandardScaler

SIDE, STEPS, SEEDS = 6, 5000, 3


def by_hand(row, weights):
    return np.abs(row - weights).max(-1)


def fit(rows, distance, seed):
    som = MiniSom(SIDE, SIDE, rows.shape[1], sigma=1.5, learning_rate=0.5, activation_distance=distance,
                  random_seed=seed)
    som.random_weights_init(rows)
    som.train_random(rows, STEPS)
    return som


def measure(som, rows, labels):
    """How often the winner is SciPy's nearest unit, how far rows are from it, units that win, rows that unit tells."""
    units = som.get_weights().reshape(-1, rows.shape[1])
    exact = cdist(rows, units, "chebyshev")
    winner = np.array([a * SIDE + b for a, b in (som.winner(row) for row in rows)])
    told = sum(np.bincount(labels[winner == unit]).max() for unit in np.unique(winner)) / len(rows)
    far = exact[np.arange(len(rows)), winner]
    return np.mean(far <= exact.min(1) + 1e-9), far.mean(), len(np.unique(winner)), told


som = MiniSom(1, 3, 2, activation_distance="chebyshev", random_seed=0)
som.get_weights()[0] = [[0.1, 0.0], [5.0, 7.0], [-0.2, 0.3]]
row = np.zeros(2)
here, right = som.activate(row)[0], by_hand(row, som.get_weights()[0])
place = int(som.winner(row)[1])
print("units (0.1, 0), (5, 7) and (-0.2, 0.3), distance of (0, 0): here", np.round(here + 0.0, 2), "by hand", right)
print("the winner is unit", place, "in place of", right.argmin())
print(f"\nmaps of {SIDE} x {SIDE} units, mean of {SEEDS}: share of winners that are the nearest unit by SciPy,")
print("distance from the winner, units that win, and rows whose label is the most frequent one of their unit")
print("                          chebyshev                 by hand, same maps' start              euclidean")
seen = {}
for name, load in (("iris", load_iris), ("wine", load_wine), ("cancer", load_breast_cancer)):
    rows, labels = load(return_X_y=True)
    rows = StandardScaler().fit_transform(rows)
    seen[name] = [np.mean([measure(fit(rows, way, seed), rows, labels) for seed in range(SEEDS)], axis=0)
                  for way in ("chebyshev", by_hand, "euclidean")]
    print(f"{name:10}" + "   ".join(f"{a:8.2f}{b:7.2f}{c:6.1f}{d:6.2f}" for a, b, c, d in seen[name]))
print("MiniSom 2.3.6, numpy", np.__version__)
print("expected: the largest of the absolute differences, as SciPy has it")
print("cause: the maximum is taken over row minus weights as it is")
print("why it matters: it is one of four distances offered by name, and a map by it puts rows of other kinds together.")
print("Its quantization error is that of another search, by Euclidean distance, and does not tell")
right = all(lines[1][0] > 0.999 for lines in seen.values()) and place == 1
wrong = all(lines[0][0] < 0.8 and lines[0][3] < lines[1][3] - 0.05 for lines in seen.values())
sys.exit(0 if right and wrong else 1)
PYTHON
