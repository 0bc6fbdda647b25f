#!/usr/bin/env bash
# MAPIE's calibration error with split_strategy="array split" cuts the scores up in the order of the rows: an error
# of 0.16 is 0.02 where they are shuffled, next to 0.01 of scores that are calibrated.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "mapie==1.6.0" "scikit-learn==1.9.1" "scipy==1.17.1" "numpy==2.4.6"; then
    echo "could not be tried: mapie was not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import numpy as np
from mapie.metrics.calibration import expected_calibration_error

ROWS, BINS = 2000, 10
rng = np.random.default_rng(0)


def by_hand(right, scores):
    """The error over bins of as many rows each, from the lowest scores to the highest."""
    groups = np.array_split(np.argsort(scores), BINS)
    return sum(len(rows) / ROWS * abs(right[rows].mean() - scores[rows].mean()) for rows in groups)


def by_mapie(right, scores, strategy):
    return expected_calibration_error(right, scores, num_bins=BINS, split_strategy=strategy)


sure = rng.random(ROWS)
truth = 0.5 + 0.4 * (sure - 0.5)
right = (rng.random(ROWS) < truth).astype(int)
print(f"{ROWS} rows: scores that are too sure, from 0 to 1 where the shares are from 0.3 to 0.7, and calibrated ones")
print("scores        rows by        by hand   'uniform'   'quantile'   'array split'   its first bin holds")
seen = {}
for name, scores in (("too sure", sure), ("calibrated", truth)):
    for order, rows in (("chance", np.arange(ROWS)), ("score", np.argsort(scores))):
        label, score = right[rows], scores[rows]
        errors = [float(by_mapie(label, score, strategy)) for strategy in ("uniform", "quantile", "array split")]
        first = min(part.max() for part in np.array_split(score, BINS)[:-1])
        share = float((score <= first).mean())
        seen[name, order] = float(by_hand(label, score)), *errors, share
        print(f"{name:14}{order:12}{seen[name, order][0]:10.3f}{errors[0]:12.3f}{errors[1]:13.3f}{errors[2]:16.3f}", end="")
        print(f"{share:18.1%}")
print("mapie 1.6.0, numpy", np.__version__)
print("expected: 'samples are binned by their top predicted probability', whatever the rows' order, as with the others")
print("cause: the edges are the largest scores of each part of the rows as they stand. Of shuffled rows each part has")
print("one near the top: nearly all rows fall into one bin, in which what is too high evens out what is too low")
print("why it matters: a model that is far too sure of itself looks as good as one that is calibrated, and rows that")
print("are sorted, by class or by an earlier score, have another error than the same rows as they came")
uneven, even = seen["too sure", "chance"], seen["too sure", "score"]
same = np.allclose(uneven[:3], even[:3]) and abs(even[3] - even[0]) < 0.01 and even[0] > 0.15 > 0.04 > uneven[3]
sys.exit(0 if same and uneven[4] > 0.9 and abs(even[4] - 1 / BINS) < 0.01 else 1)
PYTHON
