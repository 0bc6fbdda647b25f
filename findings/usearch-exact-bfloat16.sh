#!/usr/bin/env bash
# usearch keeps float32 rows as bfloat16 unless told otherwise, and "exact=True" is exact over those.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "usearch==2.26.6" "numpy==2.2.6"; then
    echo "could not be tried: usearch or numpy were not installed" >&2
    exit 2
fi

"$folder/venv/bin/python" - <<'PYTHON'
import sys

import numpy as np
from usearch.index import Index

# Embeddings as training makes them: rows close around the centres of their classes.
rng = np.random.default_rng(0)
centres = rng.normal(size=(50, 128))
x = centres.repeat(60, axis=0) + 0.05 * rng.normal(size=(3000, 128))
x = (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)
queries, rows = x[::15], x
cosines = queries.astype(np.float64) @ rows.astype(np.float64).T
truth = np.argsort(-cosines, axis=1, kind="stable")[:, :10]

share, off = {}, {}
for name, options in (("default", {}), ("dtype='f32'", {"dtype": "f32"})):
    index = Index(ndim=128, metric="cos", **options)
    index.add(np.arange(len(rows)), rows)
    found = index.search(queries, 10, exact=True)
    keys = found.keys.astype(np.int64)
    share[name] = float(np.mean([set(a) != set(b) for a, b in zip(keys, truth)]))
    own = np.take_along_axis(cosines, keys, axis=1)
    off[name] = float(np.abs(1.0 - found.distances - own).max())
    print(
        f"{name:12} keeps {index.dtype}: {100 * share[name]:.0f}% of queries have another ten "
        f"nearest, cosines are off by up to {off[name]:.0e}"
    )
print("usearch 2.26.6, numpy", np.__version__)
print("expected: search(..., exact=True) over float32 rows finds float32's nearest rows")
print("why it matters: trained embeddings of a class lie so close together that bfloat16's eight")
print("bits reorder them: what is called the exact answer is another one, and nothing tells of it")
same = share["default"] > 0.1 and off["default"] > 1e-5
same = same and share["dtype='f32'"] < 0.01 and off["dtype='f32'"] < 1e-6
sys.exit(0 if same else 1)
PYTHON
