#!/usr/bin/env bash
# crowd-kit's HRRASA takes a row's number for the name of its worker in the ranks of the answers: workers called by
# names have no rank at all, and of those called by numbers the first rows have that of another worker.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "crowd-kit==1.4.2" "pandas==2.3.3" "scikit-learn==1.9.1" "scipy==1.17.1" \
    "numpy==2.4.6"; then
    echo "could not be tried: crowd-kit was not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import numpy as np
import pandas as pd
from crowdkit.aggregation import HRRASA

TASKS, WORKERS, COLUMNS = 30, 6, 8
rng = np.random.default_rng(0)
spread = np.linspace(0.1, 1.0, WORKERS)
means = rng.normal(size=(TASKS, COLUMNS))
means /= np.linalg.norm(means, axis=1, keepdims=True)


def answers(name):
    """Of each task an answer of each worker: its embedding, and a text of words that the careful ones share."""
    rows = []
    for task in range(TASKS):
        for worker in rng.permutation(WORKERS):
            words = [f"t{task}w{i}" if rng.random() > spread[worker] else f"x{rng.integers(1000)}" for i in range(6)]
            embedding = means[task] + spread[worker] * rng.normal(size=COLUMNS) / COLUMNS**0.5
            rows.append((f"task {task}", name(int(worker)), " ".join(words), embedding))
    return pd.DataFrame(rows, columns=["task", "worker", "output", "embedding"])


def by_formula(data, model):
    """beta exp(-|e - a|^2 / (|e|^2 |a|^2)) + gamma of what the model has learnt: s in the documentation."""
    weights = model.weights_["weight"]
    ranks = []
    for row in data.itertuples():
        middle, skill = model.aggregated_embeddings_[row.task], model.skills_[row.worker]
        apart = ((row.embedding - middle) ** 2).sum()
        near = np.exp(-apart / ((row.embedding**2).sum() * (middle**2).sum()))
        ranks.append(skill * near + weights[row.task, row.worker] / skill)
    return np.array(ranks)


print(f"{TASKS} tasks, {WORKERS} workers who are less and less careful, an answer of each worker to each task")
print("workers called   answers   without a rank   with the formula's   with another   largest difference")
seen = {}
names = {"'w0' to 'w5'": "w{}".format, "0 to 5": int, "100 to 105": lambda worker: 100 + worker}
for called, name in names.items():
    rng = np.random.default_rng(1)
    data = answers(name)
    model = HRRASA(n_iter=2, calculate_ranks=True).fit(data)
    hand, ranks = by_formula(data, model), model.ranks_["rank"].to_numpy(float)[: len(data)]
    none = int(np.isnan(ranks).sum())
    right = int(np.isclose(hand, ranks).sum())
    most = float(np.nanmax(np.abs(hand - ranks))) if none < len(ranks) else float("nan")
    seen[called] = len(data), none, right
    print(f"{called:15}{len(data):9}{none:17}{right:21}{len(data) - none - right:15}{most:21.2f}")
    if called == "0 to 5":
        print("    the first of them: " + ", ".join(f"{x:.2f} in place of {y:.2f}" for x, y in zip(ranks, hand[:3])))
print("crowd-kit 1.4.2, pandas", pd.__version__, "- numpy", np.__version__)
print("expected: a score of each answer, by its documentation the reliability of its worker, times how near the answer")
print("lies to the aggregated one, and the worker's reliability in this task")
print("cause: a series by workers is multiplied with one by rows; pandas puts together what has the same label")
print("why it matters: the answers of a task cannot be ranked or filtered by it, which is what it is computed for;")
print("where workers are numbers it does so by somebody else's reliability, for as many rows as there are workers")
total, none, right = seen["0 to 5"]
named = seen["'w0' to 'w5'"]
sys.exit(0 if named[1] == named[0] and none == total - WORKERS and right < WORKERS else 1)
PYTHON
