#!/usr/bin/env bash
# SetFit's ContrastiveDistillationDataset, by which its DistillationTrainer trains a student, gives every pair of texts
# the similarity of the first text to itself: all targets are 1.00, and a student of them has a mean cosine of 0.99
# between texts of different groups in place of 0.08.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "torch==2.13.0" "numpy==2.2.6" "tqdm==4.67.1" ||
    ! "$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps "setfit==1.2.0"; then
    echo "could not be tried: torch or setfit were not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import importlib.util
import sys
import types
from unittest import mock

import numpy as np
import torch
from torch.nn.functional import cosine_similarity, mse_loss

# The package without the models that it loads, which the data set does not need.
package = types.ModuleType("setfit")
package.__path__ = list(importlib.util.find_spec("setfit").submodule_search_locations)
sys.modules.update({"setfit": package, "huggingface_hub": mock.MagicMock(), "huggingface_hub.utils": mock.MagicMock()})
from setfit.sampler import ContrastiveDistillationDataset  # noqa: E402

GROUPS, EACH, NEW, COLUMNS, HIDDEN, EPOCHS = 6, 8, 300, 32, 16, 15
torch.manual_seed(0)
middles, noise = torch.randn(GROUPS, 8), torch.randn(COLUMNS - 8)
mixer = torch.linalg.qr(torch.randn(COLUMNS, COLUMNS))[0]


def draw(count):
    """Rows whose group shows in a fourth of their directions, and what a teacher makes of them: these directions."""
    group = torch.arange(count) % GROUPS
    signal = middles[group] + 0.7 * torch.randn(count, 8)
    return torch.cat([signal, 2.5 * torch.randn(count, COLUMNS - 8)], 1) @ mixer, signal, group


def similarities(rows):
    return cosine_similarity(rows[:, None], rows[None], dim=-1)


def train(pairs):
    """A linear student of pairs (row, row, target), by the squared error of the cosine."""
    torch.manual_seed(0)
    student = torch.nn.Linear(COLUMNS, HIDDEN, bias=False)
    optimizer = torch.optim.Adam(student.parameters(), lr=0.01)
    first, second, target = (torch.tensor(part) for part in zip(*pairs))
    for _ in range(EPOCHS):
        for chosen in torch.randperm(len(target)).split(32):
            optimizer.zero_grad()
            output = student(rows)
            mse_loss(cosine_similarity(output[first[chosen]], output[second[chosen]]), target[chosen]).backward()
            optimizer.step()
    return lambda some, _: student(some).detach()


def told(student):
    """Mean cosine of two groups of trained texts; the error of new cosines and how many find one of their group."""
    apart = similarities(student(rows, teacher))[group[:, None] != group].mean().item()
    cosines = similarities(student(new_rows, new_teacher))
    error = (cosines - similarities(new_teacher)).abs().mean().item()
    near = (cosines - 2 * torch.eye(NEW)).argmax(1)
    return apart, error, (new_group[near] == new_group).float().mean().item()


rows, teacher, group = draw(GROUPS * EACH)
new_rows, new_teacher, new_group = draw(NEW)
texts = [f"text {number}" for number in range(len(rows))]
matrix = similarities(teacher)
data = list(ContrastiveDistillationDataset(texts, matrix))
pairs = [(texts.index(one["sentence_1"]), texts.index(one["sentence_2"]), float(one["label"])) for one in data]
target, true = np.array([pair[2] for pair in pairs]), np.array([matrix[a, b].item() for a, b, _ in pairs])
print(f"{len(pairs)} pairs of {len(texts)} texts: targets from {target.min():.2f} on in place of {true.min():.2f} on")
right_pairs = [(a, b, matrix[a, b].item()) for a, b, _ in pairs]
print("a linear student of these pairs: mean cosine of texts of two groups, and of new texts the mean difference of")
print("cosines from the teacher's and the share whose nearest text is of their group")
students = {"as it starts": lambda a, b: a, "here": train(pairs), "by the right targets": train(right_pairs),
            "the teacher": lambda a, b: b}
results = {name: told(student) for name, student in students.items()}
for name, line in results.items():
    print(f"{name:22}" + "".join(f"{value:8.2f}" for value in line))
print("setfit 1.2.0, torch", torch.__version__)
print("expected: for each pair the teacher's similarity of its two texts")
print("cause: texts are numbered for it only after the pairs were made. Until then each has the label 0, which is")
print("taken for its number, and the similarity of 0 and 0 is read for all")
print("why it matters: distillation is offered to make a small model from unlabelled texts. The loss falls to nothing")
right = results["by the right targets"][1] < 0.5 * results["here"][1]
wrong = np.allclose(target, 1) and true.min() < 0
sys.exit(0 if right and wrong and results["here"][0] > 0.8 else 1)
PYTHON
