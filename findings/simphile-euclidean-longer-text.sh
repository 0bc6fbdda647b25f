#!/usr/bin/env bash
# simphile's Euclidean similarity divides a distance that is 1.41 at most by the square root of how many words two texts
# have: the more words the more alike, 0.96 without one in common, and of the first ten 0.57 are of the topic, not 1.00.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "simphile==1.0.4" "numpy==2.2.6"; then
    echo "could not be tried: simphile was not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys
from collections import Counter

import numpy as np
from simphile import euclidian_similarity, jaccard_similarity

TOPICS, OWN, COMMON, SHARE, TEXTS, QUERIES, WORDS, FIRST = 10, 30, 2000, 0.5, 200, 50, 20, 10
rng = np.random.default_rng(0)


def draw(topic, length):
    """A text of which half of the words are of its topic and the others of chance."""
    mine = rng.random(length) < SHARE
    words = np.where(mine, COMMON + topic * OWN + rng.integers(OWN, size=length), rng.integers(COMMON, size=length))
    return " ".join(f"word{word}" for word in words)


def by_distance(first, second):
    """The same distance between the same vectors of length 1, from the largest one that there is: 1 - d / sqrt(2)."""
    counts = [Counter(text.split()) for text in (first, second)]
    lengths = [np.sqrt(sum(count * count for count in words.values())) for words in counts]
    words = set(counts[0]) | set(counts[1])
    return 1 - np.sqrt(sum((counts[0][w] / lengths[0] - counts[1][w] / lengths[1]) ** 2 for w in words)) / np.sqrt(2)


print("two texts without a word in common")
print("words in each     as here    by the largest distance")
apart = {}
for length in (1, 2, 5, 10, 50, 200, 500):
    first, second = (" ".join(f"{letter}{place}" for place in range(length)) for letter in "ab")
    apart[length] = euclidian_similarity(first, second), by_distance(first, second)
    print(f"{length:13}{apart[length][0]:12.2f}{abs(apart[length][1]):14.2f}")
ways = {"as here": euclidian_similarity, "by the largest": by_distance, "its Jaccard": jaccard_similarity}
topics, asked = np.arange(TEXTS) % TOPICS, np.arange(QUERIES) % TOPICS
print(f"{QUERIES} queries of {WORDS} words among {TEXTS} texts, half of the words of one of {TOPICS} topics. How many")
print(f"of the first {FIRST} are of the topic, their length next to all, how similarity and length of texts correlate")
print("words       " + "".join(f"{way:>27}" for way in ways))
print("a text      " + "       topic length correl." * len(ways))
seen = {}
for low, high in ((20, 40), (10, 100), (10, 500)):
    lengths = rng.integers(low, high, size=TEXTS)
    texts = [draw(topic, length) for topic, length in zip(topics, lengths)]
    queries = [draw(topic, WORDS) for topic in asked]
    line = []
    for way in ways.values():
        values = np.array([[way(query, text) for text in texts] for query in queries])
        order = np.argsort(-values, axis=1)[:, :FIRST]
        line.append(((topics[order] == asked[:, None]).mean(), lengths[order].mean() / lengths.mean(),
                     np.corrcoef(values.ravel(), np.tile(lengths, QUERIES))[0, 1]))
    seen[low, high] = line
    print(f"{low:3} to {high:3}  " + "".join(f"{topic:12.2f}{length:7.2f}{both:8.2f}" for topic, length, both in line))
print("simphile 1.0.4, numpy", np.__version__)
print("expected: 'decimal between 0 and 1 from lowest to highest', 0 for texts that have nothing in common")
print("cause: the vectors are made one long, so that no two are more than the square root of 2 apart, and the distance")
print("is then divided by the square root of the number of words in both, as if each could differ by 1")
print("why it matters: it ranks texts by how long they are before it does by what they say. A long text about anything")
print("is nearer to a query than a short one about the same, and a threshold for one length is none for another")
right = all(value[1] < 1e-6 for value in apart.values()) and all(line[1][0] > 0.95 for line in seen.values())
wrong = all(line[0][2] > 0.8 and line[0][0] < line[1][0] - 0.15 for line in seen.values())
sys.exit(0 if right and wrong and apart[500][0] > 0.9 else 1)
PYTHON
