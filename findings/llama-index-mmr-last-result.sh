#!/usr/bin/env bash
# LlamaIndex' maximal marginal relevance compares a text with the result before it alone, not with all of them: what it
# has found comes back after the next one, and ten results are of three groups of like texts where there are ten.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "llama-index-core==0.14.25" "langchain-core==1.8.3" "numpy==2.4.6"; then
    echo "could not be tried: llama-index-core or langchain-core were not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import numpy as np
from langchain_core.vectorstores.utils import maximal_marginal_relevance
from llama_index.core.indices.query.embedding_utils import get_top_k_mmr_embeddings

GROUPS, SIZE, COLUMNS, ASKED, QUERIES = 10, 10, 64, 10, 20
rng = np.random.default_rng(0)


def unit(rows):
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def by_hand(query, rows, share):
    """The text with the largest share * cosine - (1 - share) * largest cosine with what is found, over and over."""
    found, near = [], rows @ query
    for _ in range(ASKED):
        known = (rows @ rows[found].T).max(1) if found else 0
        scores = share * near - (1 - share) * known
        scores[found] = -np.inf
        found.append(int(scores.argmax()))
    return found


def groups(found):
    return len({i // SIZE for i in found})


def alike(rows, found):
    """The largest cosine of each result with one before it, on average."""
    cosines = np.tril(rows[found] @ rows[found].T, -1) - np.triu(np.ones((len(found), len(found))))
    return cosines[1:].max(1).mean()


print(f"{GROUPS} groups of {SIZE} texts nearly alike, of which {ASKED} are asked for; mean of {QUERIES} queries")
print("share of     groups among the results                  largest cosine with an earlier result")
print("relevance    LlamaIndex   by hand   LangChain          LlamaIndex   by hand   LangChain")
seen = {}
for share in (0.3, 0.5, 0.7, 1.0):
    results = []
    for _ in range(QUERIES):
        query = unit(rng.normal(size=COLUMNS))
        middles = unit(query + 1.5 * unit(rng.normal(size=(GROUPS, COLUMNS))))
        rows = unit(np.repeat(middles, SIZE, axis=0) + 0.2 * unit(rng.normal(size=(GROUPS * SIZE, COLUMNS))))
        theirs = get_top_k_mmr_embeddings(
            query.tolist(), rows.tolist(), similarity_top_k=ASKED, mmr_threshold=share
        )[1]
        hand = by_hand(query, rows, share)
        other = maximal_marginal_relevance(query, list(rows), lambda_mult=share, k=ASKED)
        results.append([(groups(found), alike(rows, found)) for found in (theirs, hand, [int(i) for i in other])])
    seen[share] = np.mean(results, axis=0)
    counts, cosines = seen[share].T
    columns = "".join(f"{values[0]:14.2f}{values[1]:10.2f}{values[2]:12.2f}      " for values in (counts, cosines))
    print(f"{share:9.1f}{columns}".rstrip())
print("llama-index-core 0.14.25, langchain-core 1.8.3, numpy", np.__version__)
print("expected: less weight for what is like any of the results so far, as in the paper of Carbonell and Goldstein")
print("(1998) and as documented: 'discount by their similarity to previous results'")
print("cause: the similarity that is subtracted is the one with the result that was found last")
print("why it matters: a few groups of copies take turns, and what else there is to tell is not found. With a share of")
print("relevance of 0.5, its default, that is little more than the nearest texts by themselves have")
even = seen[0.5]
same = np.allclose(seen[1.0][0], seen[1.0][1]) and np.allclose(even[1], even[2])
sys.exit(0 if same and even[0, 0] < 4 and even[1, 0] > 8 else 1)
PYTHON
