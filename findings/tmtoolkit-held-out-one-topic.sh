#!/usr/bin/env bash
# tmtoolkit's metric_held_out_documents_wallach09 draws a topic for a text where the paper draws one for each word: of
# two models it prefers the one whose topics are all alike, where the texts are far more probable by the other.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "numpy==1.26.4" "scipy==1.13.1" "pandas==2.2.3" "globre==0.1.5" "gmpy2==2.3.2" \
    "bidict==0.24.1" "matplotlib==3.11.2" "setuptools==80.9.0" ||
    ! "$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps "tmtoolkit==0.12.0"; then
    echo "could not be tried: tmtoolkit was not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import numpy as np
from scipy.special import gammaln, logsumexp
from tmtoolkit.topicmod.evaluate import metric_held_out_documents_wallach09

TEXTS, LENGTH, TOPICS, OWN, SHARE, SAMPLES = 16, 12, 2, 10, 0.9, 50_000
WORDS = TOPICS * OWN
topics = np.full((TOPICS, WORDS), (1 - SHARE) / WORDS)
for topic in range(TOPICS):
    topics[topic, topic * OWN : (topic + 1) * OWN] += SHARE / OWN
alike = np.full((TOPICS, WORDS), 1 / WORDS)


def integrated(texts, words, alpha, rng):
    """log p(text) by its definition: the mean over shares of topics drawn from the prior, which knows no sampler."""
    shares = rng.dirichlet([alpha] * TOPICS, size=100_000)
    logs = np.log(shares @ words)
    return sum(logsumexp(logs @ text) - np.log(len(shares)) for text in texts)


def by_paper(texts, given, words, alpha, rng):
    """Importance sampling as in the paper: a topic for each word of a text, one text at a time."""
    total = 0.0
    for text, share in zip(texts, given):
        tokens = np.repeat(np.arange(WORDS), text)
        drawn = rng.choice(TOPICS, size=(SAMPLES, len(tokens)), p=share)
        counts = (drawn[:, :, None] == np.arange(TOPICS)).sum(1)
        prior = gammaln(counts + alpha).sum(1) - gammaln(len(tokens) + TOPICS * alpha)
        prior += gammaln(TOPICS * alpha) - TOPICS * gammaln(alpha)
        log = prior + np.log(words[drawn, tokens]).sum(1) - np.log(share[drawn]).sum(1)
        total += logsumexp(log) - np.log(SAMPLES)
    return total


print(f"log probability of {TEXTS} texts of {LENGTH} words with shares of {TOPICS} topics that are drawn by alpha")
print("           the model that the texts are drawn by           a model whose topics are all alike")
print("alpha      library   by the paper  integrated              library   by the paper  integrated")
seen = {}
for alpha in (0.05, 0.5, 2.0, 10.0):
    rng = np.random.default_rng(0)
    np.random.seed(0)
    shares = rng.dirichlet([alpha] * TOPICS, size=TEXTS)
    texts = np.stack([rng.multinomial(LENGTH, share @ topics) for share in shares])
    shares = (shares + 0.01) / (shares + 0.01).sum(1, keepdims=True)
    line = []
    for words in (topics, alike):
        line += [metric_held_out_documents_wallach09(texts, shares, words, alpha, n_samples=SAMPLES),
                 by_paper(texts, shares, words, alpha, rng), integrated(texts, words, alpha, rng)]
    seen[alpha] = line
    print(f"{alpha:5.2f}" + "".join(f"{value:13.1f}" for value in line[:3]) + " " * 7
          + "".join(f"{value:13.1f}" for value in line[3:]))
print("tmtoolkit 0.12.0, numpy", np.__version__)
print("expected: what Wallach and others estimate by a topic for each word: how probable texts are that were held out")
print("cause: where the paper's samples run over the words of a text those here run over the texts, so that all words")
print("of a text are of one topic, and the prior's counts are of texts")
print("why it matters: it is the measure by which the number of topics is chosen. As soon as texts have more than one")
print("topic the model that is right loses to one that has learned nothing, and the more the more they have")
right = all(abs(line[1] - line[2]) < 4 for line in seen.values()) and seen[2.0][2] > seen[2.0][5] + 10
sys.exit(0 if right and all(seen[alpha][0] < seen[alpha][3] - 20 for alpha in (2.0, 10.0)) else 1)
PYTHON
