#!/usr/bin/env bash
# ranx's Condorcet fusion counts a run that found neither of two documents as a vote for the second:
# runs that agree are fused in an order that none of them has, and another one in each process.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "ranx==0.3.21" "numba==0.68.1" "numpy==2.4.6"; then
    echo "could not be tried: ranx or numba were not installed" >&2
    exit 2
fi

cat > "$folder/fused.py" <<'PYTHON'
import itertools
import json
import sys

from ranx import Run, fuse

LONG = [f"d{i:02}" for i in range(20)]


def run(documents):
    return Run({"q": {name: float(100 - i) for i, name in enumerate(documents)}})


def swapped(order):
    """The pairs of documents that a fused order has the other way round than all runs have them."""
    return sum(a > b for a, b in itertools.combinations(order, 2))


result = {}
for method, params in (
    ("condorcet", None),
    ("w_condorcet", {"weights": (1.0, 1.0, 1.0)}),
    ("bordafuse", None),
    ("rrf", None),
):
    for name, short in (("three short runs", 3), ("three whole runs", 20)):
        # Each run is the head of one and the same ranking: d00, d01, d02 and so on.
        runs = [run(LONG), run(LONG[:short]), run(LONG[:short])]
        order = list(fuse(runs, norm=None, method=method, params=params)["q"])
        assert sorted(order) == LONG
        result[method + ", " + name] = order, swapped(order)
json.dump(result, sys.stdout)
PYTHON

cat > "$folder/judge.py" <<'PYTHON'
import json
import sys

seen = [json.loads(line) for line in open(sys.argv[1])]
same = True
print("pairs of 190 that are the other way round than in every run, in five processes:")
for name in seen[0]:
    swapped = [result[name][1] for result in seen]
    orders = len({tuple(result[name][0]) for result in seen})
    print(f"{name:31}{swapped!s:26} different orders: {orders}")
    if "condorcet" in name and "short" in name:
        same = same and min(swapped) > 30 and orders == 5
    else:
        same = same and max(swapped) == 0
print("ranx 0.3.21; one process for each value 1 to 5 of PYTHONHASHSEED")
print("the runs: d00 to d19; and d00, d01 and d02 twice")
print("expected: a document goes before another where more runs put it there; no run puts d04 before d03")
print("cause: a run votes for the first document of a pair where it ranks it higher, or else for the")
print("second, also where it has neither. One run out of three is then outvoted in both directions, and")
print("the order is left to that in which the documents come out of a set")
print("why it matters: most documents of a pool are found by one system out of several; their order is")
print("drawn anew in each process, and no seed of NumPy or Python's random module holds it")
sys.exit(0 if same else 1)
PYTHON

for seed in 1 2 3 4 5; do
    PYTHONHASHSEED=$seed "$folder/venv/bin/python" -W ignore "$folder/fused.py"
    echo
done > "$folder/seen"
"$folder/venv/bin/python" "$folder/judge.py" "$folder/seen"
