#!/usr/bin/env bash
# Turftopic's importance of words by "npmi" divides by the difference of two logarithms in place of their sum: values go
# beyond 1, and from ten topics on the word that a topic says the most is the last of all, where it is the first.
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

TEXTS, LENGTH, OWN, COMMON, SHARE, SMOOTHING = 2000, 60, 10, 1000, 0.5, 5
rng = np.random.default_rng(0)


def draw(topics):
    """Counts of words: half of a text's are of its topic's ten own words by Zipf's law, half of those of all texts."""
    groups = rng.permutation(np.arange(TEXTS) % topics)
    chances = np.zeros((topics, COMMON + OWN * topics))
    chances[:, :COMMON] = (1 - SHARE) / np.arange(2, COMMON + 2)
    chances[:, :COMMON] *= (1 - SHARE) / chances[0, :COMMON].sum()
    own = 1 / np.arange(1, OWN + 1)
    for topic in range(topics):
        chances[topic, COMMON + OWN * topic : COMMON + OWN * (topic + 1)] = SHARE * own / own.sum()
    counts = np.stack([rng.multinomial(LENGTH, chances[group] / chances[group].sum()) for group in groups])
    return csr_matrix(counts), np.eye(topics)[groups]


def by_hand(topic, counts):
    """log(p(w, t) / p(w) / p(t)) / -log p(w, t), with the same smoothing."""
    words = topic.T @ counts + SMOOTHING
    words = words / words.sum(1, keepdims=True)
    every = np.asarray(counts.sum(0)).ravel() + SMOOTHING
    every = every / every.sum()
    share = topic.sum(0) + SMOOTHING
    joint = words * (share / share.sum())[:, None]
    return np.log(words / every) / -np.log(joint)


def tell(values, topics):
    """How many of the first ten words are the topic's own, how often its most said word is first and where it stands."""
    order = np.argsort(-values, axis=1)
    own = np.arange(topics)[:, None] * OWN + COMMON
    place = (order == own).argmax(1)
    return ((order[:, :OWN] >= own) & (order[:, :OWN] < own + OWN)).mean(), place.mean() + 1


print(f"{TEXTS} texts of {LENGTH} words, half of them of the {OWN} own words of the text's topic, in topics of one size")
print("          own words among     place of the topic's      largest and smallest")
print("          the first ten       most said word            value")
print("topics   'npmi'   by hand     'npmi'   by hand  words     'npmi'           by hand")
seen = {}
for topics in (2, 5, 10, 20, 40):
    counts, topic = draw(topics)
    ways = importance.npmi(topic, counts, SMOOTHING), by_hand(topic, counts)
    own, place = zip(*(tell(values, topics) for values in ways))
    ends = [(values.max(), values.min()) for values in ways]
    seen[topics] = own, place, ends, counts.shape[1]
    print(f"{topics:6}{own[0]:9.2f}{own[1]:10.2f}{place[0]:11.1f}{place[1]:10.1f}{counts.shape[1]:7}"
          + "".join(f"{high:10.2f}{low:8.2f}" for high, low in ends))
print("turftopic 0.28.0, numpy", np.__version__)
print("expected: normalized pointwise mutual information, between -1 and 1 and the largest for what goes with a topic")
print("cause: the logarithm of what a word and a topic have together is that of the word in the topic plus that of the")
print("topic. It is taken minus, so that a word is worth the more the nearer its share comes to the topic's, and what is")
print("above that has the sign turned")
print("why it matters: it is one of the choices of the clustering and mixture models for what a topic is called by, and")
print("topics get small as soon as there are many of them. The word that a topic is about is then not to be seen at all")
right = all(place[1] < 1.5 and ends[1][0] <= 1 for _, place, ends, _ in seen.values())
sys.exit(0 if right and all(seen[n][1][0] > 0.9 * seen[n][3] and seen[n][2][0][0] > 1.5 for n in (10, 20, 40)) else 1)
PYTHON
