#!/usr/bin/env bash
# CluSim's onmi takes for the share of rows in neither of two clusters the share that is not in both: labels of which
# four tenths are drawn anew agree by 0.52 in place of 0.33, those of which six tenths are by 0.00 in place of 0.15.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# --no-deps leaves out what cdlib needs for graphs: the measure beside CluSim's is one file of it.
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "clusim==0.4" "python-igraph==1.0.0" "mpmath==1.3.0" "networkx==3.6.1" \
    "scipy==1.17.1" "numpy==2.4.6" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check --no-deps "cdlib==0.4.1"; then
    echo "could not be tried: clusim or cdlib were not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import importlib.util
import sys
from importlib.metadata import distribution

import clusim.sim
import numpy as np
import scipy.stats
from clusim.clustering import Clustering

file = distribution("cdlib").locate_file("cdlib/evaluation/internal/onmi.py")
spec = importlib.util.spec_from_file_location("onmi", file)
cdlib = importlib.util.module_from_spec(spec)
spec.loader.exec_module(cdlib)
ROWS, GROUPS = 600, 5
rng = np.random.default_rng(0)


def part(share):
    return -share * np.log2(share) if share > 0 else 0.0


def left(ours, theirs):
    """Of each cluster's entropy the share that is left where the best of the others is known."""
    shares = []
    for one in ours:
        best = entropy = part(len(one) / ROWS) + part(1 - len(one) / ROWS)
        for other in theirs:
            both, neither = len(one & other) / ROWS, 1 - len(one | other) / ROWS
            apart = [part(len(x) / ROWS) for x in (one - other, other - one)]
            known = part(len(other) / ROWS) + part(1 - len(other) / ROWS)
            if part(both) + part(neither) > sum(apart):
                best = min(best, part(both) + part(neither) + sum(apart) - known)
        shares.append(best / entropy)
    return np.mean(shares)


def by_hand(ours, theirs):
    return 1 - (left(ours, theirs) + left(theirs, ours)) / 2


def by_clusim(*both):
    made = [Clustering(), Clustering()]
    for clustering, clusters in zip(made, both):
        clustering.from_cluster_list(clusters)
    return float(clusim.sim.onmi(*made))


def clusters(labels):
    return [set(np.flatnonzero(labels == label).tolist()) for label in np.unique(labels)]


def drawn_anew(share):
    return clusters(np.where(rng.random(ROWS) < share, rng.integers(GROUPS, size=ROWS), right))


right = np.arange(ROWS) % GROUPS
groups = clusters(right)
second = [group | set(rng.choice(ROWS, 40, replace=False).tolist()) for group in groups]
others = {"the groups themselves": groups}
others |= {f"{share:.0%} of the labels drawn anew": drawn_anew(share) for share in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)}
others["each group cut in two"] = clusters(right + GROUPS * rng.integers(2, size=ROWS))
others["two pairs of groups as one each"] = clusters(right // 2)
others["the groups, 40 rows more in each"] = second
print(f"{ROWS} rows in {GROUPS} groups, beside                by hand     cdlib    clusim")
seen = []
for name, clustering in others.items():
    theirs = cdlib.onmi(clustering, groups, set(range(ROWS)))
    seen.append((by_hand(groups, clustering), float(theirs), by_clusim(groups, clustering)))
    print(f"{name:36}" + "".join(f"{value:10.3f}" for value in seen[-1]))
print("clusim 0.4, cdlib 0.4.1, numpy", np.__version__)
print("expected: the overlapping normalized mutual information of Lancichinetti and others (2009), to which its")
print("documentation refers and which cdlib has as well")
print("cause: the entropy of two clusters has four parts, of the rows in both, in neither and in either alone; it puts")
print("1 - both for neither, so that the parts no longer add up to 1. For equal clusters that is the same")
print("why it matters: where labels agree well it says too much, where they agree in part it says nothing, and the")
print("order of clusterings is another: here a fifth of the labels drawn anew and groups cut in two change places")
same = all(abs(hand - theirs) < 1e-9 for hand, theirs, _ in seen) and seen[0] == (1, 1, 1)
same = same and seen[4][2] > seen[4][0] + 0.1 and seen[6][2] < 1e-3 < seen[6][0] - 0.1
sys.exit(0 if same and seen[2][0] > seen[7][0] and seen[2][2] < seen[7][2] else 1)
PYTHON
