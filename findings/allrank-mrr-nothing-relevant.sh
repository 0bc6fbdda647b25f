#!/usr/bin/env bash
# allRank's MRR gives a list without a relevant document 1.00 as soon as another list of the batch has one: of lists by
# chance, half of them without, it is 0.64 in place of 0.14, and the less there is to find the larger it is. Where
# documents are more or less relevant it tells the rank of the most relevant one in place of the first.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "torch==2.13.0" "numpy==2.2.6" "scikit-learn==1.7.2" "scipy==1.15.3" "attrs==25.4.0" \
    "setuptools==80.9.0" || ! "$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
    "allRank==1.4.3"; then
    echo "could not be tried: torch or allRank were not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys
from unittest import mock

import torch

# What reads files from images and from a cloud is not needed here.
sys.modules.update({name: mock.MagicMock() for name in ("torchvision", "torchvision.transforms", "gcsfs")})
from allrank.models.metrics import mrr  # noqa: E402

LISTS, DOCUMENTS, RELEVANT = 2000, 20, 2
generator = torch.Generator().manual_seed(0)


def by_hand(scores, relevance):
    """The inverse rank of the first document of each list that is relevant at all, 0 where none is."""
    found = []
    for row, truth in zip(scores, relevance):
        ranked = truth[row.argsort(descending=True)] > 0
        found.append(1 / (1 + ranked.float().argmax().item()) if ranked.any() else 0.0)
    return torch.tensor(found)


def draw(share, grades=1):
    """Lists of two relevant documents each, and of none for a share of them."""
    relevance = torch.zeros(LISTS, DOCUMENTS)
    for row in range(LISTS):
        chosen = torch.randperm(DOCUMENTS, generator=generator)[:RELEVANT]
        relevance[row, chosen] = torch.randint(1, grades + 1, (RELEVANT,), generator=generator).float()
    relevance[: round(share * LISTS)] = 0
    return relevance


print(f"MRR of {LISTS} lists of {DOCUMENTS} documents, {RELEVANT} of them relevant but for a share of the lists")
print("                   by chance                              by a model                             the same at 1")
print("lists without      here   one at a time   by hand         here   one at a time   by hand         here   by hand")
seen = {}
for share in (0.0, 0.25, 0.5, 0.75, 0.95, 1.0):
    relevance = draw(share)
    chance = torch.randn(relevance.shape, generator=generator)
    line = []
    for scores in (chance, chance + 2 * relevance):
        alone = torch.cat([mrr(scores[row : row + 1], relevance[row : row + 1]) for row in range(LISTS)])
        line += [mrr(scores, relevance).mean().item(), alone.mean().item(), by_hand(scores, relevance).mean().item()]
    hand = by_hand(scores, relevance)
    line += [mrr(scores, relevance, ats=[1]).mean().item(), (hand == 1).float().mean().item()]
    seen[share] = line
    widths = (10, 16, 10, 13, 16, 10, 13, 10)
    print(f"{share:13.2f}" + "".join(f"{value:{width}.2f}" for value, width in zip(line, widths)))
print("\nthe same where a relevant document has a grade of 1 to 4, no list without")
graded = draw(0, 4)
scores = torch.randn(graded.shape, generator=generator)
best = torch.zeros(LISTS)
for row in range(LISTS):
    best[row] = 1 / (1 + graded[row][scores[row].argsort(descending=True)].argmax())
seen["graded"] = [mrr(scores, graded).mean().item(), by_hand(scores, graded).mean().item(), best.mean().item()]
print("by chance: here {:.2f}, by hand {:.2f}, the rank of the first of the best grade {:.2f}".format(*seen["graded"]))
print("allRank 1.4.3, torch", torch.__version__)
print("expected: the mean inverse rank of the first relevant document, and 0 for a list without, as it gives by itself")
print("cause: the rank is that of the largest label, the first one where all are 0, and what is to be set to 0 is told")
print("by the sum of the labels of the whole batch, not of the list")
print("why it matters: sets for ranking have lists in which nothing was clicked. They count as found at once, and")
print("whether they do changes with the size of the batch")
right = all(abs(line[1] - line[2]) < 1e-6 and abs(line[4] - line[5]) < 1e-6
            for share, line in seen.items() if share != "graded")
wrong = all(abs(seen[share][0] - seen[share][2] - share) < 0.01 for share in (0.0, 0.25, 0.5, 0.75, 0.95))
wrong &= abs(seen["graded"][0] - seen["graded"][2]) < 1e-6 < seen["graded"][1] - seen["graded"][0]
sys.exit(0 if right and wrong and seen[1.0][0] == 0 else 1)
PYTHON
