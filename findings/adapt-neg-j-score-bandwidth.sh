#!/usr/bin/env bash
# ADAPT's neg_j_score takes its bandwidth for the kernels' gamma: of rows in another unit it has other values, up to
# NaN, and of rows moved by one deviation and by two it tells no order. With the bandwidth it is the lower the farther
# rows are, where its metrics are said to be low for rows that are close.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "numpy==2.2.6" "scipy==1.15.3" "scikit-learn==1.7.2" ||
    ! "$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps "adapt==0.4.5"; then
    echo "could not be tried: adapt was not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata
import sys
import types
from unittest import mock

import numpy as np


class Absent(types.ModuleType):
    """A package that is not installed, and that what is tried here does not use."""

    __path__ = []

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {"__init__": lambda self, *_, **__: None}) if name[0].isupper() else mock.MagicMock()


keras = ("layers", "models", "initializers", "losses", "metrics", "optimizers", "wrappers", "wrappers.scikit_learn")
sys.modules.update({name: Absent(name) for name in ("cvxopt", "tensorflow", "tensorflow.keras", *(
    f"tensorflow.keras.{part}" for part in keras))})
from adapt.metrics import neg_j_score  # noqa: E402
from sklearn.datasets import load_breast_cancer, load_iris, load_wine  # noqa: E402
from sklearn.metrics import euclidean_distances  # noqa: E402

SEEDS = 2


def by_hand(source, target):
    """The same score, with kernels of the bandwidth in place of those that have it for their gamma."""
    sigma = euclidean_distances(target).mean()
    return neg_j_score(source, target, sigma=1 / (2 * sigma**2))


def draw(name, seed):
    """Two halves of one set of rows, and a source that is moved by a standard deviation or two."""
    rng = np.random.default_rng(seed)
    if name == "normal":
        rows = rng.normal(size=(300, 5))
    else:
        rows = {"iris": load_iris, "wine": load_wine, "cancer": load_breast_cancer}[name]().data[:, :5]
        rows = rng.permutation((rows - rows.mean(0)) / rows.std(0))[:300]
    half = len(rows) // 2
    return [rows[:half] + step for step in (0, 1, 2)], rows[half:2 * half]


print(f"score of a source that is like the target and of the same one moved by 1 and 2 deviations, mean of {SEEDS}")
print("rows, times                  here    moved by 1           by 2        by hand    moved by 1       by 2")
seen = {}
for name in ("normal", "iris", "wine", "cancer"):
    for unit in (0.1, 1, 10):
        lines = []
        for seed in range(SEEDS):
            sources, target = draw(name, seed)
            np.random.seed(0)
            lines.append([score(source * unit, target * unit) for score in (neg_j_score, by_hand)
                          for source in sources])
        seen[name, unit] = np.mean(lines, axis=0)
        print(f"{name:8}{unit:8g}" + "".join(f"{value:{width}.{digits}f}" for value, width, digits in zip(
            seen[name, unit], (17, 14, 15, 15, 14, 11), (3, 3, 3, 2, 2, 2))))
print("adapt", importlib.metadata.version("adapt"), "and numpy", np.__version__)
print("expected: a score that a unit does not change, its bandwidth being the mean distance unless another is given")
print("cause: scikit-learn's kernel takes gamma, one over twice the squared bandwidth, and is given the bandwidth, so")
print("that kernels are the narrower the farther rows are apart. Their logarithms at rows that no kernel reaches are")
print("the score. It is also the negative of a divergence, and make_uda_scorer turns it around once more")
print("why it matters: it is one of the metrics by which models for new domains are chosen without their labels")
alike = all(np.allclose(seen[name, unit][3:], seen[name, 1][3:], atol=0.02) for name, unit in seen)
order = all(line[3] > line[4] > line[5] for line in seen.values())
wrong = all(not np.allclose(seen[name, 1][:3], seen[name, unit][:3], atol=0.1) for name, unit in seen if unit != 1)
sys.exit(0 if alike and order and wrong else 1)
PYTHON
