#!/usr/bin/env bash
# Evidently's NDCG and MRR stand in its reports one rank too low: what is told of rank 2 is that of rank 1, beside
# a precision, recall and hit rate that are told of their own rank.
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
from evidently.metrics import MRR, NDCG, HitRate, PrecisionTopK, RecallTopK

QUERIES, FOUND = 300, 10
rng = np.random.default_rng(0)
relevant = rng.random((QUERIES, FOUND)) < 0.3
relevant[np.arange(QUERIES), rng.integers(FOUND, size=QUERIES)] = True
rows = pd.DataFrame(
    {
        "query": np.repeat([f"q{i}" for i in range(QUERIES)], FOUND),
        "document": np.tile([f"d{i}" for i in range(FOUND)], QUERIES),
        "score": np.tile(np.arange(FOUND, 0.0, -1), QUERIES),
        "relevant": relevant.astype(int).ravel(),
    }
)
columns = Recsys(
    user_id="query", item_id="document", target="relevant", prediction="score", recommendations_type="score"
)
hits, ranks = relevant.cumsum(1), np.arange(1, FOUND + 1)
gains = 1 / np.log2(ranks + 1)
ideal = np.cumsum(gains * (ranks <= hits[:, -1:]), axis=1)
first = 1 + relevant.argmax(1)
by_hand = {
    PrecisionTopK: (hits / ranks).mean(0),
    RecallTopK: (hits / hits[:, -1:]).mean(0),
    HitRate: (hits > 0).mean(0),
    MRR: np.where(first[:, None] <= ranks, 1 / first[:, None], 0).mean(0),
    NDCG: (np.cumsum(relevant * gains, axis=1) / ideal).mean(0),
}
data = Dataset.from_pandas(rows, data_definition=DataDefinition(ranking=[columns]))
found = Report([metric(k=FOUND) for metric in by_hand]).run(data, None).dict()["metrics"]
print(f"{QUERIES} queries, {FOUND} documents for each")
print("rank                     " + "".join(f"{rank:8}" for rank in range(1, FOUND + 2)))
same = True
for (metric, hand), told in zip(by_hand.items(), found):
    library = pd.DataFrame(told["value"]).set_index("rank").value
    print(f"{metric.__name__:14}by hand    " + "".join(f"{value:8.3f}" for value in hand))
    print(f"{'':14}evidently  " + "".join(f"{library[i]:8.3f}" if i in library else 8 * " " for i in range(1, 12)))
    later = int(metric in (MRR, NDCG))
    same = same and list(library.index) == list(ranks + later) and np.allclose(library.to_numpy(), hand)
print("evidently 0.7.23, pandas", pd.__version__, "- numpy", np.__version__)
print("expected: at rank k the metric of the first k documents, for ranks from 1 to", FOUND)
print("cause: the table of the report adds 1 to the index of each series of values, to 'convert 0-based to 1-based")
print("ranking'; those of NDCG and MRR begin at 1 by themselves")
print("why it matters: an NDCG@10 read from the table is an NDCG@9. It is below what other programs say of the same")
print("ranking, and one that is held against a precision at the same rank is held against another list")
sys.exit(0 if same else 1)
PYTHON
