#!/usr/bin/env bash
# sentence-transformers' batch-hard losses train on anchors that have no positive, and its semi-hard
# loss on a batch that has no negative.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "sentence-transformers==6.2.0" "transformers==5.24.0" \
    "torch==2.13.0" "pytorch-metric-learning==2.9.0" "numpy==2.4.6"; then
    echo "could not be tried: sentence-transformers or PyTorch were not installed" >&2
    exit 2
fi

"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import torch
from pytorch_metric_learning.losses import TripletMarginLoss
from pytorch_metric_learning.miners import BatchHardMiner
from sentence_transformers import __version__
from sentence_transformers.sentence_transformer.losses import (
    BatchAllTripletLoss,
    BatchHardSoftMarginTripletLoss,
    BatchHardTripletLoss,
    BatchSemiHardTripletLoss,
)

rows = torch.nn.functional.normalize(torch.randn(6, 16, generator=torch.manual_seed(0)), dim=1)


def steepest(loss, labels):
    """The loss of a batch, and the largest length of a row's gradient."""
    x = rows.clone().requires_grad_()
    value = loss(torch.tensor(labels), x)
    value.backward()
    return value.item(), float(x.grad.norm(dim=1).max())


def peer(labels, x):
    """The same by pytorch-metric-learning."""
    return TripletMarginLoss(margin=5.0)(x, labels, BatchHardMiner()(x, labels))


losses = {
    "BatchHardTripletLoss": BatchHardTripletLoss(None).batch_hard_triplet_loss,
    "BatchHardSoftMarginTripletLoss": BatchHardSoftMarginTripletLoss(
        None
    ).batch_hard_triplet_soft_margin_loss,
    "BatchSemiHardTripletLoss": BatchSemiHardTripletLoss(None).batch_semi_hard_triplet_loss,
    "BatchAllTripletLoss": BatchAllTripletLoss(None).batch_all_triplet_loss,
    "pytorch-metric-learning": peer,
}
batches = {"six classes of one row": [0, 1, 2, 3, 4, 5], "one class of six rows": [0] * 6}
found = {}
for batch, labels in batches.items():
    print(f"{batch}, so no triplet:")
    for name, loss in losses.items():
        found[batch, name] = steepest(loss, labels)
        print(f"  {name:31} loss {found[batch, name][0]:.3f}, gradient {found[batch, name][1]:.3f}")

# Among rows of which some have a positive, those without one are counted as well.
labels = [0, 0, 1, 2, 3, 4]
x = rows.clone().requires_grad_()
losses["BatchHardTripletLoss"](torch.tensor(labels), x).backward()
distances = torch.cdist(rows, rows)
own = 5.0 + distances[0, 1] - distances[:2, 2:].min(dim=1).values
mean = float(own.mean())
given = steepest(losses["BatchHardTripletLoss"], labels)[0]
theirs = steepest(peer, labels)[0]
print("two rows of a class and four alone: the mean over the two anchors that have a positive is")
print(f"  {mean:.4f}; pytorch-metric-learning {theirs:.4f}, BatchHardTripletLoss {given:.4f}")
print("sentence-transformers", __version__, "torch", torch.__version__)
print("expected: an anchor without a positive, or without a negative, is in no triplet, and adds nothing")
print("why it matters: where classes are rare, as intents are, most rows of a random batch stand")
print("alone unless a sampler groups labels, which is recommended and not demanded; each is its own")
print("positive there, at distance 0, and is pushed from its nearest neighbour. Nothing tells of it")
alone, one = batches
same = found[alone, "BatchHardTripletLoss"][1] > 0.01
same = same and found[alone, "BatchHardSoftMarginTripletLoss"][1] > 0.01
same = same and found[one, "BatchSemiHardTripletLoss"][1] > 0.01
same = same and all(found[b, n][1] == 0.0 for b in batches for n in losses if n[:8] in ("BatchAll", "pytorch-"))
same = same and abs(theirs - mean) < 1e-4 and abs(given - mean) > 0.01
sys.exit(0 if same else 1)
PYTHON
