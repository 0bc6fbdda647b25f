#!/usr/bin/env bash
# Torch Uncertainty's VariationRatio takes a batch's rows for the members of an ensemble, and the members for
# rows: an ensemble that agrees about every row has 0.90 in place of 0, one that never does 0 in place of 0.75.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# The metric's own file needs PyTorch and torchmetrics alone; the package would ask for torchvision and Lightning.
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check --no-deps "torch-uncertainty==0.13.0" || ! "$folder/venv/bin/python" -m pip \
    install --quiet --disable-pip-version-check "torch==2.13.0" "torchmetrics==1.9.0" "numpy==2.4.6"; then
    echo "could not be tried: torch-uncertainty or PyTorch were not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import importlib.util
import logging
import sys
from importlib.metadata import distribution

import torch

logging.disable()
CLASSIFICATION = distribution("torch_uncertainty").locate_file("torch_uncertainty/metrics/classification")


def metric(file, name):
    spec = importlib.util.spec_from_file_location(file, CLASSIFICATION / f"{file}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, name)


VariationRatio, Disagreement = metric("variation_ratio", "VariationRatio"), metric("disagreement", "Disagreement")
ROWS, MEMBERS, CLASSES, BATCH = 1000, 4, 10, 250


def probabilities(labels):
    """Of each row and member nine tenths for a class."""
    return torch.full((*labels.shape, CLASSES), 0.1 / 9).scatter(-1, labels[..., None], 0.9)


def by_hand(probs, votes):
    """Of each row the share that is not for the class which the members are for together."""
    together = probs.mean(1).argmax(-1)
    if votes:
        return 1 - (probs.argmax(-1) == together[:, None]).double().mean(1)
    return 1 - probs.mean(1).gather(1, together[:, None]).squeeze(1)


def seen(probs, votes, reduction="mean"):
    ratio = VariationRatio(probabilistic=not votes, reduction=reduction)
    for batch in probs.split(BATCH):
        ratio.update(batch)
    return ratio.compute()


torch.manual_seed(0)
same = True
print(f"{ROWS} rows in batches of {BATCH}, {MEMBERS} members, {CLASSES} classes, as (rows, members, classes)")
print("                                  of votes                        of probabilities")
print("ensemble                          expected    seen  by the cause  expected    seen  by the cause  Disagreement")
for name, labels in (
    ("all right, of every class", (torch.arange(ROWS) % CLASSES)[:, None].expand(-1, MEMBERS)),
    ("each says a class of its own", torch.arange(MEMBERS).expand(ROWS, -1)),
    ("votes drawn anew", torch.randint(CLASSES, (ROWS, MEMBERS))),
):
    probs = probabilities(labels)
    swapped = torch.cat([batch.transpose(0, 1) for batch in probs.split(BATCH)])
    line = ""
    for votes in (True, False):
        wanted, found = float(by_hand(probs, votes).mean()), float(seen(probs, votes))
        told = float(by_hand(swapped, votes).mean())
        line += f"{wanted:8.3f}{found:8.3f}{told:14.3f}  "
        same = same and abs(found - told) < 1e-5 and abs(found - wanted) > 0.05
    other = Disagreement()
    other.update(probs)
    print(f"{name:34}{line}{float(other.compute()):12.3f}")
each = seen(probs, votes=True, reduction="none")
print(f"'none': Returns score per sample - {len(each)} scores for {ROWS} rows")
print("torch-uncertainty 0.13.0, PyTorch", torch.__version__)
print("expected: B is 'the batch size' and N 'the number of estimators' of (B, N, C), as in its other metrics")
print("cause: update turns the first two axes around, and compute averages over the second: over the rows by then")
print("why it matters: it says how the classes are spread over a batch, whatever the ensemble thinks of them.")
print("Rows to label or to refuse are not told from others by it, and another batch size gives another value")
sys.exit(0 if same and len(each) == MEMBERS * ROWS // BATCH else 1)
PYTHON
