#!/usr/bin/env bash
# RecList's coverage_at_k takes the first k users in place of the first k items of each user: lists of 500 users that
# hold 0.78 of all items among their first three have a coverage of 0.14, and one list for all users, of 0.003, has
# 0.05.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "numpy==1.26.4" "pandas==2.2.3" "scikit-learn==1.5.2" ||
    ! "$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps "reclist==2.1.0"; then
    echo "could not be tried: reclist was not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata
import importlib.util
import sys
from pathlib import Path

import numpy as np
import pandas as pd

# The file of metrics alone, without the trackers that the package loads beside it.
package = Path(importlib.util.find_spec("reclist").submodule_search_locations[0])
spec = importlib.util.spec_from_file_location("standard_metrics", package / "metrics" / "standard_metrics.py")
metrics = importlib.util.module_from_spec(spec)
spec.loader.exec_module(metrics)

USERS, ITEMS, LENGTH = 500, 1000, 50
rng = np.random.default_rng(0)


def lists(kind):
    """For each user 50 items, the best first."""
    if kind == "the same for all":
        return [list(range(LENGTH)) for _ in range(USERS)]
    if kind == "by popularity":
        weight = 1 / np.arange(1, ITEMS + 1)
        return [rng.choice(ITEMS, LENGTH, replace=False, p=weight / weight.sum()).tolist() for _ in range(USERS)]
    drawn = [rng.choice(ITEMS, LENGTH, replace=False).tolist() for _ in range(USERS)]
    return drawn if kind == "at random" else drawn[:10] + [drawn[0]] * (USERS - 10)


catalogue = {item: {} for item in range(ITEMS)}
print(f"share of {ITEMS} items that stand among the first k of {USERS} users' lists, and what it tells")
print("lists                            k   by hand   here   by hand, all items of the first k users")
seen = []
for kind in ("at random", "as such for ten users", "by popularity", "the same for all"):
    made = lists(kind)
    for k in (1, 3, 10, 50):
        hand = len({item for one in made for item in one[:k]}) / ITEMS
        first = len({item for one in made[:k] for item in one}) / ITEMS
        here = metrics.coverage_at_k(made, catalogue, k=k)
        seen.append((kind, k, hand, here, first))
        print(f"{kind:27}{k:7}{hand:10.3f}{here:7.3f}{first:11.3f}")
alike = [line for line in seen if line[0] == "the same for all" and line[3] > line[2]]
print("reclist", importlib.metadata.version("reclist"), "and pandas", pd.__version__)
print("expected: the share of the items that are among the first k of some user's list, as coverage at k is")
print("cause: the list of all users' lists is cut to k, not each user's list, whose items are all counted")
print("why it matters: coverage is told beside the hit rate to show whether a recommender, or a search for neighbors,")
print("serves a few items to all. Here it depends on which users come first, and a thousand users more do not change")
print("it")
right = all(abs(line[3] - line[4]) < 1e-12 for line in seen)
wrong = [line for line in seen if line[:2] == ("at random", 3)][0]
sys.exit(0 if right and wrong[2] > 0.7 and wrong[3] < 0.2 and alike else 1)
PYTHON
