#!/usr/bin/env bash
# NetLSD takes a dense adjacency matrix for a Laplacian once each node has a loop as heavy as its heaviest link: heat
# that should fall from 1 on goes up to 10^227, and of graphs of three kinds 0.53 are told in place of 0.99.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "scipy==1.13.1" "numpy==1.26.4" "setuptools==80.9.0" "wheel==0.45.1" ||
    ! "$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation \
        "NetLSD==1.0.2"; then
    echo "could not be tried: NetLSD was not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import netlsd
import numpy as np
from scipy.sparse import csr_matrix

NODES, EACH = 60, 30
KINDS = ((1, 0.2, 0.2), (3, 0.45, 0.08), (6, 0.8, 0.06))
TIMES = np.logspace(-2, 2, 250)
rng = np.random.default_rng(0)


def draw(groups, within, between):
    group = np.arange(NODES) % groups
    chance = np.where(group[:, None] == group, within, between)
    links = np.triu(rng.random((NODES, NODES)) < chance, 1).astype(float)
    return links + links.T


def by_hand(links):
    """The trace of the heat by the eigenvalues of the normalized Laplacian, by how many nodes there are."""
    scale = 1 / np.sqrt(links.sum(1))
    values = np.linalg.eigvalsh(scale[:, None] * (np.diag(links.sum(1)) - links) * scale)
    return np.exp(-TIMES[:, None] * values).mean(1)


WAYS = {"dense": netlsd.heat, "sparse": lambda links: netlsd.heat(csr_matrix(links)), "by hand": by_hand}


def told(signatures):
    """How many graphs have a nearest one of their kind."""
    signatures = np.array(signatures)
    distances = ((signatures[:, None] - signatures) ** 2).sum(-1)
    np.fill_diagonal(distances, np.inf)
    return np.mean(kinds[distances.argmin(1)] == kinds)


graphs = [draw(*kind) for kind in KINDS for _ in range(EACH)]
kinds = np.repeat(np.arange(len(KINDS)), EACH)
rows = rng.normal(size=(NODES, 8))
rows /= np.linalg.norm(rows, axis=1, keepdims=True)
cosines = np.maximum(rows @ rows.T, 0)
cosines = np.minimum((cosines + cosines.T) / 2, 1)
np.fill_diagonal(cosines, 1)
print(f"heat of a graph of {NODES} nodes at two times, and graphs of three kinds whose nearest one is of their kind")
print("loop of        time 1                        time 100                           graphs told")
print("each node " + "".join(f"{way:>9}" for way in WAYS) + "   " + "".join(f"{way:>11}" for way in WAYS)
      + "   " + "".join(f"{way:>9}" for way in WAYS))
seen = {}
for loop in (0.0, 0.5, 0.9, 1.0, 2.0, "cosines"):
    heat = [way(cosines if loop == "cosines" else graphs[0] + loop * np.eye(NODES)) for way in WAYS.values()]
    share = [] if loop == "cosines" else [told([way(graph + loop * np.eye(NODES)) for graph in graphs])
                                          for way in WAYS.values()]
    seen[loop] = heat, share
    print(f"{loop!s:10}" + "".join(f"{value[125]:9.3f}" for value in heat) + "   "
          + "".join(f"{value[-1]:11.3g}" for value in heat) + "   " + "".join(f"{value:9.2f}" for value in share))
print("NetLSD 1.0.2, numpy", np.__version__)
print("expected: that a matrix says the same whether it is dense or sparse, and a trace of heat that falls from 1 on")
print("cause: a matrix is taken for a Laplacian if nothing off its diagonal is above 0. For a dense one the diagonal")
print("is subtracted as a row, from all that is in its columns, so that a loop as heavy as the links makes them all 0")
print("or less")
print("why it matters: a loop at each node is what graph networks add, and a matrix of cosines or of a kernel has ones")
print("on its diagonal. Its eigenvalues are then those of the matrix itself, and graphs are told by the largest of")
print("them alone")
right = all(np.allclose(heat[1], heat[2]) for heat, _ in seen.values())
right &= all(np.allclose(seen[loop][0][0], seen[loop][0][2]) for loop in (0.0, 0.5, 0.9))
wrong = all(seen[loop][0][0][-1] > 1e6 for loop in (1.0, 2.0, "cosines"))
sys.exit(0 if right and wrong and seen[1.0][1][0] < seen[1.0][1][1] - 0.2 else 1)
PYTHON
