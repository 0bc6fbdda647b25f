#!/usr/bin/env bash
# vendi_score's score_X takes an order q of diversity and always computes that of order 1: of two sets of rows it tells
# the same one for the more diverse whatever is asked, where score_dual of the same rows tells the other from q=2 on.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "vendi-score==0.0.3" "scikit-learn==1.9.1" "scipy==1.17.1" "numpy==2.4.6"; then
    echo "could not be tried: vendi-score was not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import numpy as np
from vendi_score import vendi

COLUMNS = 128
rng = np.random.default_rng(0)
texts = rng.normal(size=(60, COLUMNS))


def rows(counts):
    """Unit rows of so many like each of the texts."""
    made = np.repeat(texts[: len(counts)], counts, axis=0)
    made += 0.05 * rng.normal(size=made.shape)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def by_hand(x, order):
    """The Hill number of that order of the kernel's eigenvalues."""
    shares = np.linalg.svd(x, compute_uv=False) ** 2 / len(x)
    if order == "inf":
        return 1 / shares.max()
    if order == 1:
        return np.exp(-(shares * np.log(shares)).sum())
    return (shares**order).sum() ** (1 / (1 - order))


sets = {"even": rows([20] * 12), "many": rows([122] + [2] * 59)}
assert all(len(x) == 240 for x in sets.values())
print("240 rows: 20 each like twelve texts (even), or 122 like a text and two each like 59 others (many)")
print("order q            score_X          score_dual             score_K             by hand")
print("         " + "     even       many" * 4)
seen = {}
for order in (0.5, 1, 2, "inf"):
    scores = [
        (vendi.score_X(x, q=order), vendi.score_dual(x, q=order), vendi.score_K(x @ x.T, q=order), by_hand(x, order))
        for x in sets.values()
    ]
    seen[order] = np.array(scores).T
    print(f"{order!s:9}" + "".join(f"{even:9.2f}{many:11.2f}" for even, many in seen[order]))
print("vendi_score 0.0.3, numpy", np.__version__)
print("expected: the same by all three, of the rows, of their covariance and of the kernel: the effective number of")
print("different rows, where a large q counts what is frequent and a small one what is rare as well")
print("cause: score_X makes the kernel and asks score_K for q=1 in place of the q that it was given")
print("why it matters: the order is chosen to see whether a set has collapsed to a few texts, and score_X is what the")
print("package takes for fewer rows than columns: there the set of which half is one text stays the more diverse one")
same = all(np.allclose(scores[1], scores[3], rtol=1e-3) for order, scores in seen.items() if order != 0.5)
same = same and all(np.allclose(scores[0], seen[1][3], rtol=1e-3) for scores in seen.values())
sys.exit(0 if same and all(seen[q][3][0] > seen[q][3][1] and seen[q][0][0] < seen[q][0][1] for q in (2, "inf")) else 1)
PYTHON
