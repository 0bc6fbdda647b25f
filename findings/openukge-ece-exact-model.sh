#!/usr/bin/env bash
# OpenUKGE's ECE of a model that tells each confidence exactly is 0.51, and 0.34 of one that draws them at random: it
# compares how many predictions lie in the right bin with the mean of what is right in it.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# --no-deps leaves out what loads and trains; the measure is one file of PyTorch.
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "torch==2.13.0" "numpy==2.4.6" || \
    ! "$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps "openukge==1.0.2"; then
    echo "could not be tried: PyTorch or openukge were not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import importlib.util
import sys
from importlib.metadata import distribution

import torch

spec = importlib.util.spec_from_file_location("ece", distribution("openukge").locate_file("openukge/evaluation/ECE.py"))
openukge = importlib.util.module_from_spec(spec)
spec.loader.exec_module(openukge)
TRIPLES, BINS = 5000, 5
random = torch.Generator().manual_seed(0)
right = torch.rand(TRIPLES, generator=random)
triples = torch.arange(TRIPLES)[:, None].repeat(1, 3)


def by_hand(found, truth):
    """Of the predictions in each bin the mean less that of what is right, weighed by how many there are."""
    places = (found * BINS).long().clamp(0, BINS - 1)
    parts = [places == place for place in range(BINS) if (places == place).any()]
    return float(sum(abs((found - truth)[part].sum()) for part in parts)) / len(found)


def noisy(truth, size):
    return (truth + size * torch.randn(TRIPLES, generator=random)).clamp(0, 1)


print(f"{TRIPLES} triples, their confidence drawn between 0 and 1; a model that tells")
print(f"{'':38}mean error   ECE by hand   OpenUKGE")
cases = {
    "each confidence exactly": right,
    "each confidence but for noise of 0.1": noisy(right, 0.1),
    "each confidence but for noise of 0.5": noisy(right, 0.5),
    "confidences at random": torch.rand(TRIPLES, generator=random),
    "1 for all": torch.ones(TRIPLES),
    "0 for all": torch.zeros(TRIPLES),
    "1 minus each confidence": 1 - right,
}
seen = {}
for name, found in cases.items():
    theirs = openukge.ece_t(triples, right, lambda batch: found[batch[:, 0]])
    seen[name] = by_hand(found, right), theirs
    print(f"{name:38}{float((found - right).abs().mean()):10.2f}{seen[name][0]:14.2f}{theirs:11.2f}")
print("openukge 1.0.2, torch", torch.__version__.split("+")[0])
print("expected: the expected calibration error that its list of measures names beside MSE and MAE: 0 for a model that")
print("tells all confidences as they are, the larger the further they are off")
print("cause: the triples are put in bins by what is right, and the share of them that is predicted within the same")
print("bin is compared with the mean confidence there, as if to be right of a confidence of 0.1 should happen one time")
print("in ten")
print("why it matters: a model that is exact is told to be calibrated worse than one that draws its confidences or")
print("tells 1 for all. Of models or epochs that are compared by it those win that tell low confidences wrong")
exact, chance, ones = (seen[name][1] for name in ("each confidence exactly", "confidences at random", "1 for all"))
sys.exit(0 if seen["each confidence exactly"][0] == 0 and exact > 0.45 > 0.4 > max(chance, ones) else 1)
PYTHON
