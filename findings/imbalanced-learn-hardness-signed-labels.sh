#!/usr/bin/env bash
# imbalanced-learn's InstanceHardnessThreshold takes a label for a column's number: of a majority that is
# called -1 it keeps the hardest rows instead of the easiest.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "imbalanced-learn==0.14.2" "scikit-learn==1.9.1" "scipy==1.17.1" \
    "numpy==2.4.6"; then
    echo "could not be tried: imbalanced-learn or scikit-learn were not installed" >&2
    exit 2
fi

"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import numpy as np
import sklearn
from imblearn.under_sampling import EditedNearestNeighbours, InstanceHardnessThreshold, NearMiss, TomekLinks
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict

SEED = 0
rng = np.random.default_rng(SEED)
minority = np.repeat([False, True], [400, 100])
rows = rng.normal(size=(500, 16))
rows[minority, 0] += 2


def by_hand(labels):
    """The 100 rows of the majority whose own class is the most probable, by the same folds."""
    folds = StratifiedKFold(n_splits=5, shuffle=True, random_state=np.random.RandomState(SEED))
    folds.random_state.randint(np.iinfo(np.int32).max)  # the seed of the estimator comes first
    model = LogisticRegression()
    likely = cross_val_predict(model, rows, labels, cv=folds, method="predict_proba")
    own = likely[np.arange(len(labels)), np.searchsorted(np.unique(labels), labels)]
    return np.sort(np.flatnonzero(~minority)[np.argsort(-own[~minority])[:100]])


def kept(sampler, labels):
    sampler.fit_resample(rows, labels)
    return np.sort(sampler.sample_indices_[~minority[sampler.sample_indices_]])


print("majority, minority    rows kept of the easiest 100    their mean towards the minority")
easiest = by_hand(np.where(minority, 1, 0))
others_same, found = True, {}
for names in ((0, 1), (-1, 1)):
    labels = np.where(minority, names[1], names[0])
    chosen = kept(InstanceHardnessThreshold(estimator=LogisticRegression(), random_state=SEED), labels)
    found[names] = len(np.intersect1d(chosen, easiest)), rows[chosen, 0].mean()
    print(f"{names!s:22}{found[names][0]:16}{found[names][1]:32.2f}")
    assert np.array_equal(by_hand(labels), easiest)
for sampler in (NearMiss(), EditedNearestNeighbours(), TomekLinks()):
    chosen = [kept(sampler, np.where(minority, 1, name)) for name in (0, -1)]
    others_same = others_same and np.array_equal(*chosen)
print("NearMiss, EditedNearestNeighbours and TomekLinks keep the same rows under both names:", others_same)
print("imbalanced-learn 0.14.2, scikit-learn", sklearn.__version__, "- numpy", np.__version__)
print("expected: 'it retains the observations with the highest probability of being correctly classified'")
print("cause: a row's probability is read from the column whose number is the row's label. Column -1 is")
print("the last one, which is that of the class 1: both classes are judged by the same column")
print("why it matters: -1 and 1 are the usual labels of two classes in graph learning and with margins;")
print("with them the rows that it is to clear away are those that it leaves, and nothing is raised")
same = found[0, 1][0] == 100 and found[-1, 1][0] < 10 and others_same
sys.exit(0 if same and found[0, 1][1] < -1 and found[-1, 1][1] > 1 else 1)
PYTHON
