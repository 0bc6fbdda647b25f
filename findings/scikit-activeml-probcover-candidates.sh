#!/usr/bin/env bash
# scikit-activeml's ProbCover takes every row that is no candidate for a labelled one: it covers what
# it is to choose for, and the choice is a draw.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "scikit-activeml==1.0.1" "scikit-learn==1.9.1" "scipy==1.17.1" \
    "numpy==2.4.6"; then
    echo "could not be tried: scikit-activeml or scikit-learn were not installed" >&2
    exit 2
fi

"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import numpy as np
from skactiveml.pool import ProbCover, SubSamplingWrapper, TypiClust

# Unit rows in twenty narrow clusters, of 60 rows down to 12: ten labels are to cover the ten largest.
SIZES = np.array([60, 56, 52, 48, 44, 40, 36, 32, 28, 24] + [12] * 10)
DELTA, BATCH = 0.6, 10


def pool(seed):
    rng = np.random.default_rng(seed)
    cluster = rng.permutation(np.repeat(np.arange(len(SIZES)), SIZES))
    rows = rng.normal(size=(len(SIZES), 64))[cluster]
    rows += 0.2 * rng.normal(size=rows.shape)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def near(rows):
    return np.linalg.norm(rows[:, None] - rows[None], axis=2) <= DELTA


def by_hand(rows, candidates):
    """Of the candidates, the row that covers the most rows which no label covers yet, ten times."""
    open_edges, chosen = near(rows), []
    for _ in range(BATCH):
        best = candidates[open_edges[candidates].sum(axis=1).argmax()]
        open_edges[:, open_edges[best].copy()] = False
        chosen.append(best)
    return chosen


def covered(rows, chosen):
    return float(near(rows)[chosen].any(axis=0).mean())


table = {}
for seed in range(5):
    rows = pool(seed)
    unlabelled = np.full(len(rows), np.nan)
    half = np.sort(np.random.default_rng(seed).permutation(len(rows))[: len(rows) // 2])
    whole = np.arange(len(rows))

    def asked(strategy, candidates=None, **options):
        chosen, utilities = strategy.query(
            rows, unlabelled, candidates=candidates, batch_size=BATCH, return_utilities=True, **options
        )
        return covered(rows, chosen), float(np.nanmax(utilities))

    def probcover():
        return ProbCover(n_classes=2, deltas=[DELTA], random_state=seed)

    for name, value in (
        ("by hand, all rows", (covered(rows, by_hand(rows, whole)), None)),
        ("ProbCover, all rows", asked(probcover())),
        ("by hand, half of the rows", (covered(rows, by_hand(rows, half)), None)),
        ("ProbCover, half of the rows", asked(probcover(), half)),
        (
            "SubSamplingWrapper(ProbCover)",
            asked(SubSamplingWrapper(probcover(), max_candidates=0.5, random_state=seed)),
        ),
        ("ten rows at random", (covered(rows, np.random.default_rng(seed + 9).choice(half, BATCH)), None)),
        ("TypiClust, half of the rows", asked(TypiClust(random_state=seed), half)),
    ):
        table.setdefault(name, []).append(value)

print("share of the rows that ten chosen ones cover, in five pools of 540 rows without a label")
for name, values in table.items():
    shares = " ".join(f"{value[0]:.2f}" for value in values)
    best = max(value[1] for value in values) if values[0][1] is not None else None
    print(f"{name:31}{shares}" + ("" if best is None else f"   highest utility of any row: {best:.2f}"))
whole, seen, wrapped = (
    table[name]
    for name in ("ProbCover, all rows", "ProbCover, half of the rows", "SubSamplingWrapper(ProbCover)")
)
wanted = [value[0] for value in table["by hand, half of the rows"]]
print("scikit-activeml 1.0.1, numpy", np.__version__)
print("expected: 'points within delta of any labeled sample' are covered, and there is no label: the same")
print("choice from half of the rows as from all, since each cluster has rows in it")
print("cause: what is not among the candidates is taken for labelled. The other half of the rows covers")
print("every cluster, no candidate covers anything more, all utilities are 0, and the ties are drawn")
print("why it matters: candidates, and the library's own wrapper for large pools, are there so as to look")
print("at a part of the rows; the few first labels are then those of a random choice, with no warning")
same = all(abs(value[0] - hand[0]) < 0.02 for value, hand in zip(whole, table["by hand, all rows"]))
same = same and all(value[1] == 0 for value in seen + wrapped)
same = same and np.mean([value[0] for value in seen]) < np.mean(wanted) - 0.15
sys.exit(0 if same else 1)
PYTHON
