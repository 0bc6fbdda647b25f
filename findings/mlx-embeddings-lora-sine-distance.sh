#!/usr/bin/env bash
# mlx-embeddings-lora with similarity="sine" takes the sine of an angle, 0 for rows that are alike, for how alike they
# are: its triplet and InfoNCE losses train rows of one group apart, and 0.04 have a nearest one of their group.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "mlx[cpu]==0.32.4" "numpy==2.2.6" || ! "$folder/venv/bin/python" -m pip install \
    --quiet --disable-pip-version-check --no-deps "mlx-embeddings-lora==2.0.1"; then
    echo "could not be tried: mlx or mlx-embeddings-lora were not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import importlib.util
import sys
import types

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

# This file of the package alone, which has the losses; stand-ins for what it loads language models and texts with.
path = importlib.util.find_spec("mlx_embeddings_lora").submodule_search_locations[0] + "/trainer"
for name in ("mlx_lm", "mlx_lm.tuner", "mlx_lm.tuner.trainer", "tqdm", "trainer", "trainer.dataset"):
    sys.modules[name] = types.ModuleType(name)
sys.modules["mlx_lm.tuner.trainer"].grad_checkpoint = sys.modules["tqdm"].tqdm = None
sys.modules["trainer.dataset"].CacheDataset, sys.modules["trainer"].__path__ = object, [path]
spec = importlib.util.spec_from_file_location("trainer.contrastive", path + "/contrastive_trainer.py")
losses = sys.modules["trainer.contrastive"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(losses)

mx.set_default_device(mx.cpu)
GROUPS, EACH, COLUMNS, BATCH, STEPS = 20, 10, 16, 64, 500
rng = np.random.default_rng(0)
groups = np.repeat(np.arange(GROUPS), EACH)
rows = rng.normal(size=(GROUPS, COLUMNS))[groups] + 0.8 * rng.normal(size=(len(groups), COLUMNS))
rows = mx.array(rows.astype(np.float32))
same = groups[:, None] == groups
batches = []
for _ in range(STEPS):
    anchors = rng.integers(len(groups), size=BATCH)
    others = np.arange(len(groups))
    near = [rng.choice(np.flatnonzero(same[anchor] & (others != anchor))) for anchor in anchors]
    far = [rng.choice(np.flatnonzero(~same[anchor])) for anchor in anchors]
    batches.append([mx.array(np.array(places)) for places in (anchors, near, far)])


def embed(net, places):
    out = net(rows[places])
    return out / mx.linalg.norm(out, axis=1, keepdims=True)


def tell(net):
    """The mean cosine within groups and between them, and how many rows have a nearest one of their group."""
    out = np.array(embed(net, mx.arange(len(groups)))).astype(float)
    cosines = out @ out.T
    np.fill_diagonal(cosines, -2)
    found = np.mean(groups[cosines.argmax(1)] == groups)
    return cosines[same & (cosines > -2)].mean(), cosines[~same].mean(), found


def train(loss):
    mx.random.seed(0)
    net, optimizer = nn.Linear(COLUMNS, 8, bias=False), optim.Adam(1e-2)
    step = nn.value_and_grad(net, lambda net, *batch: loss(*(embed(net, places) for places in batch)).mean())
    for batch in batches:
        optimizer.update(net, step(net, *batch)[1])
        mx.eval(net.parameters())
    return tell(net)


mx.random.seed(0)
print(f"{len(groups)} rows of {GROUPS} groups and {STEPS} steps of {BATCH} triplets: cosines, and nearest rows found")
print("loss         similarity   within   between   nearest of the group")
seen = {"none": tell(nn.Linear(COLUMNS, 8, bias=False))}
print(f"before                  {seen['none'][0]:7.2f}{seen['none'][1]:10.2f}{seen['none'][2]:13.2f}")
for name in ("triplet", "infonce", "mnr"):
    for way in ("cosine", "sine"):
        seen[name, way] = train(losses.map_loss_functoins(name, margin=0.5, temperature=0.07, similarity=way))
        within, between, found = seen[name, way]
        print(f"{name:13}{way:11}{within:7.2f}{between:10.2f}{found:13.2f}")
print("mlx-embeddings-lora 2.0.1, mlx", mx.__version__)
print("expected: that each loss brings the rows of a group together, by either of the two that --similarity has")
print("cause: the sine goes into these losses like the cosine, as if it were larger for what is more alike. The mnr")
print("and gist losses have a minus before it")
print("why it matters: the loss falls as it should, and what has been trained finds less than what it was trained from")
right = all(seen[name, "cosine"][2] > seen["none"][2] + 0.1 for name in ("triplet", "infonce", "mnr"))
wrong = all(seen[name, "sine"][2] < 0.15 and seen[name, "sine"][0] < 0.4 for name in ("triplet", "infonce"))
sys.exit(0 if right and wrong and seen["mnr", "sine"][2] > seen["none"][2] + 0.1 else 1)
PYTHON
