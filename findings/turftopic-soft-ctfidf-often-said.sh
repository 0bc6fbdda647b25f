#!/usr/bin/env bash
# Turftopic's soft c-TF-IDF, by which it names topics unless told otherwise, is below 0 for a word that was said more
# often than there are texts: in texts of 110 words and more a topic's own words are the last of all.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "scikit-learn==1.9.1" "scipy==1.17.1" "numpy==2.4.6" ||
    ! "$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps "turftopic==0.28.0"; then
    echo "could not be tried: Turftopic was not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import importlib.util
import sys

import numpy as np
from scipy.sparse import csr_matrix

# This file of the package alone, which has the formulas: the rest needs PyTorch and a model.
path = importlib.util.find_spec("turftopic").submodule_search_locations[0] + "/feature_importance.py"
spec = importlib.util.spec_from_file_location("feature_importance", path)
importance = importlib.util.module_from_spec(spec)
spec.loader.exec_module(importance)

TEXTS, TOPICS, OWN, COMMON, SHARE = 1000, 5, 10, 1000, 0.5
rng = np.random.default_rng(0)


def draw(length):
    """Counts of words: half of a text's are of its topic's ten own words, half of those of all texts by Zipf's law."""
    groups = rng.permutation(np.arange(TEXTS) % TOPICS)
    chances = np.zeros((TOPICS, COMMON + OWN * TOPICS))
    chances[:, :COMMON] = 1 / np.arange(10, COMMON + 10)
    chances[:, :COMMON] *= (1 - SHARE) / chances[0, :COMMON].sum()
    for topic in range(TOPICS):
        chances[topic, COMMON + OWN * topic : COMMON + OWN * (topic + 1)] = SHARE / OWN
    counts = np.stack([rng.multinomial(length, chances[group] / chances[group].sum()) for group in groups])
    return csr_matrix(counts), np.eye(TOPICS)[groups]


def by_texts(topic, counts):
    """The same with the usual inverse document frequency, of the texts that have a word: never more than there are."""
    words = topic.T @ counts
    return words / words.sum(1, keepdims=True) * np.log(len(topic) / np.maximum((counts > 0).sum(0), 1)).A1


def tell(values):
    """How many of the first ten words are the topic's own, the mean place of these and the share of values below 0."""
    order = np.argsort(-values, axis=1)
    own = np.arange(TOPICS)[:, None] * OWN + COMMON
    mine = (order >= own) & (order < own + OWN)
    return mine[:, :OWN].mean(), np.nonzero(mine)[1].mean() + 1, (np.take_along_axis(values, own, 1) < 0).mean()


print(f"{TEXTS} texts of {TOPICS} topics, half of each of the {OWN} own words of its topic, of {COMMON + OWN * TOPICS}")
print("             soft c-TF-IDF              c-TF-IDF (BERTopic's)      TF by topic, IDF by texts")
print("words      own of     mean              own of     mean            own of     mean")
print("a text     first 10   place             first 10   place           first 10   place")
seen = {}
for length in (20, 50, 90, 110, 200, 500):
    counts, topic = draw(length)
    ways = importance.soft_ctf_idf(topic, counts), importance.ctf_idf(topic, counts), by_texts(topic, counts)
    seen[length] = [tell(np.asarray(values)) for values in ways]
    print(f"{length:6}" + "".join(f"{first:13.2f}{place:10.1f}    " for first, place, _ in seen[length]))
print("turftopic 0.28.0, numpy", np.__version__)
print("expected: that words that are said in a topic and nowhere else are what it is about, in long texts as in short")
print("cause: in place of the inverse document frequency stands the number of texts by how often a word was said in")
print("all, not by how many have it. Its logarithm is below 0 as soon as a word was said more than once a text on")
print("average, and from there on a word is the further back the more a topic says it")
print("why it matters: mixture and clustering models name topics by it unless told otherwise. In long texts a topic's")
print("own words are the last of all, and what it is called by are words that are hardly ever said")
right = all(value[2][0] > 0.9 for value in seen.values()) and seen[20][0][0] > 0.9 and seen[500][1][0] > 0.9
sys.exit(0 if right and all(seen[length][0][0] < 0.1 and seen[length][0][2] > 0.9 for length in (200, 500)) else 1)
PYTHON
