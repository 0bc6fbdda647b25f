#!/usr/bin/env bash
# trectools' reciprocal rank and R-precision keep the unjudged documents with removeUnjudged=True.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "trectools==0.0.50" "scipy==1.17.1" "pandas==2.3.3" "numpy==2.4.6"; then
    echo "could not be tried: trectools or pandas were not installed" >&2
    exit 2
fi

"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import numpy as np
import pandas as pd
from trectools import TrecEval, TrecQrel, TrecRun

QUERIES, DEPTH = 50, 100
rng = np.random.default_rng(0)
run, qrels = [], []
for query in range(QUERIES):
    # A system that the pool of judgements did not see: one in five of its documents has a judgement.
    for rank in range(DEPTH):
        run.append((f"q{query}", "Q0", f"d{rank}", rank + 1, float(DEPTH - rank), "new"))
        if rng.random() < 0.2:
            qrels.append((f"q{query}", 0, f"d{rank}", int(rng.random() < 0.5)))
run = pd.DataFrame(run, columns=["query", "q0", "docid", "rank", "score", "system"])
qrels = pd.DataFrame(qrels, columns=["query", "q0", "docid", "rel"])


def evaluated(run, metric, **options):
    results = TrecRun()
    results.load_run_from_dataframe(run)
    judged = TrecQrel()
    judged.qrels_data = qrels.copy()
    return float(getattr(TrecEval(results, judged), metric)(**options))


# What the option stands for, done by hand: the run without the documents that have no judgement.
condensed = run.merge(qrels[["query", "docid"]]).reset_index(drop=True)
same = True
print("                     all documents  removeUnjudged=True  the judged alone")
for metric, heeds in (
    ("get_precision", True),
    ("get_ndcg", True),
    ("get_reciprocal_rank", False),
    ("get_rprec", False),
):
    options = {"depth": 10} if heeds else {}
    whole = evaluated(run, metric, **options)
    seen = evaluated(run, metric, removeUnjudged=True, **options)
    wanted = evaluated(condensed, metric, **options)
    print(f"{metric:21}{whole:13.4f}{seen:21.4f}{wanted:18.4f}")
    same = same and wanted > 1.3 * whole
    same = same and abs(seen - (wanted if heeds else whole)) < 1e-9
print("trectools 0.0.50, pandas", pd.__version__)
print("expected: each 'True if you want to remove the unjudged documents before calculating this metric'")
print("cause: the two take the judged documents out of a copy, and then rank those of the run itself")
print("why it matters: an embedding finds documents that no earlier system found, which have no")
print("judgement; the option is there so as not to count them as wrong, and a table of metrics that was")
print("made with it mixes both ways")
sys.exit(0 if same else 1)
PYTHON
