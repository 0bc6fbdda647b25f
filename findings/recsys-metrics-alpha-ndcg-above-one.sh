#!/usr/bin/env bash
# recsys_metrics' alpha_normalized_dcg divides by the gain of documents with the most topics, though they repeat each
# other: where most are of one topic, orders drawn by chance have 1.02 and the best ones 1.70, not 0.60 and 1.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "torch==2.13.0" "numpy==2.4.6" || ! "$folder/venv/bin/python" -m pip install \
    --quiet --disable-pip-version-check --no-deps "recsys-metrics==0.0.4"; then
    echo "could not be tried: PyTorch or recsys-metrics were not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import torch
from recsys_metrics import alpha_normalized_dcg

QUERIES, DOCUMENTS, TOPICS, ALPHA, FIRST = 200, 50, 5, 0.5, 10
random = torch.Generator().manual_seed(0)


def gain(topics):
    """Of documents in their order: each topic counts (1 - alpha) to the power of how often it came before."""
    before = topics.cumsum(0) - topics
    discount = torch.arange(2, len(topics) + 2).log2()
    return float(((topics * (1 - ALPHA) ** before).sum(1) / discount).sum())


def greedy(topics):
    """The order that is taken for the ideal one: next is the document that adds the most."""
    order, seen, rest = [], torch.zeros(TOPICS), set(range(len(topics)))
    while len(order) < FIRST:
        order.append(max(rest, key=lambda i: float((topics[i] * (1 - ALPHA) ** seen).sum())))
        seen += topics[order[-1]]
        rest.remove(order[-1])
    return order


def measure(topics, order):
    """By the paper and by the library, of the scores that rank the documents in that order."""
    scores = torch.zeros(len(topics))
    scores[order] = torch.arange(len(order), 0, -1).float()
    library = alpha_normalized_dcg(scores[None], topics[None], alpha=ALPHA, k=FIRST)
    return gain(topics[order[:FIRST]]) / gain(topics[greedy(topics)]), float(library)


def draw(share):
    """Documents of one topic, of which so many have the same one."""
    topics = torch.randint(TOPICS, (DOCUMENTS,), generator=random)
    topics[: round(share * DOCUMENTS)] = 0
    return torch.eye(TOPICS)[topics[torch.randperm(DOCUMENTS, generator=random)]]


print(f"{DOCUMENTS} documents, each of one of {TOPICS} topics; alpha {ALPHA}, first {FIRST}, mean of {QUERIES} queries")
print("documents of        the best order            any order          largest of")
print("one topic          paper   library         paper   library        all queries")
seen = {}
for share in (0.2, 0.5, 0.8, 0.9):
    rows = []
    for _ in range(QUERIES):
        topics = draw(share)
        orders = greedy(topics), torch.randperm(DOCUMENTS, generator=random)[:FIRST].tolist()
        rows.append([measure(topics, order) for order in orders])
    values = torch.tensor(rows)
    seen[share] = [*values.mean(0).flatten().tolist(), float(values[:, 0, 1].max())]
    print(f"{share:9.1f}" + "".join(f"{value:{width}.2f}" for value, width in zip(seen[share], (15, 10, 14, 10, 18))))
print("recsys_metrics 0.0.4, torch", torch.__version__.split("+")[0])
print("expected: alpha-nDCG of Clarke and others (2008), 1 for the best order and no more, the ideal one of which is")
print("built step by step from what the documents add")
print("cause: the ideal order is that of how many topics a document has. Where that is the same for all, any order is")
print("ideal, with all the repetition that alpha is there to count against")
print("why it matters: it is the measure of a list that tells many different things, and a list that repeats itself")
print("has 1 as well. What a query adds to the mean depends on how bad its yardstick is, up to more than twice the")
print("best that there is")
right = all(abs(values[0] - 1) < 1e-5 for values in seen.values())
sys.exit(0 if right and seen[0.8][1] > 1.15 and seen[0.2][1] < seen[0.8][1] - 0.05 and seen[0.8][4] > 1.25 else 1)
PYTHON
