#!/usr/bin/env bash
# repro_eval's Kendall's tau union compares the places of the documents' names in the alphabet: of two runs
# of 100 documents, ten pairs of neighbours swapped, it makes 1.00 or 0.65, by what the documents are called.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "repro-eval==0.5.0" "pandas==3.1.1" "scipy==1.17.1" "numpy==2.4.6"; then
    echo "could not be tried: repro_eval or SciPy were not installed" >&2
    exit 2
fi

"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import numpy as np
import scipy
from repro_eval.measure.document_order import KTU

DOCUMENTS = 100
rng = np.random.default_rng(0)


def swapped(order, times):
    """The same order after so many swaps of two neighbours, no document in two of them."""
    order = order.copy()
    for place in 2 * rng.permutation(DOCUMENTS // 2)[:times]:
        order[[place, place + 1]] = order[[place + 1, place]]
    return order


def run(order, names):
    return {"q1": {names[document]: float(DOCUMENTS - place) for place, document in enumerate(order)}}


def by_hand(one, other):
    """Kendall's tau: of all pairs of documents those in one order less those in the other."""
    ranks = np.argsort(one), np.argsort(other)
    signs = [np.sign(np.subtract.outer(r, r))[np.triu_indices(DOCUMENTS, 1)] for r in ranks]
    return float((signs[0] * signs[1]).mean()), scipy.stats.kendalltau(*ranks).statistic


same = True
print("a run of 100 documents and the same with swapped neighbours: Kendall's tau, and KTU by their names")
print("swaps   by hand   SciPy   named by rank   named at random, five times")
first = rng.permutation(DOCUMENTS)
alphabet = [f"d{number:03d}" for number in range(DOCUMENTS)]
for swaps in (0, 1, 3, 10, 50):
    second = swapped(first, swaps)
    hand, tau = by_hand(first, second)
    by_rank = [alphabet[rank] for rank in np.argsort(first)]
    ranked = KTU(run(first, by_rank), run(second, by_rank))
    others = []
    for _ in range(5):
        names = rng.permutation(alphabet).tolist()
        others.append(KTU(run(first, names), run(second, names)))
    shown = "".join(f"{ktu:7.2f}" for ktu in others)
    print(f"{swaps:5}{hand:10.3f}{tau:8.3f}{ranked:12.3f}   {shown}")
    same = same and abs(hand - tau) < 1e-9 and abs(ranked - hand) < 1e-9
    same = same and (min(others) == 1 if not swaps else max(others) < hand)
    same = same and (swaps < 10 or max(others) < 0.8 < hand and max(others) - min(others) > 0.05)
print("repro_eval 0.5.0, scipy", scipy.__version__, "- numpy", np.__version__)
print("expected: one figure, since the runs are the same up to the names, and Kendall's tau where both have")
print("the same documents; the documentation has it compare 'the document orderings'")
print("cause: a document is numbered by its name's place in the sorted names of both runs, and tau is taken")
print("of the numbers rank by rank, in place of the ranks document by document: two documents that change")
print("places count as much as their names are apart")
print("why it matters: it is the measure of how well a ranking was reproduced. It is near 0 for a run that")
print("is the other's but for rounding, and other identifiers of one collection give other values")
sys.exit(0 if same else 1)
PYTHON
