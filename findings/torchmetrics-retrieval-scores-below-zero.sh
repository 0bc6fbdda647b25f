#!/usr/bin/env bash
# torchmetrics' retrieval metrics count a relevant document whose score is not above 0 as irrelevant, four of eight of
# them: one ranking has a MAP of 0.23 by its cosines plus 1, of 0.25 by its cosines and of 0.00 by negative distances.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "torch==2.13.0" "torchmetrics==1.9.0" "scikit-learn==1.9.1" "numpy==2.4.6" || \
    ! "$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
    --target "$folder/before" "torchmetrics==1.7.3"; then
    echo "could not be tried: torchmetrics or PyTorch were not installed" >&2
    exit 2
fi

cat > "$folder/scores.py" <<'PYTHON'
import json

import torch
import torchmetrics
from torchmetrics import retrieval

QUERIES, ROWS, GROUPS, COLUMNS = 200, 400, 8, 32
random = torch.Generator().manual_seed(0)
centers = torch.randn(GROUPS, COLUMNS, generator=random)


def unit(labels):
    rows = centers[labels] + 3.0 * torch.randn(len(labels), COLUMNS, generator=random)
    return torch.nn.functional.normalize(rows, dim=1)


labels, asked = torch.arange(ROWS) % GROUPS, torch.arange(QUERIES) % GROUPS
rows, queries = unit(labels), unit(asked)
cosines = (queries @ rows.T).double()
scores = {
    "cosine": cosines,
    "cosine plus 1": cosines + 1,
    "cosine less 1": cosines - 1,
    "less distance": -(2 - 2 * cosines).sqrt(),
}
relevant = asked[:, None] == labels
metrics = {
    "MAP": retrieval.RetrievalMAP(),
    "MRR": retrieval.RetrievalMRR(),
    "P@10": retrieval.RetrievalPrecision(top_k=10),
    "R@250": retrieval.RetrievalRecall(top_k=250),
    "R-prec": retrieval.RetrievalRPrecision(),
    "hit@1": retrieval.RetrievalHitRate(top_k=1),
    "nDCG": retrieval.RetrievalNormalizedDCG(),
    "AUROC": retrieval.RetrievalAUROC(),
}
index = torch.arange(QUERIES)[:, None].expand(-1, ROWS)
found = {}
for kind, values in scores.items():
    found[kind] = {name: float(metric(values, relevant, indexes=index)) for name, metric in metrics.items()}
torch.save((cosines, relevant), "pairs.pt")
print(json.dumps([torchmetrics.__version__, found]))
PYTHON

cd "$folder"
export OMP_NUM_THREADS=1
PYTHONPATH="$folder/before" "$folder/venv/bin/python" -W ignore scores.py > before.json
"$folder/venv/bin/python" -W ignore scores.py > now.json
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import json
import sys

import numpy as np
import torch
from sklearn.metrics import average_precision_score

cosines, relevant = (pairs.numpy() for pairs in torch.load("pairs.pt"))
by_sklearn = np.mean([average_precision_score(*query) for query in zip(relevant, cosines)])
order = np.take_along_axis(relevant, np.argsort(-cosines, axis=1), axis=1)
by_hand = {"MAP": by_sklearn, "MRR": (1 / (1 + order.argmax(1))).mean(), "P@10": order[:, :10].mean()}
by_hand["R@250"] = (order[:, :250].sum(1) / relevant.sum(1)).mean()
(old, before), (new, now) = (json.load(open(name)) for name in ("before.json", "now.json"))
print(f"{len(relevant)} queries over {relevant.shape[1]} rows, all scores in the same order")
print(f"{(cosines[relevant] <= 0).mean():.0%} of the relevant ones have a cosine below 0")
print("score                      " + "".join(f"{name:>8}" for name in now["cosine"]))
for release, found in ((old, before), (new, now)):
    for kind, values in found.items():
        print(f"{kind:16}{release:11}" + "".join(f"{value:8.2f}" for value in values.values()))
print("by scikit-learn or by hand " + "".join(f"{value:8.2f}" for value in by_hand.values()))
print("torch", torch.__version__.split("+")[0], "- numpy", np.__version__)
print("expected: metrics of a ranking, which is the same for all four; the documentation asks for a float tensor")
print("cause: since 1.7.4 MAP, MRR, precision and recall take each document whose score is not above 0 for irrelevant,")
print("so that a tensor of zeros is no prediction; the others do not")
print("why it matters: embeddings are ranked by cosines, by negative distances or by logits. What is below 0 is lost:")
print("precision and recall fall, and MAP rises, since it is the mean over the relevant ones that are left")
same = all(abs(values[name] - by_hand[name]) < 1e-4 for values in before.values() for name in by_hand)
same = same and all(abs(now["cosine plus 1"][name] - by_hand[name]) < 1e-4 for name in by_hand)
same = same and all(now["less distance"][name] == 0 == now["cosine less 1"][name] for name in by_hand)
same = same and now["cosine"]["MAP"] > by_hand["MAP"] + 0.01
sys.exit(0 if same and now["cosine"]["R@250"] < by_hand["R@250"] - 0.05 else 1)
PYTHON
