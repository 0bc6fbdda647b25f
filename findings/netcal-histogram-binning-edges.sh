#!/usr/bin/env bash
# netcal's HistogramBinning learns a score on the edge of two bins in the upper one and looks it up in the
# lower: 1 to 7 votes of 8 nearest neighbours are given the frequency of a vote less.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "netcal==1.4.0" "torch==2.13.0" "scikit-learn==1.9.1" "scipy==1.17.1" \
    "numpy==2.4.6"; then
    echo "could not be tried: netcal or PyTorch were not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import numpy as np
from netcal.binning import HistogramBinning
from sklearn.isotonic import IsotonicRegression
from sklearn.neighbors import KNeighborsClassifier

rng = np.random.default_rng(0)
labels = rng.integers(0, 2, 44000)
rows = rng.normal(size=(44000, 8)) + 0.5 * labels[:, None]
neighbours = KNeighborsClassifier(n_neighbors=8).fit(rows[:4000], labels[:4000])
scores = neighbours.predict_proba(rows[4000:])[:, 1]
labels = labels[4000:]
votes = np.rint(8 * scores).astype(int)
assert np.array_equal(scores, votes / 8)
held_out = np.arange(len(scores)) >= 20000
fitted = ~held_out


def calibrated(learned, looked_up):
    return HistogramBinning(bins=8).fit(learned[fitted], labels[fitted]).transform(looked_up)


on_edges = calibrated(scores, scores)
inside = calibrated(np.clip(scores, 0, 1 - 1e-6) + 1e-7, np.clip(scores, 0, 1 - 1e-6) + 1e-7)
isotonic = IsotonicRegression(out_of_bounds="clip").fit(scores[fitted], labels[fitted]).predict(scores)
print("8-NN votes in 8 bins, whose edges are the votes; frequency of the class among the fitted rows")
print("votes    frequency   netcal   netcal, scores moved up by 1e-7")
for vote in range(9):
    of_vote = votes == vote
    share = labels[of_vote & fitted].mean()
    print(f"{vote:>5}{share:13.3f}{on_edges[of_vote][0]:9.3f}{inside[of_vote][0]:13.3f}")

# By hand, from the bins that NumPy's histogram makes of the fitted rows: [0, 1/8), [1/8, 2/8) and so on.
edges = np.linspace(0, 1, 9)
rows_of_bins, _ = np.histogram(scores[fitted], edges)
hits, _ = np.histogram(scores[fitted], edges, weights=labels[fitted])
by_hand = (hits / rows_of_bins)[np.minimum(votes, 7)]


def error(given):
    """Mean distance of what is said of a held-out row from the frequency of its score there."""
    of_score = np.array([labels[held_out & (votes == vote)].mean() for vote in range(9)])
    return float(np.abs(given - of_score[votes])[held_out].mean())


seen = {
    "the votes themselves": error(scores),
    "histogram binning by hand": error(by_hand),
    "netcal": error(on_edges),
    "netcal, scores moved up by 1e-7": error(inside),
    "isotonic regression": error(isotonic),
}
print("calibration error on 20,000 held-out rows")
for name, value in seen.items():
    print(f"  {name:33}{value:.3f}")
shares = hits / rows_of_bins
shifted = all(np.allclose(on_edges[votes == vote], shares[vote - 1]) for vote in range(1, 8))
print("netcal 1.4.0, numpy", np.__version__)
print("expected: a score gets the frequency of the bin that rows of the same score were counted in")
print("seen: 1 to 7 votes get the frequency of a vote less:", shifted)
print("cause: the bins are closed below where they are learnt and above where they are looked up")
print("why it matters: votes of k neighbours and averages of trees or annotators lie on edges as a rule;")
print("calibrating them makes them worse, and scores that lie inside the bins show nothing of it")
same = shifted and np.allclose(inside, by_hand) and seen["netcal"] > seen["the votes themselves"]
same = same and seen["netcal"] > 4 * seen["histogram binning by hand"]
sys.exit(0 if same else 1)
PYTHON
