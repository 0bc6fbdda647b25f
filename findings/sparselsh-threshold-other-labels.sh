#!/usr/bin/env bash
# SparseLSH asked with a distance threshold drops rows that are too far and keeps their labels: what is found has the
# labels of other rows, of the digits nearest to a digit 0.10 are the same one in place of 0.96, and a single row has
# the first letter of its label.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "numpy==1.26.4" "scipy==1.13.1" "scikit-learn==1.7.2" "sparselsh==2.2.0"; then
    echo "could not be tried: sparselsh was not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.datasets import load_digits
from sklearn.metrics import pairwise_distances
from sparselsh import LSH

BITS, ROWS, ASKED = 2, 400, 30
np.random.seed(0)
rows, kinds = (part[:ROWS] for part in load_digits(return_X_y=True))
index = LSH(BITS, rows.shape[1])
index.index(csr_matrix(rows), extra_data=list(range(len(rows))))
exact = pairwise_distances(rows)
print(f"{ROWS} digits in {2 ** BITS} buckets, {ASKED} of them asked for: rows found within a threshold, share whose")
print("label is that of the row, is of a row that far away, and is of the query's digit, and the same by hand")
print("threshold   found   label of the row   label at that distance   same digit   by hand")
seen = {}
for threshold in (None, 60.0, 50.0, 40.0, 30.0, 25.0):
    found, own, far, same, hand = 0, 0, 0, 0, 0
    for asked in range(ASKED):
        answer = index.query(csr_matrix(rows[asked : asked + 1]), distance_func="true_euclidean",
                             dist_threshold=threshold)
        for (row, label), distance in answer:
            vector = row.toarray()[0]
            found += 1
            own += np.array_equal(rows[label], vector)
            far += abs(exact[asked, label] - distance) < 1e-6
            same += kinds[label] == kinds[asked]
            hand += kinds[np.abs(rows - vector).sum(1).argmin()] == kinds[asked]
    seen[threshold] = [found, own / found, far / found, same / found, hand / found]
    print(f"{threshold!s:>9}{found:8}{own / found:19.2f}{far / found:25.2f}{same / found:13.2f}{hand / found:10.2f}")

texts = csr_matrix(np.array([[0, 9, 9], [3, 3, 0], [0, 8, 9], [1, 0, 0], [2, 2, 0]], dtype=float))
names = ["beta", "gamma", "delta", "alpha", "omega"]
one = LSH(1, 3)
one.index(texts, extra_data=names)
alone = one.query(texts[3], distance_func="true_euclidean", dist_threshold=0.5)
print("\nfive named rows, the row 'alpha' asked for within 0.5:", [label for (_, label), _ in alone])
print("sparselsh 2.2.0, numpy", np.__version__)
print("expected: rows within the threshold, each with the label that it was indexed with")
print("cause: distances and rows are cut down to those within the threshold, the labels are not, and are then looked")
print("up by the places of what is left. If one is left, its label is taken for a list, and of a text it is the first")
print("letter")
print("why it matters: the label is what a search is for. The rows and distances that come back with it are right, and")
print("it looks right without a threshold")
right = seen[None][1] == 1 and abs(seen[None][4] - seen[None][3]) < 1e-9
wrong = all(seen[threshold][1] < 0.5 for threshold in (40.0, 30.0, 25.0))
wrong &= len(alone) == 1 and len(alone[0][0][1]) == 1
sys.exit(0 if right and wrong else 1)
PYTHON
