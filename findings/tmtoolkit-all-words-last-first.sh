#!/usr/bin/env bash
# tmtoolkit's top_words_for_topics gives the least probable words first where it is asked for all words, as it is unless
# told how many: of ten words of a topic none are among its first ten of 200, all if it is asked for 199 of them.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "numpy==1.26.4" "scipy==1.13.1" "pandas==2.2.3" "globre==0.1.5" \
    "bidict==0.24.1" "matplotlib==3.11.2" "setuptools==80.9.0" ||
    ! "$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps "tmtoolkit==0.12.0"; then
    echo "could not be tried: tmtoolkit was not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import numpy as np
from scipy.stats import spearmanr
from tmtoolkit.topicmod.evaluate import metric_coherence_mimno_2011
from tmtoolkit.topicmod.model_stats import top_n_from_distribution, top_words_for_topics

TOPICS, WORDS, OWN, TEXTS, LENGTH = 20, 200, 10, 1000, 50
rng = np.random.default_rng(0)
chances = rng.gamma(1.0, size=(TOPICS, WORDS))
chances *= 0.5 / chances.sum(1, keepdims=True)
own = np.arange(TOPICS)[:, None] * OWN + np.arange(OWN)
np.put_along_axis(chances, own, np.take_along_axis(chances, own, 1) + 0.5 / OWN, 1)


def tell(asked):
    """How many of a topic's ten words are among its first ten, how the order follows the probability, the first one."""
    words = np.stack(top_words_for_topics(chances, asked))[:, : asked or WORDS]
    found = np.mean([len(set(first[:OWN]) & set(mine)) / OWN for first, mine in zip(words, own)])
    places = np.arange(words.shape[1])
    falling = np.mean([spearmanr(-chances[topic, order], places)[0] for topic, order in enumerate(words)])
    first = np.mean([chances[topic, order[0]] == chances[topic].max() for topic, order in enumerate(words)])
    return found, falling, first


print(f"{TOPICS} topics of {WORDS} words, half of each topic's probability with {OWN} words of its own")
print("asked for        own words among    correlation of places    the first word is the")
print("                 the first ten      and falling probability  most probable")
seen = {}
for asked in (10, 100, WORDS - 1, WORDS, None):
    seen[asked] = tell(asked)
    print(f"{'all' if asked is None else asked!s:9}" + "".join(f"{value:{width}.2f}" for value, width in
                                                             zip(seen[asked], (14, 22, 24))))
both = top_n_from_distribution(chances, WORDS, val_labels=np.arange(WORDS)).to_numpy()
other = np.mean([len(set(first[:OWN]) & set(mine)) / OWN for first, mine in zip(both.astype(int), own)])
print(f"top_n_from_distribution, for the same table and all words: {other:.2f} among the first ten")
texts = np.stack([rng.multinomial(LENGTH, chances[topic]) for topic in rng.integers(TOPICS, size=TEXTS)])
few = chances[:, :30] / chances[:, :30].sum(1, keepdims=True)
coherence = [metric_coherence_mimno_2011(few, texts[:, :30], top_n=number, return_mean=True) for number in (29, 30)]
print(f"metric_coherence_mimno_2011 of 29 words, and of all 30: {coherence[0]:.1f}, {coherence[1]:.1f}")
print("tmtoolkit 0.12.0, numpy", np.__version__)
print("expected: 'if None return full sorted lists of words', the most probable first as for other numbers")
print("cause: the words are sorted from the least probable on, and the slice that turns them around is left out where")
print("all words are asked for")
print("why it matters: all words is what it gives when nothing is told. Who takes the first ones of that for what a")
print("topic is about has its rarest words, and what goes by the order of the words has them upside down")
right = all(seen[asked][0] > 0.9 and seen[asked][1] > 0.9 and seen[asked][2] == 1 for asked in (10, 100, WORDS - 1))
wrong = all(seen[asked][0] < 0.1 and seen[asked][1] < -0.9 for asked in (WORDS, None))
sys.exit(0 if right and wrong and other > 0.9 else 1)
PYTHON
