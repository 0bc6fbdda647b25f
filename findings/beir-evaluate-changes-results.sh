#!/usr/bin/env bash
# BEIR's evaluate takes each query's own document out of the caller's results, which evaluate_custom does not:
# the MRR of a search among the texts themselves is 0.50, or 1.00 if the NDCG has been measured before.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# --no-deps leaves out what the evaluation does not need, as sentence-transformers.
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check --no-deps "beir==2.2.0" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "pytrec-eval-terrier==0.5.11" "tqdm==4.70.1" "scipy==1.17.1" "numpy==2.4.6"; then
    echo "could not be tried: beir or pytrec-eval-terrier were not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - 2> /dev/null <<'PYTHON'
import copy
import sys

import numpy as np
from beir.retrieval.evaluation import EvaluateRetrieval

ROWS, GROUP, FOUND = 400, 4, 20
# Texts in groups that belong together; each is searched for among all of them, as in ArguAna and Quora.
rng = np.random.default_rng(0)
groups = np.arange(ROWS) // GROUP
x = rng.normal(size=(ROWS // GROUP, 16))[groups] + 0.3 * rng.normal(size=(ROWS, 16))
x /= np.linalg.norm(x, axis=1, keepdims=True)
cosines = x @ x.T
nearest = np.argsort(-cosines, axis=1)[:, :FOUND]
run = {f"t{i}": {f"t{j}": float(cosines[i, j]) for j in nearest[i]} for i in range(ROWS)}
qrels = {f"t{i}": {f"t{j}": 1 for j in np.flatnonzero(groups == groups[i]) if j != i} for i in range(ROWS)}


def by_hand(own):
    """The mean of one by the place of the first text of the group, with the query's own in the list or without."""
    shares = []
    for i, found in enumerate(nearest):
        listed = found if own else found[found != i]
        right = np.flatnonzero((groups[listed] == groups[i]) & (listed != i))
        shares.append(1 / (1 + right[0]) if right[0] < 10 else 0)
    return float(np.mean(shares))


def custom(results):
    values = EvaluateRetrieval.evaluate_custom(qrels, results, [10], "mrr")
    return values["MRR@10"], EvaluateRetrieval.evaluate_custom(qrels, results, [1], "accuracy")["Accuracy@1"]


def ndcg(results, **options):
    return EvaluateRetrieval.evaluate(qrels, results, [10], **options)[0]["NDCG@10"]


results = copy.deepcopy(run)
before = custom(results)
first = ndcg(results)
after = custom(results)
with_own = ndcg(copy.deepcopy(run), ignore_identical_ids=False), ndcg(results, ignore_identical_ids=False)
counts = [sum(map(len, x.values())) for x in (run, results)]
print(f"{ROWS} texts in groups of {GROUP}, each searched for among all of them: {FOUND} found for each")
print("                        by hand, own text in, out   before evaluate   after it")
print(f"MRR@10                  {by_hand(True):20.3f}{by_hand(False):5.2f}{before[0]:18.3f}{after[0]:11.3f}")
print(f"Accuracy@1{before[1]:57.3f}{after[1]:11.3f}")
print(f"NDCG@10, own text ignored{first:53.3f}")
print(f"NDCG@10, own text not ignored{with_own[0]:38.3f}{with_own[1]:11.3f}")
print(f"texts in the results{counts[0]:47}{counts[1]:11}")
print("beir 2.2.0, numpy", np.__version__)
print("expected: that measuring leaves what is measured alone, and that all of its metrics are of one search")
print("cause: evaluate pops the texts that have the query's name from the dictionaries it is given, and says that")
print("it ignores them. evaluate_custom has no such option and counts them as wrong answers")
print("why it matters: a text is the nearest to itself. Measured in another order, one search has other values, and")
print("what is saved or fused after an evaluation is no longer what was found")
same = abs(before[0] - by_hand(True)) < 1e-4 and abs(after[0] - by_hand(False)) < 1e-4
same = same and before[0] < 0.6 and after[0] > 0.95 and before[1] < 0.05 and after[1] > 0.95
sys.exit(0 if same and with_own[0] < with_own[1] - 0.2 and counts[1] == counts[0] - ROWS else 1)
PYTHON
