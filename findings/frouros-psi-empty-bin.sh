#!/usr/bin/env bash
# Frouros' PSI puts the smallest number that there is for a bin without rows, so that one row in the other sample weighs
# 700 times its share: of pairs of normal samples without any drift 0.89 are above 0.25, where it is said to be large.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "frouros==0.9.0" "scipy==1.13.1" "numpy==1.26.4" "matplotlib==3.9.4"; then
    echo "could not be tried: Frouros was not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import numpy as np
from frouros.detectors.data_drift import PSI

ROWS, PAIRS, DRIFT, LARGE, SMALLEST = 500, 100, 0.3, 0.25, 1e-4
rng = np.random.default_rng(0)


def cosines(shift):
    """Of pairs of random rows with 32 columns, as those of embeddings that have nothing to do with each other."""
    rows = rng.normal(size=(2, ROWS, 32))
    return (rows[0] * rows[1]).sum(1) / np.linalg.norm(rows, axis=2).prod(0) + shift * 32**-0.5


draws = {
    "normal": lambda shift: rng.normal(size=ROWS) + shift,
    "cosines": cosines,
    "lognormal": lambda shift: np.exp(0.5 * (rng.normal(size=ROWS) + shift)),
    "uniform": lambda shift: rng.uniform(size=ROWS) ** np.exp(-shift),
}


def library(reference, sample, bins):
    detector = PSI(num_bins=bins)
    detector.fit(X=reference)
    return detector.compare(X=sample)[0].distance


def by_hand(reference, sample, edges):
    """With a share of at least 0.0001 for every bin, and else the same."""
    shares = [np.maximum(np.histogram(rows, edges)[0] / len(rows), SMALLEST) for rows in (reference, sample)]
    return np.sum((shares[1] - shares[0]) * np.log(shares[1] / shares[0]))


def compare(draw, shift, bins):
    """PSI by the library, by hand in the same bins and by hand in bins of as many rows of the reference each."""
    values = []
    for _ in range(PAIRS):
        reference, sample = draw(0), draw(shift)
        same = np.histogram_bin_edges(np.concatenate([reference, sample]), bins)
        equal = np.quantile(reference, np.linspace(0, 1, bins + 1))
        equal[0], equal[-1] = -np.inf, np.inf
        told = library(reference, sample, bins)
        values.append((told, by_hand(reference, sample, same), by_hand(reference, sample, equal)))
    return np.array(values)


print(f"PSI of {PAIRS} pairs of samples of {ROWS} numbers, without a drift and with one of {DRIFT} deviations")
print(f"                        above {LARGE} without drift           how often a pair with drift has more")
print("numbers      bins    Frouros   same bins   bins of         Frouros   same bins   bins of")
print("                                 by hand   one size                    by hand   one size")
seen = {}
for name, draw in draws.items():
    for bins in (10, 20):
        none, drift = compare(draw, 0.0, bins), compare(draw, DRIFT, bins)
        more = (drift[:, None] > none[None]).mean((0, 1))
        seen[name, bins] = (*(none > LARGE).mean(0), *more)
        values = zip(seen[name, bins], (11, 12, 11, 16, 12, 11))
        print(f"{name:12}{bins:5}" + "".join(f"{value:{width}.2f}" for value, width in values))
print("Frouros 0.9.0, numpy", np.__version__)
print("expected: near 0 without drift; below 0.1 is read as none, above 0.25 as large")
print("cause: a share of 0 becomes 2e-308, whose logarithm is -708, and bins go from the smallest to the largest of all")
print("rows, so that those at the ends have a row or two of one sample")
print("why it matters: whether a single row is out there decides, and a drift adds less than that. An alarm by the usual")
print("bounds rings for most pairs of numbers that have tails")
right = all(max(value[1:3]) == 0 and min(value[4:]) > 0.9 for value in seen.values())
tails = [value for (name, _), value in seen.items() if name != "uniform"]
sys.exit(0 if right and min(value[0] for value in tails) > 0.15 and max(value[3] for value in tails) < 0.9 else 1)
PYTHON
