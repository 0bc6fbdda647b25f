#!/usr/bin/env bash
# WEFE's RND with distance="cos" subtracts cosine similarities where it should distances: of the same vectors it tells
# the opposite side from distance="norm", and its list of words by how they lean is the wrong way around.
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

import numpy as np
from gensim.models import KeyedVectors
from scipy.spatial.distance import cosine
from scipy.stats import spearmanr
from wefe.metrics import RND
from wefe.query import Query
from wefe.word_embedding_model import WordEmbeddingModel

WORDS, COLUMNS = 8, 50
rng = np.random.default_rng(0)
first, second = rng.normal(size=(2, COLUMNS)) / COLUMNS**0.5


def words(share):
    """Words between the two, from 0 at the first to 1 at the second."""
    middles = (1 - np.broadcast_to(share, WORDS)[:, None]) * first + np.broadcast_to(share, WORDS)[:, None] * second
    return middles + 0.3 * rng.normal(size=(WORDS, COLUMNS)) / COLUMNS**0.5


groups = {"first": words(0.0), "second": words(1.0)}
attributes = {
    "near the first group": words(0.2),
    "near the second group": words(0.8),
    "from the first to the second": words(np.linspace(0.0, 1.0, WORDS)),
}
print(f"two groups of {WORDS} words, and {WORDS} words whose relative distance to the groups is asked for")
print("the words lie                       norm   by hand       cos   by hand    order by norm with that by cos")
print("                                                                              WEFE   by hand")
seen = {}
for name, rows in attributes.items():
    vectors = KeyedVectors(COLUMNS)
    named = {kind: [f"{kind}{i}" for i in range(WORDS)] for kind in (*groups, "attribute")}
    for kind, of_kind in {**groups, "attribute": rows}.items():
        vectors.add_vectors(named[kind], of_kind)
    query = Query([named["first"], named["second"]], [named["attribute"]])
    means = [group.mean(0) for group in groups.values()]
    line, by_word, hand = [], [], []
    for distance in ("norm", "cos"):
        result = RND().run_query(query, WordEmbeddingModel(vectors, "words"), distance=distance)
        measure = cosine if distance == "cos" else lambda a, b: np.linalg.norm(a - b)
        hand.append([measure(row, means[0]) - measure(row, means[1]) for row in rows])
        by_word.append([result["distance_by_word"][word] for word in named["attribute"]])
        line += [result["result"], np.mean(hand[-1])]
    orders = [spearmanr(*by_word).statistic, spearmanr(*hand).statistic]
    seen[name] = line, orders
    print(f"{name:31}" + "".join(f"{value:10.3f}" for value in line) + f"{orders[0]:14.2f}{orders[1]:10.2f}")
print("wefe 1.0.1, gensim 4.4.0, numpy", np.__version__)
print("expected: above 0 where the words lie nearer to the second group and below where to the first:")
print("its documentation says so, and calls cos the cosine distance")
print("cause: it takes the cosine similarity, which is larger where two vectors are nearer, for a distance")
print("why it matters: a study that changes from norm to cos, to leave the vectors' lengths out, finds the opposite")
print("association and a ranking of the words from the other end, with numbers of the same size")
line = np.array([row[0] for row in seen.values()])
same = np.allclose(line[:, 0], line[:, 1], atol=1e-5) and np.allclose(line[:, 2], -line[:, 3], atol=1e-5)
same = same and (line[0] < 0).tolist() == [True, True, False, True] and abs(line[:2]).min() > 0.3
sys.exit(0 if same and seen["from the first to the second"][1][0] < -0.9 else 1)
PYTHON
