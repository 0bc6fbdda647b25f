#!/usr/bin/env bash
# HiClass' precision, recall and F score compare the names on two paths as sets, where its classifiers tell equal names
# by their parents: class 2 of group 1 told as class 1 of group 2 has an F score of 1.00, and of classes numbered within
# their group those drawn by chance have 0.37 in place of 0.12.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "scikit-learn==1.7.2" "numpy==1.26.4" "scipy==1.13.1" "networkx==3.4.2" \
    "requests==2.32.5" "pandas==2.2.3" "hiclass==5.0.8"; then
    echo "could not be tried: hiclass was not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import numpy as np
from hiclass import LocalClassifierPerParentNode
from hiclass.metrics import f1, precision, recall
from sklearn.linear_model import LogisticRegression

GROUPS, EACH, ROWS, COLUMNS = 5, 5, 2000, 10
rng = np.random.default_rng(0)


def by_hand(true, told):
    """Twice the ancestors that two paths share, themselves included, by how many there are on both."""
    shared = np.cumprod(np.asarray(true) == np.asarray(told), axis=1).sum()
    return 2 * shared / (np.size(true) + np.size(told))


def named(paths):
    """The same paths, with the name of a class made of its group's number and its own."""
    return np.array([[f"{a}", f"{a}/{b}"] for a, b in paths])


print("one row, class 2 of group 1 told as class 1 of group 2, and class 2 of group 4")
one = {told: [way([[1, 2]], [list(told)]) for way in (precision, recall, f1)] + [by_hand([[1, 2]], [told])]
       for told in ((2, 1), (4, 2))}
for told, line in one.items():
    print(f"{told}: precision {line[0]:.2f}, recall {line[1]:.2f}, F score {line[2]:.2f}, by hand {line[3]:.2f}")

true = np.stack([rng.integers(GROUPS, size=ROWS), rng.integers(EACH, size=ROWS)], 1)
middle = 2 * rng.normal(size=(GROUPS, 1, COLUMNS)) + rng.normal(size=(GROUPS, EACH, COLUMNS))
print(f"{ROWS // 2} rows of {GROUPS} groups of {EACH} classes, by the noise of the rows: F score")
print("                  noise   numbered within the group   named by group and class   by hand   both right")
seen = {}
half = ROWS // 2
for noise in (0.5, 2.0, 8.0, None):
    if noise is None:
        told = {"numbers": np.stack([rng.integers(GROUPS, size=half), rng.integers(EACH, size=half)], 1)}
        told["names"] = named(told["numbers"])
    else:
        rows = middle[true[:, 0], true[:, 1]] + noise * rng.normal(size=(ROWS, COLUMNS))
        told = {}
        for kind, labels in (("numbers", true), ("names", named(true))):
            model = LocalClassifierPerParentNode(local_classifier=LogisticRegression(max_iter=1000))
            told[kind] = model.fit(rows[:half], labels[:half]).predict(rows[half:])
    numbers = np.asarray(told["numbers"]).astype(int)
    same = np.mean((named(numbers) == told["names"]).all(1))
    line = [f1(true[half:], numbers), f1(named(true[half:]), told["names"]), by_hand(true[half:], numbers),
            np.mean((true[half:] == numbers).all(1)), same]
    seen[noise] = line
    name = "drawn by chance" if noise is None else "classifiers"
    print(f"{name:17}{'' if noise is None else noise!s:>6}{line[0]:28.2f}{line[1]:27.2f}{line[2]:10.2f}{line[3]:13.2f}")
print("hiclass 5.0.8, numpy", np.__version__)
print("expected: what the documentation defines, sets of a class and its ancestors, and that a class is its path, as")
print("it is to the classifiers of the same library, which tell both kinds of labels the same way")
print("cause: a path is made a set of its names. Equal names in two groups are one, and so are those of a group and of")
print("a class in another")
print("why it matters: the columns of a table are numbered from 0 each, and each category has its class 'other'. What")
print("is wrong from the first step on is then half right or right")
right = all(abs(line[1] - line[2]) < 1e-9 and line[4] > 0.999 for line in seen.values())
right &= one[2, 1][3] == one[4, 2][3] == 0
sys.exit(0 if right and one[2, 1][2] == 1 and seen[None][0] > seen[None][2] + 0.2 else 1)
PYTHON
