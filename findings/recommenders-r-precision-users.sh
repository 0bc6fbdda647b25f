#!/usr/bin/env bash
# Recommenders' r_precision_at_k is the mean of the users for whom something was found: lists of chance have 0.23 in
# place of 0.02, and lists that serve half of the users 0.52 in place of 0.29, nearly as much as those that serve all.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "pandas==2.2.3" "scikit-learn==1.5.2" "scipy==1.13.1" "numpy==1.26.4" ||
    ! "$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps "recommenders==1.2.1"; then
    echo "could not be tried: recommenders was not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import numpy as np
import pandas as pd
from recommenders.evaluation.python_evaluation import precision_at_k, r_precision_at_k, recall_at_k

USERS, ITEMS, FIRST = 500, 200, 10
rng = np.random.default_rng(0)
relevant = {user: rng.choice(ITEMS, size=rng.integers(2, 7), replace=False) for user in range(USERS)}


def table(rows, name):
    users, items, values = zip(*rows)
    return pd.DataFrame({"userID": users, "itemID": items, name: np.array(values, dtype=float)})


def rank(served):
    """Each user's first items: half of those that are right for a share of the users, and else of chance."""
    lists = {}
    for user in range(USERS):
        order = list(rng.permutation(ITEMS)[:FIRST])
        if user < served * USERS:
            known = list(relevant[user][: (len(relevant[user]) + 1) // 2])
            order = known + [item for item in order if item not in known]
        lists[user] = order[:FIRST]
    return lists


def by_hand(lists, cut):
    """The mean over all users of what is relevant among the first, where that many are relevant or so many as told."""
    values = []
    for user, order in lists.items():
        count = cut or len(relevant[user])
        values.append(len(set(order[:count]) & set(relevant[user])) / count)
    return np.mean(values)


true = table([(user, item, 1) for user, items in relevant.items() for item in items], "rating")
print(f"{USERS} users with 2 to 6 relevant of {ITEMS} items; lists of {FIRST}, of which some users have a good one")
print("users served      R-precision         users counted      precision            recall")
print("               library    by hand                     library    by hand      library")
seen = {}
for served in (0.0, 0.02, 0.1, 0.5, 1.0):
    lists = rank(served)
    told = table([(user, item, -place) for user, order in lists.items() for place, item in enumerate(order)], "prediction")
    precise = precision_at_k(true, told, k=FIRST), by_hand(lists, FIRST)
    hits = sum(len(set(order[: len(relevant[user])]) & set(relevant[user])) > 0 for user, order in lists.items())
    seen[served] = r_precision_at_k(true, told, k=FIRST), by_hand(lists, None), hits, *precise
    values = zip((*seen[served], recall_at_k(true, told, k=FIRST)), ("13.2f", "11.2f", "16d", "16.2f", "11.2f", "13.2f"))
    print(f"{served:9.2f}" + "".join(f"{value:{form}}" for value, form in values))
print("recommenders 1.2.1, pandas", pd.__version__)
print("expected: the mean over all users, as that of precision and recall, and 'the maximum value is 1'")
print("cause: users without a hit are in neither of the tables that are divided, those with hits after the R-th place")
print("become NaN, and the mean leaves NaN out")
print("why it matters: it tells how good the lists are that are good, and no list of a user that fails makes it worse.")
print("Beside a precision and a recall of all users it is read as if it were of all users too")
right = all(abs(value[3] - value[4]) < 1e-9 for value in seen.values()) and abs(seen[1.0][0] - seen[1.0][1]) < 0.02
sys.exit(0 if right and seen[0.0][0] > 0.15 > 0.05 > seen[0.0][1] and seen[0.1][0] > 3 * seen[0.1][1] else 1)
PYTHON
