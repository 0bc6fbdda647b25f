#!/usr/bin/env bash
# ranking-metrics-torch's NDCG and average precision are NaN, which stands for a query without relevant
# documents, where none is among the first k: the mean leaves the failures out, 1.00 in place of 0.28.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# It asks for a PyTorch that is older than this NumPy; without its pins it runs on these.
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "torch==2.13.0" "scikit-learn==1.9.1" "scipy==1.17.1" "numpy==2.4.6" ||
    ! "$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
        "ranking-metrics-torch==0.3.0"; then
    echo "could not be tried: ranking-metrics-torch or PyTorch were not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import numpy as np
import sklearn
import torch
from ranking_metrics_torch.avg_precision import avg_precision_at
from ranking_metrics_torch.cumulative_gain import ndcg_at
from ranking_metrics_torch.precision_recall import recall_at
from sklearn.metrics import ndcg_score

QUERIES, DOCUMENTS, FIRST = 1000, 50, 10
rng = np.random.default_rng(0)
labels = np.zeros((QUERIES, DOCUMENTS))
labels[:, 0] = 1  # one relevant document each, so that recall, too, is of one document


def system(ranks):
    """Scores that put the relevant document at these ranks, counted from 0."""
    scores = rng.permuted(np.tile(np.arange(DOCUMENTS - 1.0), (QUERIES, 1)), axis=1)
    return np.column_stack([DOCUMENTS - 1.5 - ranks, scores])


def by_hand(scores):
    """The means of 1/log2(rank + 1) and 1/rank for ranks up to ten, and of 0 for those beyond."""
    ranks = 1 + (scores > scores[:, :1]).sum(axis=1)
    within = ranks <= FIRST
    return (within / np.log2(ranks + 1)).mean(), (within / ranks).mean(), within.mean()


systems = {
    "first or nowhere": np.where(rng.random(QUERIES) < 0.3, 0, 30),
    "second, always": np.ones(QUERIES),
    "anywhere": rng.integers(DOCUMENTS, size=QUERIES),
}
same = True
seen = {}
print("the relevant one stands   NDCG@10: by hand  scikit-learn  nanmean   MAP@10: by hand  nanmean   recall")
for name, ranks in systems.items():
    scores = system(ranks)
    hand = by_hand(scores)
    wanted = ndcg_score(labels, scores, k=FIRST)
    given = [
        metric(torch.tensor([FIRST]), torch.tensor(scores), torch.tensor(labels))[:, 0]
        for metric in (ndcg_at, avg_precision_at, recall_at)
    ]
    ndcg, precision, recall = (float(values.nanmean()) for values in given)
    seen[name] = hand[0], ndcg
    print(f"{name:25}{hand[0]:17.3f}{wanted:14.3f}{ndcg:9.3f}{hand[1]:18.3f}{precision:9.3f}{recall:9.3f}")
    unfound = given[2] == 0
    same = same and abs(hand[0] - wanted) < 1e-9 and abs(hand[2] - recall) < 1e-9
    same = same and all(torch.equal(values.isnan(), unfound) for values in given[:2])
    same = same and (not unfound.any() or ndcg > hand[0] + 0.3 and precision > hand[1] + 0.1)
print("ranking-metrics-torch 0.3.0, torch", torch.__version__, "- scikit-learn", sklearn.__version__)
print("expected: 0 for a query that has a relevant document, found beyond rank ten. NaN is documented for")
print("queries 'when there are no relevant items present in the labels', which a mean is to leave out")
print("cause: both metrics go on with the labels of the first k alone, and those of such a query are all 0,")
print("as if it had none; recall and precision look at all labels, and give 0")
print("why it matters: of two systems the one that fails silently for 70% of the queries comes out ahead, and")
print("a smaller k makes any system better")
best = max(seen, key=lambda name: seen[name][1])
sys.exit(0 if same and best == "first or nowhere" != max(seen, key=lambda name: seen[name][0]) else 1)
PYTHON
