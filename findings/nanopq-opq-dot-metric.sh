#!/usr/bin/env bash
# nanopq's OPQ(metric="dot") is one of Euclidean distances once it is fitted: what is to be an inner product
# grows with the distance, and the largest of them is the row farthest away.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "nanopq==0.2.2" "scipy==1.17.1" "numpy==2.4.6"; then
    echo "could not be tried: nanopq or SciPy were not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import numpy as np
from nanopq import OPQ, PQ

# Rows around 50 directions, of different lengths as where the inner product is the one that counts.
rng = np.random.default_rng(0)
centres = rng.normal(size=(50, 32))
rows = centres.repeat(40, axis=0) + 0.3 * rng.normal(size=(2000, 32))
rows = (rows * rng.uniform(0.5, 2, size=(2000, 1))).astype(np.float32)
queries = (centres.repeat(4, axis=0) + 0.3 * rng.normal(size=(200, 32))).astype(np.float32)
best = (queries @ rows.T).argmax(axis=1)


def first(quantiser, largest):
    """How far scores are off the products and the squared distances of the decoded rows, and how often the
    best row is among the first ten."""
    codes = quantiser.encode(rows)
    scores = np.stack([quantiser.dtable(query).adist(codes) for query in queries])
    decoded = quantiser.decode(codes)
    products = queries @ decoded.T
    squares = (queries**2).sum(1)[:, None] + (decoded**2).sum(1) - 2 * products
    order = np.argsort(-scores if largest else scores, axis=1)[:, :10]
    return np.abs(scores - products).max(), np.abs(scores - squares).max(), (order == best[:, None]).any(1).mean()


same = True
print("how far scores are at most off what the decoded rows give, and queries whose best row is among ten")
print("quantiser            off inner products   off squared distances   of the largest scores")
for kind in (PQ, OPQ):
    quantiser = kind(M=8, Ks=64, metric="dot", verbose=False)
    quantiser.fit(rows)
    products, squares, found = first(quantiser, largest=True)
    print(f"{kind.__name__ + ', metric=dot':22}{products:17.4f}{squares:24.4f}{found:24.1%}")
    if kind is PQ:
        same = same and products < 1e-2 < 1 < squares and found > 0.8
    else:
        same = same and squares < 1e-2 < 1 < products and found < 0.1

plain = OPQ(M=8, Ks=64, metric="l2", verbose=False).fit(rows)
equal = all(np.array_equal(plain.dtable(query).dtable, quantiser.dtable(query).dtable) for query in queries)
print("OPQ with metric='dot' and with 'l2' have the same tables, number for number:", equal)
print("nanopq 0.2.2, numpy", np.__version__)
print("expected: as with PQ, \"metric: type of metric used among vectors (either 'l2' or 'dot')\"")
print("cause: fit makes a new PQ for each of its rounds without the metric, and keeps the last")
print("why it matters: OPQ stands where PQ stood, for fewer errors of the same code length. Sorted by the")
print("largest product, as all that worked with PQ, a search hands back what lies farthest from the query")
sys.exit(0 if same and equal else 1)
PYTHON
