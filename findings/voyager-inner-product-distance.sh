#!/usr/bin/env bash
# voyager's get_distance between two vectors depends on what else is in an index of inner products.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "voyager==2.2.3" "numpy==2.4.6"; then
    echo "could not be tried: voyager or numpy were not installed" >&2
    exit 2
fi

"$folder/venv/bin/python" - <<'PYTHON'
import sys

import numpy as np
from voyager import Index, Space

rng = np.random.default_rng(0)
rows = rng.normal(size=(300, 16)).astype(np.float32)
rows /= np.linalg.norm(rows, axis=1, keepdims=True)
a, b = rows[:2]
wanted = float(1 - a.astype(np.float64) @ b.astype(np.float64))


def added(of, longest):
    """The coordinate by which the index makes all rows as long as the longest, a whole number."""
    return np.floor(np.sqrt(max(longest**2 - float(of.astype(np.float64) @ of), 0)))


same = True
print("two unit rows, 1 minus their inner product:", round(wanted, 4))
print("index of inner products          get_distance  by the cause below  query of one for the other")
for name, length in (("no rows", None), ("300 unit rows", 1), ("one more of length 3.5", 3.5), ("of length 10.5", 10.5)):
    index = Index(Space.InnerProduct, num_dimensions=16)
    if length is not None:
        index.add_items(rows)
        index.add_item(rows[2] * np.float32(length))
    seen = index.get_distance(a, b)
    told = wanted - added(a, length or 0) * added(b, length or 0)
    by_query = float("nan")
    if length is not None:
        keys, distances = index.query(a, k=301, query_ef=301)
        by_query = float(distances[list(keys).index(1)])
        same = same and abs(by_query - wanted) < 1e-5
    print(f"{name:30}{seen:15.4f}{told:20.4f}{by_query:17.4f}")
    same = same and abs(seen - told) < 1e-4
    same = same and (abs(seen - wanted) < 1e-5) == (length in (None, 1))
for space, value in ((Space.Cosine, wanted), (Space.Euclidean, float(((a - b) ** 2).sum()))):
    index = Index(space, num_dimensions=16)
    index.add_items(rows)
    index.add_item(rows[2] * np.float32(10.5))
    same = same and abs(index.get_distance(a, b) - value) < 1e-5
print("in the other spaces, over the same rows, it is right:", same)
print("voyager 2.2.3, numpy", np.__version__)
print("expected: 'the distance between two provided vectors' is that of the two, as query gives it")
print("cause: so that the nearest row is that of the largest product, each row has a further")
print("coordinate up to the longest row so far, which is 0 for a query. get_distance puts it into")
print("both vectors, cut to a whole number: the product of the two is subtracted")
print("why it matters: embeddings that are not of unit length are searched by inner product; distances")
print("checked or ranked anew with get_distance change with the longest row that anybody added")
sys.exit(0 if same else 1)
PYTHON
