#!/usr/bin/env bash
# PerMetrics' homogeneity_score leaves out the clusters beyond the number of classes, as if they were pure: of
# clusters drawn by chance, ten for two classes, it says 0.80 where it is 0. Completeness does so with classes.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "permetrics==2.1.0" "scikit-learn==1.9.1" "scipy==1.17.1" "numpy==2.4.6"; then
    echo "could not be tried: permetrics or scikit-learn were not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import numpy as np
from permetrics import ClusteringMetric
from sklearn.metrics import homogeneity_completeness_v_measure

ROWS = 3000
rng = np.random.default_rng(0)


def entropy(labels):
    shares = np.unique(labels, return_counts=True)[1] / len(labels)
    return float(-(shares * np.log(shares)).sum())


def homogeneity(classes, clusters, counted=None):
    """1 less what is left unknown of the classes within the clusters, or within some of them."""
    left = 0.0
    for cluster in np.unique(clusters) if counted is None else counted:
        inside = classes[clusters == cluster]
        left += len(inside) / len(classes) * entropy(inside)
    return 1 - left / entropy(classes)


same = True
print(f"{ROWS} rows; by hand, by scikit-learn and by permetrics")
print("                              homogeneity            completeness           V-measure")
print("classes  clusters           hand  sklearn  seen    hand  sklearn  seen    sklearn  seen")
for classes, clusters, by_chance in (
    (2, 2, True),
    (2, 10, True),
    (3, 50, True),
    (10, 2, True),
    (10, 10, False),
    (10, 40, False),
):
    truth = rng.integers(classes, size=ROWS)
    found = rng.integers(clusters, size=ROWS)
    if not by_chance:  # half of the rows are in a cluster of their class
        found = np.where(rng.random(ROWS) < 0.5, truth + classes * rng.integers(clusters // classes, size=ROWS), found)
    library = homogeneity_completeness_v_measure(truth, found)
    metric = ClusteringMetric(y_true=truth, y_pred=found)
    seen = [float(x) for x in (metric.homogeneity_score(), metric.completeness_score(), metric.v_measure_score())]
    hand = homogeneity(truth, found), homogeneity(found, truth)
    told = homogeneity(truth, found, range(classes)), homogeneity(found, truth, range(clusters))
    v = 2 * told[0] * told[1] / (told[0] + told[1])
    columns = "   ".join(f"{hand[i]:6.3f}{library[i]:8.3f}{seen[i]:8.3f}" for i in (0, 1))
    kind = "by chance" if by_chance else "half right"
    print(f"{classes:>7}{clusters:>6}, {kind:12}{columns}{library[2]:11.3f}{seen[2]:8.3f}")
    same = same and np.allclose(hand, library[:2]) and np.allclose(seen, [*told, v])
    same = same and (abs(seen[0] - hand[0]) > 0.1) == (clusters > classes)
    same = same and (abs(seen[1] - hand[1]) > 0.1) == (classes > clusters)
print("permetrics 2.1.0, numpy", np.__version__)
print("expected: scikit-learn's values; 'each cluster contains only data points of a single class'")
print("cause: the sum over the clusters goes through the labels of the classes, 0 to their number, and leaves")
print("out every cluster with a higher one. Completeness is the same with both changed over")
print("why it matters: with more clusters than classes, which density-based clusterings and topics of texts")
print("have by nature, the more there are the better it looks, whatever they hold")
sys.exit(0 if same else 1)
PYTHON
