#!/usr/bin/env bash
# uncertainty-calibration takes the alpha of its confidence intervals for percent: whatever is asked for, they go from
# the smallest to the largest of 100 resamples, one of 90% is 0.10 wide in place of 0.06 and one of 50% as well.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "uncertainty-calibration==0.1.4" "scikit-learn==1.9.1" "scipy==1.17.1" "numpy==2.4.6" \
    "parameterized==0.9.0"; then
    echo "could not be tried: uncertainty-calibration was not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import calibration
import numpy as np

ROWS, TRIES, SHARES = 300, 10, (0.5, 0.9, 0.99)


def draw(seed):
    """Probabilities between 0 and 1 in equal parts, of events that have the square of them."""
    rng = np.random.default_rng(seed)
    told = rng.uniform(size=ROWS)
    return told, (rng.uniform(size=ROWS) < told**2).astype(int)


def width(seed, alpha):
    """How wide the library's interval is, from the same resamples for every alpha."""
    np.random.seed(seed)
    low, _, high = calibration.get_calibration_error_uncertainties(*draw(seed), p=1, alpha=alpha)
    return high - low


def by_hand(seed):
    """The calibration errors of the same 100 resamples."""
    told, labels = draw(seed)
    np.random.seed(seed)
    errors = []
    for _ in range(100):
        rows = np.random.choice(list(range(ROWS)), size=ROWS, replace=True)
        errors.append(calibration.get_calibration_error(told[rows], labels[rows], p=1, debias=False))
    return np.array(errors)


print(f"how wide an interval of the calibration error (p=1) is, from 100 resamples; mean of {TRIES} sets of {ROWS} rows")
print("interval of    alpha    library    by hand    library with 100 times the alpha")
errors = [by_hand(seed) for seed in range(TRIES)]
seen = {}
for share in SHARES:
    hand = [np.ptp(np.percentile(values, [50 - 50 * share, 50 + 50 * share])) for values in errors]
    ways = [width(seed, times * (1 - share)) for times in (1, 100) for seed in range(TRIES)]
    seen[share] = np.mean(ways[:TRIES]), np.mean(hand), np.mean(ways[TRIES:])
    print(f"{share:11.0%}{1 - share:9.2f}{seen[share][0]:11.3f}{seen[share][1]:11.3f}{seen[share][2]:16.3f}")
print(f"all resamples {np.mean([np.ptp(values) for values in errors]):17.3f}")
print("uncertainty-calibration 0.1.4, numpy", np.__version__)
print("expected: '1-alpha confidence intervals produced by bootstrap resampling', alpha=0.1 unless told otherwise, that")
print("of 90% narrower than that of 99% and so on")
print("cause: the percentiles are alpha / 2 and 100 - alpha / 2, for an alpha of 10.0, the default of the function below:")
print("0.05 and 99.95 of 100 resamples, which are the smallest and the largest")
print("why it matters: the README sets its confidence intervals before those who measure calibration without them. Two")
print("models are told apart by intervals that do not meet, and these are half as wide again as 90% and meet when they")
print("should not")
half, most, all_but = (seen[share] for share in SHARES)
right = all(abs(hand - percent) < 0.001 for _, hand, percent in seen.values())
sys.exit(0 if right and half[0] > 3 * half[1] and most[0] > 1.4 * most[1] and half[0] > 0.9 * all_but[0] else 1)
PYTHON
