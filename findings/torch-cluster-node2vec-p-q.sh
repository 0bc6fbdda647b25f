#!/usr/bin/env bash
# torch-cluster's random_walk, which PyG's Node2Vec walks with, forgets p and q where q is the smallest of p, q and 1:
# with q=0.1 a walk of 20 steps sees 3.85 groups of nodes, as with neither of them, where by the paper it sees 4.75.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# A stand-in for what its setup.py asks PyTorch about, so that its sources can be had without PyTorch.
mkdir -p "$folder/stub/torch/utils"
echo 'class cuda: is_available = staticmethod(lambda: False)' > "$folder/stub/torch/__init__.py"
echo 'parallel_info = str' > "$folder/stub/torch/__config__.py"
touch "$folder/stub/torch/utils/__init__.py"
cat > "$folder/stub/torch/utils/cpp_extension.py" <<'STUB'
from setuptools.command.build_ext import build_ext as BuildExtension
CUDA_HOME = CppExtension = CUDAExtension = None
BuildExtension.with_options = classmethod(lambda self, **options: self)
STUB
if ! command -v g++ > /dev/null || ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install \
    --quiet --disable-pip-version-check "numpy==2.2.6" "setuptools==80.9.0" "wheel==0.45.1" ||
    ! BUILD_DOCS=1 PYTHONPATH="$folder/stub" "$folder/venv/bin/python" -m pip download --quiet --no-deps --no-binary \
    :all: --disable-pip-version-check --no-build-isolation -d "$folder" "torch-cluster==1.6.3"; then
    echo "could not be tried: torch-cluster or a compiler were not there" >&2
    exit 2
fi
tar xzf "$folder"/torch_cluster-1.6.3.tar.gz -C "$folder"
# Its walk is plain C++ but for one loop of PyTorch's, which stands here in one thread.
{
    printf '#include <%s>\n' cmath cstdint cstdlib
    echo 'namespace at { namespace internal { const int64_t GRAIN_SIZE = 32768; }'
    echo 'template <class F> void parallel_for(int64_t a, int64_t b, int64_t, const F &f) { f(a, b); } } extern "C" {'
    sed -n '/^bool inline is_neighbor/,/^std::tuple/p' "$folder"/torch_cluster-1.6.3/csrc/cpu/rw_cpu.cpp | sed '$d'
    echo '}'
} > "$folder/walk.cpp"
g++ -O2 -shared -fPIC -o "$folder/walk.so" "$folder/walk.cpp" || exit 1

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - "$folder/walk.so" <<'PYTHON'
import ctypes
import sys

import numpy as np

NODES, GROUPS, STEPS, WALKS = 200, 10, 20, 20
library = ctypes.CDLL(sys.argv[1])
rng = np.random.default_rng(0)
groups = np.arange(NODES) % GROUPS
links = np.triu(rng.random((NODES, NODES)) < np.where(groups[:, None] == groups, 0.4, 0.01), 1)
links |= links.T
first, near = np.concatenate([[0], np.cumsum(links.sum(1))]).astype(np.int64), np.nonzero(links)[1].astype(np.int64)
starts = np.repeat(np.arange(NODES), WALKS).astype(np.int64)


def by_library(p, q):
    nodes, edges = np.zeros((len(starts), STEPS + 1), np.int64), np.zeros((len(starts), STEPS), np.int64)
    arrays = [ctypes.c_void_p(array.ctypes.data) for array in (first, near, starts, nodes, edges)]
    sizes = ctypes.c_int64(len(starts)), ctypes.c_int64(STEPS)
    library.rejection_sampling(*arrays, *sizes, ctypes.c_double(p), ctypes.c_double(q))
    return nodes


def by_paper(p, q):
    """A step back weighs 1 / p, one to a neighbour of the node before 1, any other 1 / q."""
    walks = []
    for node in starts:
        walk = [node, rng.choice(near[first[node] : first[node + 1]])]
        while len(walk) <= STEPS:
            before, here = walk[-2:]
            ways = near[first[here] : first[here + 1]]
            sums = np.cumsum(np.where(ways == before, 1 / p, np.where(links[before, ways], 1, 1 / q)))
            walk.append(ways[np.searchsorted(sums, rng.random() * sums[-1])])
        walks.append(walk)
    return np.array(walks)


def tell(walks):
    """The shares of steps that go back and on to what is further away, and how many groups a walk sees."""
    back = walks[:, 2:] == walks[:, :-2]
    away = ~back & ~links[walks[:, 2:], walks[:, :-2]]
    return back.mean(), away.mean(), np.mean([len(set(groups[walk])) for walk in walks])


print(f"{WALKS} walks of {STEPS} steps from each of {NODES} nodes of {GROUPS} groups")
print("                steps back        steps away         groups seen")
print("    p     q    library paper     library paper     library paper")
seen = {}
for p, q in ((1, 1), (10, 1), (1, 0.1), (4, 0.25), (0.25, 0.1), (0.1, 0.5), (4, 4), (1, 10), (0.25, 4)):
    seen[p, q] = tell(by_library(p, q)), tell(by_paper(p, q))
    print(f"{p:5.2f}{q:6.2f}" + "".join(f"{a:10.2f}{b:6.2f}  " for a, b in zip(*seen[p, q])))
print("torch-cluster 1.6.3, numpy", np.__version__)
print("expected: walks 'as described in the node2vec paper': further away the smaller q, seldom back where p is large")
print("cause: a step is drawn and kept with its share of the largest weight. What is refused as a step back or to a")
print("neighbour is asked about once more as if it went away, and is kept if that has the largest weight")
print("why it matters: q below 1 is what the paper looks for groups with. Whoever tunes p and q there compares one and")
print("the same walk with itself. mlx-cluster 0.0.7, which mlx-graphs walks with, has the loop too")
same = all(np.allclose(seen[pair][0], seen[1, 1][0], atol=0.1) for pair in ((10, 1), (1, 0.1), (4, 0.25)))
right = all(np.allclose(*seen[pair], atol=0.1) for pair in ((1, 1), (4, 4), (1, 10), (0.25, 4)))
sys.exit(0 if right and same and min(seen[1, 0.1][1][2], seen[4, 0.25][1][2]) > seen[1, 1][0][2] + 0.5 else 1)
PYTHON
