#!/usr/bin/env bash
# karateclub's Node2Vec takes every edge alike: it adds loops without a weight, and its walker uses
# weights only where every edge has one.
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

"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import networkx as nx
import numpy as np
from gensim.models.word2vec import Word2Vec
from karateclub import Node2Vec

SIZE, WALKS, LENGTH = 60, 10, 40
group = np.arange(SIZE) % 2


def graph(between):
    """All pairs of 60 nodes: weight 1.0 within a group of thirty, ``between`` from one to the other."""
    edges = nx.complete_graph(SIZE)
    for a, b in edges.edges():
        if between is not None:
            edges[a][b]["weight"] = 1.0 if group[a] == group[b] else between
    return edges


def karateclub(edges):
    model = Node2Vec(walk_number=WALKS, walk_length=LENGTH, dimensions=16, workers=1)
    model.fit(edges)
    return model.get_embedding()


def by_hand(edges):
    """The same with p = q = 1: walks that take an edge by its weight, and the same skip-gram model."""
    rng = np.random.default_rng(0)
    weights = nx.to_numpy_array(edges)
    steps = weights / weights.sum(axis=1, keepdims=True)
    walks = []
    for node in np.repeat(np.arange(SIZE), WALKS):
        walk = [node]
        while len(walk) < LENGTH:
            walk.append(rng.choice(SIZE, p=steps[walk[-1]]))
        walks.append([str(n) for n in walk])
    vectors = Word2Vec(
        walks, hs=1, alpha=0.05, epochs=1, vector_size=16, window=5, min_count=1, workers=1, seed=42
    ).wv
    return np.array([vectors[str(node)] for node in range(SIZE)])


def own(embedding):
    """The share of the ten nearest by angle that are of the node's own group."""
    unit = embedding / np.linalg.norm(embedding, axis=1, keepdims=True)
    angles = unit @ unit.T
    np.fill_diagonal(angles, -2)
    nearest = np.argsort(-angles, axis=1)[:, :10]
    return float((group[nearest] == group[:, None]).mean())


found = {between: karateclub(graph(between)) for between in (None, 1.0, 0.001)}
right = own(by_hand(graph(0.001)))
seen = own(found[0.001])
equal = all(np.array_equal(found[None], embedding) for embedding in found.values())
print("two groups whose edges to each other weigh 0.001 of those within:")
print("of the ten nearest nodes, those of the own group:", round(seen, 2), "- by hand:", round(right, 2))
print("the embeddings with these weights, with equal ones and with none, equal to the bit:", equal)
edges = graph(0.001)
before = nx.is_weighted(edges)
karateclub(edges)
loops = nx.number_of_selfloops(edges)
after = nx.is_weighted(edges)
print("all edges of the graph have a weight: before fit", before, "- after it", after, "- loops:", loops)
print("karateclub 1.3.3, networkx", nx.__version__, "- numpy", np.__version__)
print("expected: node2vec steps along an edge with a probability by its weight, as its paper has it")
print("cause: fit gives each node, in the caller's own graph, a loop that has no weight; the walker asks")
print("networkx whether all edges have a weight, and takes 1.0 for each where one has not")
print("why it matters: in a k-NN graph the weight is the similarity; here the weakest edge of a node is")
print("walked as often as the strongest, and no error and no number says so")
same = equal and before and not after and loops == SIZE
sys.exit(0 if same and seen < 0.65 and right > 0.95 else 1)
PYTHON
