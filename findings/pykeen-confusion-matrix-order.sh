#!/usr/bin/env bash
# PyKEEN reads scikit-learn's confusion matrix as if the positive class stood first, and its accuracy multiplies
# the two kinds of right answers: of 10 true links among 1000 none found is an F1 of 0.99, all an accuracy of 9.9.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "pykeen==1.11.1" "torch==2.13.0" "scikit-learn==1.9.1" "scipy==1.17.1" \
    "numpy==2.4.6"; then
    echo "could not be tried: pykeen or PyTorch were not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 PYSTOW_HOME="$folder" "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import numpy as np
import sklearn.metrics
from pykeen.metrics.classification import classification_metric_resolver

LINKS, TRUE = 1000, 10
truth = np.arange(LINKS) < TRUE
rng = np.random.default_rng(0)


def rates(found):
    tn, fp, fn, tp = sklearn.metrics.confusion_matrix(truth, found).ravel()
    return {"falsepositiverate": fp / (fp + tn), "falsenegativerate": fn / (fn + tp)}


wanted = {
    "accuracy": sklearn.metrics.accuracy_score,
    "f1score": sklearn.metrics.f1_score,
    "positivepredictivevalue": sklearn.metrics.precision_score,
    "matthewscorrelationcoefficient": sklearn.metrics.matthews_corrcoef,
    "falsepositiverate": lambda _, found: rates(found)["falsepositiverate"],
    "falsenegativerate": lambda _, found: rates(found)["falsenegativerate"],
    "truepositiverate": sklearn.metrics.recall_score,
    "truenegativerate": lambda _, found: 1 - rates(found)["falsepositiverate"],
}
hits = (0, 3, 7, 10)
seen = {name: [] for name in wanted}
right = {name: [] for name in wanted}
for hit in hits:
    # The ten links scored highest are taken for true, as many as there are; some of them are.
    scores = rng.normal(size=LINKS)
    scores[:hit] += 100
    scores[hit:TRUE] -= 100
    found = scores >= np.sort(scores)[-TRUE]
    for name, by_library in wanted.items():
        right[name].append(float(by_library(truth, found)))
        seen[name].append(float(classification_metric_resolver.make(name)(truth.astype(int), scores)))
print(f"{LINKS} candidate links, {TRUE} of them true")
print("of the true ones found        " + "".join(f"{f'{hit} of {TRUE}':>18}" for hit in hits))
print("                              " + "    expected  seen" * len(hits))
for name in wanted:
    print(f"{name:32}" + "  ".join(f"{a:8.3f}{b:8.3f}" for a, b in zip(right[name], seen[name])))
print("pykeen 1.11.1, scikit-learn", sklearn.__version__, "- numpy", np.__version__)
print("expected: scikit-learn's values, by whose confusion_matrix they are counted, from 0 to 1")
print("cause: its first row and column are the negatives; here they are held for the positives, so that F1 and")
print("precision are those of the other links, and the two rates of errors change places. The accuracy is")
print("TP x TN / n in place of (TP + TN) / n, and the correlation lacks a square root")
print("why it matters: among the candidates of a link almost all are false. A model that finds none of the true")
print("ones has all but the best F1, and one that is chosen by it need not find any")
n = LINKS - TRUE
same = np.allclose(seen["f1score"], [2 * (n - TRUE + hit) / (2 * (n - TRUE + hit) + 2 * (TRUE - hit)) for hit in hits])
same = same and np.allclose(seen["falsepositiverate"], right["falsenegativerate"])
same = same and np.allclose(seen["falsenegativerate"], right["falsepositiverate"])
same = same and np.allclose(seen["accuracy"], [hit * (n - TRUE + hit) / LINKS for hit in hits])
same = same and all(np.allclose(seen[name], right[name]) for name in ("truepositiverate", "truenegativerate"))
sys.exit(0 if same and seen["matthewscorrelationcoefficient"][-1] < 0.01 else 1)
PYTHON
