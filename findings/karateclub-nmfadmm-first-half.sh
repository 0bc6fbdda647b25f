#!/usr/bin/env bash
# karateclub's NMFADMM never updates the factor of which the first half of its embedding is made: that half is drawn at
# random and the same for all graphs of one size, and four groups are told from it all to 0.46 in place of 0.98.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# karateclub asks for a NumPy that is older than this Python; without its pins it runs on these.
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "gensim==4.4.0" "networkx==3.6" "scikit-learn==1.9.1" \
    "scipy==1.17.1" "numpy==2.4.6" "pandas==3.1.1" "python-louvain==0.16" "pygsp==0.6.1" \
    "python-Levenshtein==0.27.1" "tqdm==4.67.1" "six==1.17.0" ||
    ! "$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
        "karateclub==1.3.3"; then
    echo "could not be tried: karateclub or gensim were not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import networkx as nx
import numpy as np
from karateclub import NMFADMM
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import normalized_mutual_info_score
from sklearn.model_selection import cross_val_score

GROUPS, SIZE, COLUMNS, RUNS = 4, 50, 16, 3
label = np.repeat(np.arange(GROUPS), SIZE)


class Updated(NMFADMM):
    """The same, where what is assigned to W is the factor."""

    W = property(lambda self: self._W, lambda self, value: setattr(self, "_W", value))


def grouped(seed):
    """Nodes of four groups, each linked to a fifth of its own group and to a fiftieth of the others."""
    links = np.full((GROUPS, GROUPS), 0.02) + 0.18 * np.eye(GROUPS)
    graph = nx.stochastic_block_model([SIZE] * GROUPS, links, seed=seed)
    assert min(dict(graph.degree).values()) > 0
    return nx.Graph(graph.edges)


def embedding(kind, graph):
    model = kind(dimensions=COLUMNS)
    model.fit(graph.copy())
    rows = model.get_embedding()
    return {"first half": rows[:, :COLUMNS], "second half": rows[:, COLUMNS:], "both": rows}


def told(rows):
    """The share of labels that a linear classifier has right, and how well clusters agree with them."""
    classifier = LogisticRegression(C=100, max_iter=5000)
    right = cross_val_score(classifier, rows / (rows.std(0) + 1e-12), label, cv=5).mean()
    clusters = KMeans(GROUPS, n_init=10, random_state=0).fit_predict(rows)
    return right, normalized_mutual_info_score(label, clusters)


graphs = [grouped(seed) for seed in range(RUNS)]
one = embedding(NMFADMM, graphs[0])
another = embedding(NMFADMM, nx.barabasi_albert_graph(GROUPS * SIZE, 4, seed=0))
np.random.seed(42)
drawn = np.maximum(np.random.uniform(-0.1, 0.1, (GROUPS * SIZE, COLUMNS)), 0)
apart = {part: abs(one[part] - another[part]).max() for part in one}
print(f"largest difference between a graph of {GROUPS} groups and one of hubs, {GROUPS * SIZE} nodes each")
print(f"    first half {apart['first half']:.2f}, second half {apart['second half']:.2f}")
print("    first half and the numbers that are drawn from the seed to begin with, those below 0 as 0:", end=" ")
print(f"{abs(one['first half'] - drawn).max():.2f}")
print(f"{GROUPS} groups, mean of {RUNS} graphs        labels right         clusters' mutual information")
print("                              karateclub   updated      karateclub   updated")
seen = {}
for part in one:
    means = [np.mean([told(embedding(kind, graph)[part]) for graph in graphs], axis=0) for kind in (NMFADMM, Updated)]
    seen[part] = np.array(means)
    print(f"{part:29}{means[0][0]:11.2f}{means[1][0]:10.2f}{means[0][1]:16.2f}{means[1][1]:10.2f}")
print("karateclub 1.3.3, networkx", nx.__version__, "- numpy", np.__version__)
print("expected: two non-negative factors of the normalized adjacency matrix, both of them learnt")
print("cause: the step that solves for the first factor keeps it as W, and all others read _W, which stays as it was")
print("drawn; setting both, as 'updated' does here, is the method that the documentation refers to")
print("why it matters: half of the columns are noise that goes by a node's number, the other half fits it best,")
print("and of groups that are plain in the graph a classifier has less than half of the nodes right")
same = apart["first half"] == 0 and apart["second half"] > 0.1 and np.allclose(one["first half"], drawn)
same = same and seen["both"][0, 0] < 0.6 and seen["both"][1, 0] > 0.9
sys.exit(0 if same and seen["both"][0, 1] < 0.3 and seen["both"][1, 1] > 0.8 else 1)
PYTHON
