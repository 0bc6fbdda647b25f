#!/usr/bin/env bash
# Evidently's MAP takes a query's last row in the table for its document at rank k: one ranking has 0.74, 1.01 or
# 1.39, by how its rows are ordered, and lists of which some are shorter than k have 1.47 in place of 0.80.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "evidently==0.7.23" "pandas==2.3.3" "scikit-learn==1.9.1" "scipy==1.17.1" \
    "numpy==2.4.6"; then
    echo "could not be tried: evidently was not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 DO_NOT_TRACK=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import numpy as np
import pandas as pd
from evidently import DataDefinition, Dataset, Recsys, Report
from evidently.metrics import MAP, PrecisionTopK, RecallTopK

QUERIES, FOUND, K = 300, 10, 10
rng = np.random.default_rng(0)


def table(lengths):
    """A row for each document that is found: mostly the first are relevant, of every query one at least."""
    rows = []
    for query, length in enumerate(lengths):
        relevant = rng.random(length) < 0.8 * 0.7 ** np.arange(length)
        relevant[rng.integers(length)] = True
        for place in range(length):
            rows.append((f"q{query}", f"d{place}", float(length - place), int(relevant[place])))
    return pd.DataFrame(rows, columns=["query", "document", "score", "relevant"])


def by_hand(rows):
    values = []
    for _, one in rows.groupby("query"):
        relevant = one.sort_values("score", ascending=False).relevant.to_numpy()
        precisions = np.cumsum(relevant) / np.arange(1, len(relevant) + 1)
        values.append((precisions * relevant)[:K].sum() / relevant.sum())
    return float(np.mean(values))


columns = Recsys(
    user_id="query", item_id="document", target="relevant", prediction="score", recommendations_type="score"
)


def by_library(rows):
    data = Dataset.from_pandas(rows, data_definition=DataDefinition(ranking=[columns]))
    found = Report([metric(k=K) for metric in (MAP, PrecisionTopK, RecallTopK)]).run(data, None).dict()["metrics"]
    values = [pd.DataFrame(metric["value"]).set_index("rank").value[K] for metric in found]
    return [float(value) for value in values]


whole = table(np.full(QUERIES, FOUND))
cut = table(np.where(np.arange(QUERIES) % 2, 3, FOUND))
print(f"{QUERIES} queries, {FOUND} documents for each, scored from the best on; a cut at {K}")
print("rows of the table                MAP by hand   by evidently   precision   recall")
seen = []
for name, rows in (
    ("from the best to the worst", whole),
    ("shuffled", whole.sample(frac=1, random_state=0, ignore_index=True)),
    ("from the worst to the best", whole[::-1].reset_index(drop=True)),
    ("every other query has three", cut),
):
    library = by_library(rows)
    seen.append((by_hand(rows), *library))
    print(f"{name:31}{seen[-1][0]:13.3f}{library[0]:15.3f}{library[1]:12.3f}{library[2]:9.3f}")
print("evidently 0.7.23, pandas", pd.__version__, "- numpy", np.__version__)
print("expected: a mean precision from 0 to 1 of the ranking that the scores make, as precision and recall are")
print("cause: at k it takes 'last' of a query's rows up to rank k, in the order of the table, to tell whether the")
print("document at k is relevant. Of a list that ends before k that is its last one again, each time once more")
print("why it matters: scores are seldom sorted in a table, and after a threshold lists differ in length. What")
print("compares models by MAP then compares how their results were written down")
hand, found = [x[0] for x in seen], [x[1] for x in seen]
same = abs(found[0] - hand[0]) < 1e-9 and np.allclose(hand[:3], hand[0])
same = same and all(abs(x - hand[0]) > 0.02 for x in found[1:3]) and hand[3] < 1 < found[3]
sys.exit(0 if same and np.allclose([x[2:] for x in seen[:3]], [seen[0][2:]]) else 1)
PYTHON
