#!/usr/bin/env bash
# rank_bm25's BM25L multiplies by a word's count once more, so that it grows with it without end: the text with all words
# of a query is first for no query where others repeat one of the words four times, by the paper for all.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "rank-bm25==0.2.2" "numpy==2.4.6"; then
    echo "could not be tried: rank_bm25 was not installed" >&2
    exit 2
fi

"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import numpy as np
from rank_bm25 import BM25L, BM25Okapi

TEXTS, QUERIES, VOCABULARY, LENGTH, WORDS, OTHERS = 1000, 100, 5000, 60, 3, 2
K1, B, DELTA = 1.5, 0.75, 0.5
rng = np.random.default_rng(0)


def by_paper(texts, query):
    """BM25L of Lv and Zhai (2011): idf * (k1 + 1) * (c + delta) / (k1 + c + delta), where c is the count by length."""
    lengths = np.array([len(text) for text in texts])
    scores = np.zeros(len(texts))
    for word in query:
        counts = np.array([text.count(word) for text in texts])
        idf = np.log((len(texts) + 1) / ((counts > 0).sum() + 0.5))
        by_length = counts / (1 - B + B * lengths / lengths.mean())
        worth = idf * (K1 + 1) * (by_length + DELTA) / (K1 + by_length + DELTA)
        scores += np.where(counts > 0, worth, 0)
    return scores


def draw(repeats):
    """Texts of words by Zipf's law, and for each query one text with all its words and some that repeat one of them."""
    chance = 1 / np.arange(1, VOCABULARY + 1)
    texts = [list(rng.choice(VOCABULARY, size=LENGTH, p=chance / chance.sum())) for _ in range(TEXTS)]
    places = rng.permutation(TEXTS)[: QUERIES * (1 + OTHERS)].reshape(QUERIES, -1)
    queries = [list(rng.choice(np.arange(500, VOCABULARY), size=WORDS, replace=False)) for _ in range(QUERIES)]
    for query, (right, *others) in zip(queries, places):
        texts[right][:WORDS] = query
        for other in others:
            texts[other][:repeats] = [query[0]] * repeats
    return texts, queries, places[:, 0]


print(f"a text with all {WORDS} words of a query and {OTHERS} texts that repeat one of them, of {LENGTH} words each;")
print(f"how often the first text is first, of {QUERIES} queries, and a word's worth next to that of a single one")
print("             first by                              worth by")
print("repeated    BM25L     paper     BM25Okapi          BM25L     paper     BM25Okapi")
seen = {}
for repeats in (1, 2, 4, 10, 20):
    texts, queries, right = draw(repeats)
    ways = [BM25L(texts).get_scores, lambda query: by_paper(texts, query), BM25Okapi(texts).get_scores]
    first = [np.mean([way(query).argmax() == row for query, row in zip(queries, right)]) for way in ways]
    # One word that no other text has, alone and repeated, in texts of one length.
    plain = [[word] * count + ["filler"] * (LENGTH - count) for word, count in (("a", 1), ("b", repeats))]
    plain += [["filler"] * LENGTH for _ in range(8)]
    ways = [BM25L(plain).get_scores, lambda query: by_paper(plain, query), BM25Okapi(plain).get_scores]
    seen[repeats] = (*first, *(way(["b"]).max() / way(["a"]).max() for way in ways))
    print(f"{repeats:5}" + "".join(f"{value:{width}.2f}" for value, width in zip(seen[repeats], (13, 10, 11, 20, 10, 11))))
print("rank_bm25 0.2.2, numpy", np.__version__)
print("expected: by Trotman and others (2014), whom it cites, BM25L is idf (k1 + 1) (c + delta) / (k1 + c + delta) with c")
print("the count by the text's length: no more than k1 + 1 times the idf, however often a word is there")
print("cause: all of it is multiplied by the count, which c has in it already")
print("why it matters: that the tenth time a word is there hardly counts is what makes BM25 out of sums of counts. With")
print("this one a text that says a word over and over is before one that is about all of them")
ends = seen[10]
sys.exit(0 if ends[0] < 0.3 and ends[1] > 0.9 and ends[3] > 8 and ends[4] < 3 else 1)
PYTHON
