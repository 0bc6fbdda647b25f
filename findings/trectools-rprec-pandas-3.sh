#!/usr/bin/env bash
# trectools' R-precision counts the documents of all queries where it runs on pandas 3: it goes above 1.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

cat > "$folder/measured.py" <<'PYTHON'
import json
import sys

import numpy as np
import pandas as pd
from trectools import TrecEval, TrecQrel, TrecRun

DOCUMENTS, RELEVANT, DEPTH = 400, 10, 50


def by_hand(run, qrels):
    """Of as many documents as are relevant to the query, the share of those that are, over the queries."""
    shares = []
    for query, judged in qrels[qrels.rel > 0].groupby("query"):
        first = run[run["query"] == query].sort_values("score", ascending=False)["docid"]
        shares.append(np.isin(first.head(len(judged)), judged["docid"]).mean())
    return float(np.mean(shares))


results = {}
for queries in (1, 10, 100):
    rng = np.random.default_rng(0)
    run, qrels = [], []
    for query in range(queries):
        relevant = rng.choice(DOCUMENTS, RELEVANT, replace=False)
        qrels += [(f"q{query}", 0, f"d{document}", 1) for document in relevant]
        scores = rng.normal(size=DOCUMENTS)
        scores[relevant] += 2
        run += [
            (f"q{query}", "Q0", f"d{document}", rank + 1, float(scores[document]), "system")
            for rank, document in enumerate(np.argsort(-scores)[:DEPTH])
        ]
    run = pd.DataFrame(run, columns=["query", "q0", "docid", "rank", "score", "system"])
    qrels = pd.DataFrame(qrels, columns=["query", "q0", "docid", "rel"])
    results_of_run, judgements = TrecRun(), TrecQrel()
    results_of_run.load_run_from_dataframe(run)
    judgements.qrels_data = qrels
    evaluation = TrecEval(results_of_run, judgements)
    results[queries] = by_hand(run, qrels), evaluation.get_rprec(), evaluation.get_precision(depth=RELEVANT)
json.dump(results, sys.stdout, default=float)
PYTHON

for pandas in 2.3.3 3.1.1; do
    if ! python3 -m venv --clear "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
        --disable-pip-version-check "trectools==0.0.50" "pandas==$pandas" "scipy==1.17.1" "numpy==2.4.6"; then
        echo "could not be tried: trectools or pandas were not installed" >&2
        exit 2
    fi
    "$folder/venv/bin/python" -W ignore "$folder/measured.py" > "$folder/$pandas"
done

"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import json
import sys
from pathlib import Path

old, new = (json.loads((Path(sys.argv[1]) / pandas).read_text()) for pandas in ("2.3.3", "3.1.1"))
same = True
print("ten documents are relevant to each query: R-precision is the precision of the first ten")
print("queries   by hand   pandas 2.3.3   pandas 3.1.1   get_precision on the latter")
for queries in old:
    wanted, before, _ = old[queries]
    again, after, precision = new[queries]
    print(f"{queries:>7}{wanted:10.3f}{before:15.3f}{after:15.3f}{precision:15.3f}")
    same = same and abs(again - wanted) < 1e-9
    same = same and abs(before - wanted) < 1e-9 and abs(precision - wanted) < 1e-9
    same = same and (abs(after - wanted) < 1e-9 if queries == "1" else after > wanted + 0.1)
print("trectools 0.0.50, numpy 2.4.6")
print("expected: the same share of 0 to 1 on both")
print("cause: pandas 3 hands the groups of apply on without the column that they were made by, which is")
print("the query's name. What is left is joined with the judgements by the document alone: a document is")
print("counted for each query that it is relevant to, whoever's search found it")
print("why it matters: trectools asks for no version of pandas; with few queries or few documents in")
print("common the metric stays below 1 and looks better, and two machines do not agree on one system")
sys.exit(0 if same and new["100"][1] > 1 else 1)
PYTHON
