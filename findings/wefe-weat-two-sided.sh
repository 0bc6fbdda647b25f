#!/usr/bin/env bash
# WEFE's two-sided test of WEAT compares a permutation's score without its sign to the observed one with it: of an
# association whose score is below 0 the p-value is 1.00 however strong it is, of the same one above 0 it is 0.00.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "wefe==1.0.1" "gensim==4.4.0" "scikit-learn==1.9.1" "scipy==1.12.0" \
    "pandas==3.0.6" "numpy==1.26.4"; then
    echo "could not be tried: wefe was not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys
from itertools import combinations

import numpy as np
from gensim.models import KeyedVectors
from wefe.metrics import WEAT
from wefe.query import Query
from wefe.word_embedding_model import WordEmbeddingModel

WORDS, COLUMNS, DRAWS = 8, 50, 300
rng = np.random.default_rng(0)
axis = rng.normal(size=COLUMNS) / COLUMNS**0.5
names = {kind: [f"{kind}{i}" for i in range(WORDS)] for kind in ("x", "y", "a", "b")}


def model(strength):
    """Words of x near those of a and words of y near those of b, by how strong it is."""
    vectors = KeyedVectors(COLUMNS)
    for kind, sign in (("x", 1), ("y", -1), ("a", 1), ("b", -1)):
        own = (strength if kind in "xy" else 1.0) * sign * axis
        vectors.add_vectors(names[kind], own + rng.normal(size=(WORDS, COLUMNS)) / COLUMNS**0.5)
    return vectors


def by_permutations(vectors, one, other):
    """The score, and how many of all ways to part the words in two have one as far from 0."""
    cosines = [vectors.cosine_similarities(vectors[w], vectors[names["a"] + names["b"]]) for w in one + other]
    near = np.array([c[:WORDS].mean() - c[WORDS:].mean() for c in cosines])
    scores = 2 * near[np.array(list(combinations(range(2 * WORDS), WORDS)))].sum(1) - near.sum()
    return scores[0], (abs(scores) >= abs(scores[0]) - 1e-12).mean()


print(f"two sets of {WORDS} words, associated with two others of {WORDS}; p-values of WEAT")
print("association   order    score   all permutations   WEFE two-sided   left-sided")
seen = {}
for strength in (0.0, 0.1, 1.0):
    vectors = model(strength)
    for order in ("x, y", "y, x"):
        one, other = (names[kind] for kind in order.split(", "))
        score, exact = by_permutations(vectors, one, other)
        query = Query([one, other], [names["a"], names["b"]])
        found = []
        for sides in ("two-sided", "left-sided"):
            result = WEAT().run_query(
                query,
                WordEmbeddingModel(vectors, "words"),
                calculate_p_value=True,
                p_value_test_type=sides,
                p_value_iterations=DRAWS,
            )
            assert abs(result["weat"] - score) < 1e-4
            found.append(result["p_value"])
        seen[strength, order] = score, exact, *found
        print(f"{strength:11.1f}{order:>8}{score:9.2f}{exact:19.2f}{found[0]:17.2f}{found[1]:13.2f}")
print("wefe 1.0.1, gensim 4.4.0, numpy", np.__version__)
print("expected: a two-sided p-value that stays the same when the two sets of words change places, which does no more")
print("than turn the sign of the score")
print("cause: the test counts the permutations where abs(score) > observed score. Below 0 that holds for all of them")
print("why it matters: the sign is a matter of which set was named first. Vectors that associate them the other way")
print("around are told to do so by chance, and a model whose association is turned looks as if it had none")
strong, turned = seen[1.0, "x, y"], seen[1.0, "y, x"]
same = all(row[1] < 0.01 for row in (strong, turned)) and abs(strong[0] + turned[0]) < 1e-4
same = same and strong[2] < 0.01 and turned[2] > 0.99 and turned[3] < 0.01
sys.exit(0 if same and all(row[2] > 0.99 for row in seen.values() if row[0] < 0) else 1)
PYTHON
