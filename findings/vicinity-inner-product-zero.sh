#!/usr/bin/env bash
# Vicinity tells the distances of its inner-product index as 0 where they are below: ten nearest rows are all at 0,
# and of the ten largest products over two indexes half are found by the distances that these tell.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "vicinity==0.4.6" "usearch==2.26.6" "numpy==2.4.6"; then
    echo "could not be tried: vicinity or usearch were not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import numpy as np
from vicinity import Backend, Metric, Vicinity

ROWS, QUERIES, COLUMNS, NEAREST = 2000, 100, 32, 10
rng = np.random.default_rng(0)
x = rng.normal(size=(ROWS, COLUMNS)).astype(np.float32)
queries = rng.normal(size=(QUERIES, COLUMNS)).astype(np.float32)


def cosine(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


by_hand = {
    Metric.COSINE: 1 - cosine(queries) @ cosine(x).T,
    Metric.L2_SQUARED: ((queries[:, None] - x) ** 2).sum(2),
    Metric.INNER_PRODUCT: 1 - queries @ x.T,
}
halves = [np.arange(0, ROWS, 2), np.arange(1, ROWS, 2)]
print(f"{QUERIES} queries to an index of {ROWS} rows, and to two indexes of half of them each: the {NEAREST} nearest")
print("metric           farthest of them by hand   by vicinity   different   right of one index   of two")
seen = {}
for metric, distances in by_hand.items():
    wanted = np.argsort(distances, axis=1)[:, :NEAREST]
    parts = []
    for rows in (np.arange(ROWS), *halves):
        index = Vicinity.from_vectors_and_items(x[rows], rows.tolist(), backend_type=Backend.USEARCH, metric=metric)
        parts.append(index.query(queries, k=NEAREST))
    whole = parts.pop(0)
    merged = [sorted(first + second, key=lambda pair: pair[1])[:NEAREST] for first, second in zip(*parts)]
    hits = [
        float(np.mean([len(set(right) & {item for item, _ in pairs}) for right, pairs in zip(wanted, found)])) / NEAREST
        for found in (whole, merged)
    ]
    last = float(np.mean(np.take_along_axis(distances, wanted, axis=1)[:, -1]))
    told = float(np.mean([pairs[-1][1] for pairs in whole]))
    different = float(np.mean([len({distance for _, distance in pairs}) for pairs in whole]))
    seen[metric] = last, told, different, *hits
    print(f"{metric.value:17}{last:24.2f}{told:14.2f}{different:12.1f}{hits[0]:21.0%}{hits[1]:9.0%}")
print("vicinity 0.4.6, usearch 2.26.6, numpy", np.__version__)
print("expected: distances that tell the rows that are found apart, as they do for the other metrics")
print("cause: what comes from the index is cut off at 0, as of a cosine a little above 1. The distance of an inner")
print("product is 1 minus it, below 0 for each product above 1")
print("why it matters: rows of different lengths are searched by inner product. Their order is left, and their")
print("distances are not: results of two indexes cannot be merged, nor a threshold set by what was found")
inner = seen.pop(Metric.INNER_PRODUCT)
same = all(abs(last - told) < 0.05 * abs(last) and hits > 0.9 for last, told, _, _, hits in seen.values())
sys.exit(0 if same and inner[0] < -5 and inner[1:3] == (0, 1) and inner[3] > 0.9 and inner[4] < 0.7 else 1)
PYTHON
