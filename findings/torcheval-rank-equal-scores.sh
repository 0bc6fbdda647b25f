#!/usr/bin/env bash
# torcheval's hit rate and reciprocal rank put the right candidate before all that have the same score: a model whose
# embeddings are all alike has 1.00 of both, and one that comes near it an MRR in bfloat16 of 0.65 in place of 0.06.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "torcheval==0.0.7" "torch==2.13.0" "scikit-learn==1.9.1" "numpy==2.4.6"; then
    echo "could not be tried: torcheval or PyTorch were not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import torch
from sklearn.metrics import label_ranking_average_precision_score
from torcheval.metrics import HitRate, ReciprocalRank

QUERIES, ROWS, COLUMNS, FIRST = 500, 1000, 64, 10
random = torch.Generator().manual_seed(0)
unit = torch.nn.functional.normalize
texts = unit(torch.randn(ROWS, COLUMNS, generator=random), dim=1)
right = torch.randint(ROWS, (QUERIES,), generator=random)
asked = unit(texts[right] + 0.35 * torch.randn(QUERIES, COLUMNS, generator=random), dim=1)
common = unit(torch.randn(COLUMNS, generator=random), dim=0)


def scores(share, dtype):
    """Cosines of the same texts, of which all but a share is common to them."""
    rows, queries = (unit(share * x + (1 - share) * common, dim=1).to(dtype) for x in (texts, asked))
    return (queries @ rows.T).float()


def by_chance(cosines):
    """Both where candidates of the same score come in an order drawn at random."""
    own = cosines.gather(1, right[:, None])
    above, alike = (cosines > own).sum(1), (cosines == own).sum(1)
    sums = torch.cat([torch.zeros(1), (1 / torch.arange(1.0, ROWS + 1)).cumsum(0)])
    hits = ((FIRST - above) / alike).clamp(0, 1)
    ranks = (sums[above + alike] - sums[above]) / alike
    return hits.mean().item(), ranks.mean().item(), alike.double().mean().item()


cases = {
    "as they are, float32": scores(1.0, torch.float32),
    "as they are, bfloat16": scores(1.0, torch.bfloat16),
    "0.05 of their own, float32": scores(0.05, torch.float32),
    "0.05 of their own, bfloat16": scores(0.05, torch.bfloat16),
    "all alike": scores(0.0, torch.float32),
}
print(f"{QUERIES} queries, {ROWS} candidates, one of them right")
print(f"                               same score     hit rate of the first {FIRST}          reciprocal rank")
print("embeddings                     as the right   torcheval   by chance   torcheval   by chance   ties last")
seen = {}
for name, cosines in cases.items():
    values = []
    for metric in (HitRate(k=FIRST), ReciprocalRank()):
        values.append(float(metric.update(cosines, right).compute().mean()))
    hits, ranks, alike = by_chance(cosines)
    last = label_ranking_average_precision_score(torch.nn.functional.one_hot(right, ROWS), cosines)
    seen[name] = values[0], hits, values[1], ranks
    print(f"{name:27}{alike:16.1f}" + "".join(f"{value:12.2f}" for value in (values[0], hits, values[1], ranks, last)))
print("torcheval 0.0.7, torch", torch.__version__.split("+")[0], "- ties last by scikit-learn")
print("expected: what chance gives where candidates are not told apart, or that the others come first, as they do in")
print("scikit-learn's ranking")
print("cause: the rank is the number of scores that are greater than the right one's")
print("why it matters: embeddings that have become alike are the failure that these are watched for, and in half")
print("precision cosines near 1 are the same number. The metric rises to its best as the model loses all it knew")
exact, half, none = seen["0.05 of their own, float32"], seen["0.05 of their own, bfloat16"], seen["all alike"]
same = all(abs(seen["as they are, float32"][i] - seen["as they are, float32"][i + 1]) < 1e-3 for i in (0, 2))
same = same and none[0] == none[2] == 1 and none[3] < 0.02 and abs(exact[2] - exact[3]) < 0.01
sys.exit(0 if same and half[2] > 0.5 and half[3] < 0.1 else 1)
PYTHON
