#!/usr/bin/env bash
# OCTIS divides word vectors by the sum of their coordinates before it takes cosines: where the sums of two
# words differ in sign, so does their cosine, and topics of words that are all alike have 0 in place of 0.8.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# --no-deps leaves out what this metric does not need, as PyTorch and spaCy, and pins of older NumPy and SciPy.
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check --no-deps "octis==1.14.0" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "gensim==4.4.0" "pandas==3.1.1" "requests==2.32.5" "scikit-learn==1.9.1" \
    "scipy==1.17.1" "numpy==2.4.6"; then
    echo "could not be tried: octis or gensim were not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - "$folder/words.txt" <<'PYTHON'
import sys

import numpy as np
from gensim.models import KeyedVectors
from octis.evaluation_metrics.coherence_metrics import WECoherencePairwise
from scipy.stats import spearmanr

TOPICS, WORDS, COLUMNS = 40, 10, 50
rng = np.random.default_rng(0)
# Words around the directions of their topics, in some closer than in others, and in another basis.
spread = np.linspace(0.3, 1.5, TOPICS)
rows = rng.normal(size=(TOPICS, 1, COLUMNS)) + spread[:, None, None] * rng.normal(size=(TOPICS, WORDS, COLUMNS))
basis = np.linalg.qr(rng.normal(size=(COLUMNS, COLUMNS)))[0]
topics = [[f"t{topic}w{word}" for word in range(WORDS)] for topic in range(TOPICS)]


def cosines(rows):
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return (unit @ unit.T)[np.triu_indices(WORDS, 1)]


def with_signs(rows):
    return rows * np.sign(rows.sum(axis=1, keepdims=True))


same = True
print(f"mean cosine of a topic's {WORDS} words, for {TOPICS} topics, the closest first")
scores = {}
for name, vectors in (
    ("as they are", rows),
    ("in another basis", rows @ basis),
    ("shifted, so that all sums are above 0", rows + 5),
):
    keyed = KeyedVectors(COLUMNS)
    keyed.add_vectors(sum(topics, []), vectors.reshape(-1, COLUMNS).astype(np.float32))
    keyed.save_word2vec_format(sys.argv[1])
    pairwise = WECoherencePairwise(word2vec_path=sys.argv[1])
    hand = np.array([cosines(words).mean() for words in vectors])
    told = np.array([cosines(with_signs(words)).mean() for words in vectors])
    seen = scores[name] = np.array([pairwise.score({"topics": [topic]}) for topic in topics])
    print(f"  {name}: rank correlation of seen and by hand {spearmanr(seen, hand).statistic:.3f}")
    for title, values in (("by hand", hand), ("seen", seen)):
        print(f"    {title:10}" + "".join(f"{value:7.2f}" for value in values[:10]) + "  ...")
    same = same and np.abs(seen - told).max() < 1e-3
    same = same and (np.abs(seen - hand).max() < 1e-3) == ("shifted" in name)
apart = np.abs(scores["as they are"] - scores["in another basis"]).max()
print(f"the first two have the same cosines; what is seen of them differs by up to {apart:.2f}")
print("octis 1.14.0, numpy", np.__version__)
print("expected: 'Coherence word embeddings pairwise cosine', which the lengths of vectors do not change")
print("cause: a vector's sum of coordinates is below 0 as often as above, and dividing by it turns the vector around")
print("why it matters: topics found by embeddings are compared by this. It depends on a basis that means nothing,")
print("and what is close to 0 may be among the most coherent topics")
sys.exit(0 if same and apart > 0.5 else 1)
PYTHON
