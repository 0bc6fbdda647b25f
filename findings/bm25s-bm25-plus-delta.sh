#!/usr/bin/env bash
# BM25+ of bm25s and rank_bm25 adds its delta to the texts without a word as well, so that it changes no order: long
# texts with all words of a query stay behind short ones with one, where by the paper they come first.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "bm25s==0.3.16" "rank-bm25==0.2.2" "numpy==2.4.6"; then
    echo "could not be tried: bm25s or rank_bm25 were not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import bm25s
import numpy as np
from rank_bm25 import BM25Plus

QUERIES, WORDS, OTHERS, SHORT, LONG, COMMON = 100, 3, 10, 20, 400, 2000
K1, B = 1.5, 0.75
rng = np.random.default_rng(0)


def text(length, words):
    """Common words and, at its end, those of a query."""
    return [f"common{i}" for i in rng.integers(COMMON, size=length - len(words))] + words


queries = [[f"query{i}word{j}" for j in range(WORDS)] for i in range(QUERIES)]
texts = [text(LONG, words) for words in queries]
texts += [text(SHORT, words[:1] * 2) for words in queries for _ in range(OTHERS)]
lengths = np.array([len(words) for words in texts])
counts = {word: np.array([words.count(word) for words in texts]) for query in queries for word in query}


def by_paper(words, delta):
    """Of each word that a text has: its weight, log((N + 1) / df), by the part of BM25 plus delta."""
    scores = np.zeros(len(texts))
    for count in (counts[word] for word in words):
        part = (K1 + 1) * count / (K1 * (1 - B + B * lengths / lengths.mean()) + count) + delta
        scores += np.where(count > 0, np.log((len(texts) + 1) / (count > 0).sum()) * part, 0)
    return scores


def measure(score, orders):
    """How often the text with all words is first, and how often the order is another than that before."""
    found = [score(words) for words in queries]
    first = np.mean([scores.argmax() == i for i, scores in enumerate(found)])
    now = [np.argsort(-scores.round(3), kind="stable") for scores in found]
    return first, np.mean([(a != b).any() for a, b in zip(now, orders or now)]), now


print(f"{QUERIES} queries of {WORDS} words. A text of {LONG} words has all of them once, {OTHERS} of {SHORT} words")
print("have the first one twice and no other")
print("        the text with all words is first      the order is another than at delta 0")
print("delta     by the paper   bm25s   rank_bm25          by the paper   bm25s   rank_bm25")
seen, before = {}, [None] * 3
for delta in (0.0, 0.5, 1.0, 2.0):
    index = bm25s.BM25(method="bm25+", k1=K1, b=B, delta=delta)
    index.index(texts, show_progress=False)
    plus = BM25Plus(texts, k1=K1, b=B, delta=delta)
    scores = (lambda words: by_paper(words, delta), index.get_scores, plus.get_scores)
    rows = [measure(score, orders) for score, orders in zip(scores, before)]
    before = [orders or now for orders, (_, _, now) in zip(before, rows)]
    seen[delta] = np.array([row[:2] for row in rows]).T
    parts = ["".join(f"{x:{width}.2f}" for x, width in zip(values, (13, 9, 12))) for values in seen[delta]]
    print(f"{delta:5.1f}" + "          ".join(parts))
print("bm25s 0.3.16, rank_bm25 0.2.2, numpy", np.__version__)
print("expected: BM25+ of Lv and Zhai (2011), a sum over the words that a text and the query share, in which a word's")
print("presence is worth delta at least, however long the text is")
print("cause: both sum over the words of the query. A text without a word gets weight * delta for it too, and what")
print("every text gets leaves the order as it is; bm25s subtracts it from the scores it stores and adds it in the end")
print("why it matters: delta, 0.5 or 1 by default, is what BM25+ is for. Over texts of unequal length it is plain BM25")
print("with another weight of the words, and a comparison with it, or of its deltas, tells nothing of BM25+")
gone = all((values[:, 1:] == 0).all() for values in seen.values())
sys.exit(0 if gone and all(values[0, 0] > 0.9 < values[1, 0] for delta, values in seen.items() if delta) else 1)
PYTHON
