#!/usr/bin/env bash
# pyclustering's fuzzy c-means raises squared distances to the power that distances have, and weighs rows by their
# membership in place of its power: what is asked for with m=2 has the memberships of m=1.5, and at m=4 all centres are
# one and each row belongs to each of three groups by 0.33, where it belongs to its own by 0.57.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "numpy==1.26.4" "scipy==1.13.1" "scikit-fuzzy==0.5.0" \
    "matplotlib==3.9.4" "Pillow==10.4.0" "setuptools==80.9.0" "wheel==0.45.1" ||
    ! "$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation \
        "pyclustering==0.10.1.2"; then
    echo "could not be tried: pyclustering or scikit-fuzzy were not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import numpy as np
import skfuzzy
from pyclustering.cluster.fcm import fcm

EACH, GROUPS, ROUNDS = 60, 3, 500
rng = np.random.default_rng(0)
means = 5 * np.array([[0.0, 0.0], [1.0, 0.0], [0.5, np.sqrt(0.75)]])
group = np.repeat(np.arange(GROUPS), EACH)
rows = means[group] + rng.normal(size=(len(group), 2))
starts = means + rng.normal(size=means.shape)


def by_hand(m):
    """Bezdek's two steps: memberships by distances to the power -2 / (m - 1), centres by memberships to the power m."""
    centres = starts
    for _ in range(ROUNDS):
        squares = ((rows[:, None] - centres) ** 2).sum(-1)
        member = squares ** (-1 / (m - 1))
        member /= member.sum(1, keepdims=True)
        centres = (member**m).T @ rows / (member**m).sum(0)[:, None]
    return centres, member


def library(m, ccore):
    model = fcm(rows.tolist(), starts.tolist(), m=m, ccore=ccore, tolerance=1e-12, itermax=ROUNDS).process()
    return np.array(model.get_centers()), np.array(model.get_membership())


def other(m):
    centres, member, *_ = skfuzzy.cmeans(rows.T, GROUPS, m, 1e-12, ROUNDS, seed=0)
    return centres, member.T


def side(centres):
    """The mean distance between two of the centres."""
    return np.mean([np.linalg.norm(centres[a] - centres[b]) for a in range(GROUPS) for b in range(a)])


ways = {"here": lambda m: library(m, True), "in Python": lambda m: library(m, False), "scikit-fuzzy": other,
        "by hand": by_hand, "by hand, (m+1)/2": lambda m: by_hand((m + 1) / 2)}
print(f"{GROUPS} groups of {EACH} rows, whose means are 5 apart and whose deviation is 1")
print("mean of the largest membership of a row, and mean distance between two centres")
print("m    " + "".join(f"{name:>20}" for name in ways))
seen = {}
for m in (1.5, 2.0, 3.0, 4.0, 5.0):
    found = [way(m) for way in ways.values()]
    seen[m] = [(member.max(1).mean(), side(centres)) for centres, member in found]
    print(f"{m:.1f}  " + "".join(f"{a:12.2f}{b:8.2f}" for a, b in seen[m]))
print("pyclustering 0.10.1.2, scikit-fuzzy 0.5.0, numpy", np.__version__)
print("expected: Bezdek's fuzzy c-means, which its documentation gives the formula of")
print("cause: the ratio of two distances is raised to 2 / (m - 1), but what is raised is the ratio of their squares,")
print("and a centre is the mean of the rows weighed by their membership, where it should be by the power m of it")
print("why it matters: memberships are what one takes fuzzy clusters for, to see which rows lie between two. Here they")
print("are surer than with the same m elsewhere as long as m is small, and tell nothing at all once it is large")
right = all(np.allclose(line[2], line[3], atol=0.01) and line[3][1] > 4 for line in seen.values())
wrong = all(line[place][0] > line[3][0] + 0.005 for m, line in seen.items() if m < 4 for place in (0, 1))
wrong &= max(line[place][1] for m, line in seen.items() if m >= 4 for place in (0, 1)) < 0.1
sys.exit(0 if right and wrong else 1)
PYTHON
