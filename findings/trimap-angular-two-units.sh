#!/usr/bin/env bash
# TriMap's distance="angular" measures neighbours by an angle's chord and outliers by the chord's square: in
# rows of two groups half of its triplets have the outlier for the nearer one.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "trimap==1.2.0" "annoy==1.17.3" "torch==2.13.0" "numba==0.68.1" \
    "scikit-learn==1.9.1" "scipy==1.17.1" "numpy==2.4.6"; then
    echo "could not be tried: trimap or annoy, which is compiled from its source, were not installed" >&2
    exit 2
fi

NUMBA_NUM_THREADS=1 OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import numpy as np
from scipy.stats import spearmanr
from trimap import TRIMAP

ROWS, COLUMNS, KEPT = 1000, 16, 20
rng = np.random.default_rng(0)

# Unit rows about one direction, and their negatives: their mean is 0, so that centring leaves the angles
# alone, and the distance of two rows is the chord of their angle, the square root of 2 (1 - cosine).
half = rng.normal(size=COLUMNS) / 4 + 0.1 * rng.normal(size=(ROWS // 2, COLUMNS)) / np.sqrt(COLUMNS)
rows = np.concatenate([half, -half])
rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
group = np.arange(ROWS) < ROWS // 2
chord = np.linalg.norm(rows[:, None].astype(np.float64) - rows[None], axis=2)
scale = np.sort(chord, axis=1)[:, 3:6].mean(1)  # TriMap's: from the third to the fifth neighbour


def weights(triplets, outliers):
    """How much farther the outlier of each triplet is than the neighbour, in squares over the rows' scales."""
    row, near, far = triplets.T
    return outliers[row, far] ** 2 / (scale[row] * scale[far]) - chord[row, near] ** 2 / (scale[row] * scale[near])


def kept(embedding):
    """The share of a row's 20 nearest by angle that are among its 20 nearest in the map."""
    flat = np.linalg.norm(embedding[:, None] - embedding[None], axis=2)
    nearest = [np.argsort(apart + np.diag(np.full(ROWS, np.inf)), axis=1)[:, :KEPT] for apart in (chord, flat)]
    return float(np.mean([len(np.intersect1d(*pair)) / KEPT for pair in zip(*nearest)]))


print("1,000 unit rows, on which the two distances are the same; weights of 48,000 triplets")
print("            rank correlation   outlier is nearer   neighbours kept")
print("distance     with by hand       by hand   seen        by the map")
seen = {}
for distance, outliers in (("euclidean", chord), ("angular", chord**2)):
    model = TRIMAP(distance=distance, n_random=0, weight_temp=0.0)  # weights without the logarithm
    model.sample_triplets(rows)
    right, found = weights(model.triplets, chord), weights(model.triplets, outliers)
    # The library moves its weights so that the least is 0: what is left has to be the same.
    explained = np.abs(model.weights - (found - found.min())).max() / model.weights.max()
    rank = spearmanr(model.weights, right).statistic
    share = kept(TRIMAP(distance=distance).fit_transform(rows.copy()))
    seen[distance] = explained, rank, (right < 0).mean(), (found < 0).mean(), share
    print(f"{distance:11}{rank:12.3f}{seen[distance][2]:17.1%}{seen[distance][3]:9.1%}{share:16.3f}")
print("trimap 1.2.0, annoy 1.17.3, numpy", np.__version__)
print("expected: one distance for both, and the same triplets' weights as with the Euclidean one")
print("cause: neighbours' distances come from Annoy, whose angular distance is the square root of")
print("2 (1 - cosine); those of the outliers are 2 (1 - cosine). Both are squared, so that small angles of")
print("outliers become smaller and large ones larger than those they are compared with")
print("why it matters: the weights say which triplets the map has to keep. Within a group of close rows, as")
print("of texts on one subject, they say the contrary of the angles")
plain, angular = seen["euclidean"], seen["angular"]
same = plain[0] < 0.02 and angular[0] < 0.02 and plain[1] > 0.999 > 0.99 > angular[1]
same = same and max(plain[2], angular[2], plain[3]) < 0.01 and angular[3] > 0.4
sys.exit(0 if same and angular[4] < plain[4] - 0.01 else 1)
PYTHON
