#!/usr/bin/env bash
# BaaL's stochastic heuristics take the score of Margin and Certainty, which is low where a row is uncertain,
# for one that is high there: what they draw to be labelled are rows that the model is sure of.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check --no-deps "baal==2.1.0" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "torch==2.13.0" "torchmetrics==1.9.0" "structlog==22.3.0" "Pillow==13.0.0" \
    "matplotlib==3.11.2" "tqdm==4.70.1" "scikit-learn==1.9.1" "scipy==1.17.1" "numpy==2.4.6"; then
    echo "could not be tried: baal or PyTorch were not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import numpy as np
from baal.active.heuristics import Certainty, Entropy, Margin
from baal.active.heuristics.stochastics import GibbsSampling, PowerSampling, RankBasedSampling
from sklearn.linear_model import LogisticRegression

ROWS, CLASSES, START, ASKED, ROUNDS = 3000, 5, 50, 20, 8
rng = np.random.default_rng(0)
np.random.seed(0)
centres = 1.5 * rng.normal(size=(CLASSES, 8))
labels = rng.integers(CLASSES, size=ROWS)
x = centres[labels] + 1.5 * rng.normal(size=(ROWS, 8))
pool, test = np.arange(2000), np.arange(2000, ROWS)


def taught(choose):
    """The mean place of the rows asked for, the least sure of the pool being 0 and the surest 1, and the share
    of further rows that are right in the end."""
    known, left, places = pool[:START], pool[START:], []
    for _ in range(ROUNDS):
        model = LogisticRegression(max_iter=1000).fit(x[known], labels[known])
        probabilities = model.predict_proba(x[left])
        two = np.sort(probabilities, axis=1)[:, -2:]
        place = np.argsort(np.argsort(two[:, 1] - two[:, 0])) / (len(left) - 1)
        chosen = np.asarray(choose(probabilities))[:ASKED]
        places.append(place[chosen].mean())
        known, left = np.concatenate([known, left[chosen]]), np.delete(left, chosen)
    model = LogisticRegression(max_iter=1000).fit(x[known], labels[known])
    return float(np.mean(places)), float(model.score(x[test], labels[test]))


results = {("", "at random"): taught(lambda p: rng.choice(len(p), ASKED, replace=False))}
for base in (Margin, Certainty, Entropy):
    results[base.__name__, "alone"] = taught(base())
    for kind in (PowerSampling, GibbsSampling, RankBasedSampling):
        # A low temperature draws nearer to the first; by places it is not changed.
        options = {} if kind is RankBasedSampling else {"temperature": 0.2}
        sample = kind(base(), query_size=ASKED, **options)
        results[base.__name__, kind.__name__] = taught(lambda p, sample=sample: sample.get_ranks(p)[0])
print(f"{ROUNDS} rounds of {ASKED} rows to label of a pool of {len(pool)}; place 0 is the least sure row, 1 the surest")
print("heuristic                        mean place   right in the end")
for (base, kind), (place, right) in results.items():
    print(f"{base:10}{kind:20}{place:13.3f}{right:19.3f}")
print("baal 2.1.0, numpy", np.__version__)
print("expected: 'top-k', but 'stochastic to improve diversity': uncertain rows, as with the heuristic alone")
print("cause: a heuristic says by reversed whether its score is to be high or low, and get_ranks of the plain")
print("ones goes by it. Those that sample take any score for one that is to be high")
print("why it matters: made stochastic, so that near copies are not asked for together, they ask people for the")
print("labels that the model knows, and it learns no more than from rows at random. Nothing tells of it")
same = all(results[base, "alone"][0] < 0.1 for base in ("Margin", "Certainty", "Entropy"))
for kind in ("PowerSampling", "GibbsSampling", "RankBasedSampling"):
    same = same and results["Entropy", kind][0] < 0.4
    same = same and min(results["Margin", kind][0], results["Certainty", kind][0]) > 0.6
sys.exit(0 if same else 1)
PYTHON
