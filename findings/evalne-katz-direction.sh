#!/usr/bin/env bash
# EvalNE's Katz scores a directed link by the paths that go the other way around: the links of a graph that cites only
# what is older have an AUC of 0.40 in place of 1.00, and KatzApprox of the same pairs has nothing in common with it.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "evalne==0.4.0" "networkx==3.4.2" "scikit-learn==1.5.2" "scipy==1.13.1" \
    "numpy==1.26.4" "pandas==2.2.3" "matplotlib==3.10.0"; then
    echo "could not be tried: EvalNE was not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import networkx as nx
import numpy as np
from evalne.methods.katz import Katz, KatzApprox
from sklearn.metrics import roc_auc_score

NODES, LINKS, BETA, APPROXIMATE = 200, 3, 0.005, 1000
rng = np.random.default_rng(0)


def cites():
    """Each node links to some before it."""
    ends = [(new, int(old)) for new in range(1, NODES) for old in set(rng.integers(new, size=LINKS))]
    return nx.DiGraph(ends)


def any_direction():
    graph = nx.gnm_random_graph(NODES, LINKS * NODES, seed=0, directed=True)
    return graph


def both_directions():
    return nx.gnm_random_graph(NODES, LINKS * NODES, seed=0).to_directed()


def compare(graph):
    nodes = range(NODES)
    linked = nx.to_numpy_array(graph, nodelist=nodes)
    pairs = np.array([(a, b) for a in nodes for b in nodes if a != b])
    # The sum over lengths of beta to their power times the number of paths from the one to the other.
    right = (np.linalg.inv(np.eye(NODES) - BETA * linked) - np.eye(NODES))[pairs[:, 0], pairs[:, 1]]
    told = Katz(graph, beta=BETA).predict(pairs)
    some = rng.choice(len(pairs), APPROXIMATE, replace=False)
    near = KatzApprox(graph, beta=BETA).fit_predict(pairs[some].tolist()).ravel()
    true = linked[pairs[:, 0], pairs[:, 1]]
    back = Katz(graph, beta=BETA).predict(pairs[:, ::-1])
    areas = roc_auc_score(true, told), roc_auc_score(true, right)
    return (*areas, np.corrcoef(near, told[some])[0, 1], np.corrcoef(near, right[some])[0, 1], np.abs(back - right).max())


print(f"graphs of {NODES} nodes; the score of all pairs against the graph's own links")
print("                       AUC of its links       correlation with KatzApprox     Katz of (v, u) less")
print("links                 Katz     by hand             Katz     by hand           by hand of (u, v)")
seen = {}
for name, graph in {"to older ones": cites(), "any direction": any_direction(), "both": both_directions()}.items():
    seen[name] = compare(graph)
    values = zip(seen[name], ("11.2f", "12.2f", "17.2f", "12.2f", "24.0e"))
    print(f"{name:15}" + "".join(f"{value:{form}}" for value, form in values))
print("EvalNE 0.4.0, networkx", nx.__version__)
print("expected: the Katz score of (u, v) to count paths from u to v, as KatzApprox does, and a link to be the shortest")
print("cause: it inverts the identity less beta times the transposed adjacency matrix, which has row and column changed")
print("over, and looks up [u, v]. In a graph without directions that is the same")
print("why it matters: it is a baseline that embeddings are compared with. On directed graphs it is beaten by anything")
one, both = seen["to older ones"], seen["both"]
right = abs(one[2]) < 0.2 and one[3] > 0.99 and all(value[4] < 1e-9 for value in seen.values())
sys.exit(0 if right and one[0] < 0.6 < 0.99 < one[1] and both[0] > 0.99 else 1)
PYTHON
