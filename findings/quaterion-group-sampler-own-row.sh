#!/usr/bin/env bash
# Quaterion's GroupSampler, by which its Evaluator measures a model, puts another row than the query itself out of the
# way: each text finds itself first and as a mistake, and a model without an error has an R-precision of 0.75.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# Quaterion says to be for Python up to 3.10; what is used here is of Python and PyTorch alone, and --no-deps leaves
# out what trains models.
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "torch==2.13.0" "numpy==2.4.6" "tqdm==4.70.1" "mmh3==5.3.1" "loguru==0.7.3" || \
    ! "$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
    --ignore-requires-python "quaterion==0.1.35" "quaterion-models==0.1.19"; then
    echo "could not be tried: quaterion or PyTorch were not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import random
import sys
import types
from importlib.metadata import distribution

import torch
from torch.utils.data import dataloader, dataset

# A type's name that newer releases of PyTorch begin with an underscore, and the package without its __init__.
dataloader.T_co, dataset.T_co = dataloader._T_co, dataset._T_co
sys.modules["quaterion"] = types.ModuleType("quaterion")
sys.modules["quaterion"].__path__ = [str(distribution("quaterion").locate_file("quaterion"))]

from quaterion.dataset.similarity_samples import SimilarityGroupSample
from quaterion.eval.evaluator import Evaluator
from quaterion.eval.group import RetrievalRPrecision
from quaterion.eval.samplers.group_sampler import GroupSampler
from quaterion_models import SimilarityModel
from quaterion_models.encoders import Encoder
from quaterion_models.heads import EmptyHead

GROUPS, COLUMNS = 20, 16


class Rows(Encoder):
    """Rows as they are."""

    trainable, embedding_size = False, COLUMNS

    def forward(self, batch):
        return batch


def by_hand(rows, groups):
    """Of each row's nearest others, as many as its group has, the share that is of the group."""
    rows = torch.nn.functional.normalize(rows)
    others = (rows @ rows.T).fill_diagonal_(-2).argsort(1, descending=True)
    size = len(rows) // GROUPS - 1
    return float((groups[others[:, :size]] == groups[:, None]).double().mean())


random.seed(0)
torch.manual_seed(0)
means = torch.randn(GROUPS, COLUMNS)
model = SimilarityModel(Rows(), EmptyHead(COLUMNS))
print(f"R-precision of {GROUPS} groups of rows: by hand, by the metric itself, and by the Evaluator with all rows and")
print("with a sample of 40")
print("rows of a group   spread   by hand   the metric   all rows   40 of them")
seen = []
for size in (2, 5, 20):
    for spread in (0.0, 0.3, 0.8):
        groups = torch.arange(GROUPS * size) % GROUPS
        rows = means[groups] + spread * torch.randn(len(groups), COLUMNS) + 1e-3 * torch.randn(len(groups), COLUMNS)
        samples = [SimilarityGroupSample(obj=row, group=int(group)) for row, group in zip(rows, groups)]
        metric = RetrievalRPrecision()
        metric.update(rows, groups)
        values = [by_hand(rows, groups), float(metric.evaluate())]
        for count in (-1, 40):
            evaluator = Evaluator(RetrievalRPrecision(), GroupSampler(sample_size=count, log_progress=False))
            values.append(float(evaluator.evaluate(samples, model)["RetrievalRPrecision"]))
        seen.append((size, spread, *values))
        print(f"{size:15}{spread:9.1f}{values[0]:10.2f}{values[1]:13.2f}{values[2]:11.2f}{values[3]:13.2f}")
print("quaterion 0.1.35, quaterion-models 0.1.19, torch", torch.__version__.split("+")[0])
print("expected: 'the ratio r/R' of the relevant documents among the R that are nearest, the query not being one of")
print("them, as the metric by itself has it")
print("cause: the sampler draws the queries in a random order, also where it takes all, and then leaves out row 0 for")
print("the first of them, row 1 for the second and so on")
print("why it matters: of a group of n the best that a model can have is (n - 2) / (n - 1), 0 for pairs: groups of")
print("another size look like another model, and a change for the better shows by a fraction")
same = all(abs(hand - metric) < 1e-6 and whole < hand for _, _, hand, metric, whole, _ in seen)
best = {size: (whole, part) for size, spread, _, _, whole, part in seen if spread == 0}
sys.exit(0 if same and all(abs(x - (n - 2) / (n - 1)) < (0.2 if n == 2 else 0.03) for n in best for x in best[n]) else 1)
PYTHON
