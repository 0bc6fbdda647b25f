#!/usr/bin/env bash
# ADAPT's make_uda_scorer keeps the rows that it transformed for its next call: the same CORAL model has a distance of
# 0.0, 45 and 667 when it is asked three times, and a search among values of a parameter finds the first one of its
# list, whatever that is.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "numpy==2.2.6" "scipy==1.15.3" "scikit-learn==1.7.2" ||
    ! "$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps "adapt==0.4.5"; then
    echo "could not be tried: adapt was not installed" >&2
    exit 2
fi

OMP_NUM_THREADS=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata
import sys
import types
from unittest import mock

import numpy as np


class Absent(types.ModuleType):
    """A package that is not installed, and that what is tried here does not use."""

    __path__ = []

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {"__init__": lambda self, *_, **__: None}) if name[0].isupper() else mock.MagicMock()


keras = ("layers", "models", "initializers", "losses", "metrics", "optimizers", "wrappers", "wrappers.scikit_learn")
sys.modules.update({name: Absent(name) for name in ("cvxopt", "tensorflow", "tensorflow.keras", *(
    f"tensorflow.keras.{part}" for part in keras))})
from adapt.feature_based import CORAL  # noqa: E402
from adapt.metrics import cov_distance, make_uda_scorer, normalized_frechet_distance  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402
from sklearn.model_selection import GridSearchCV  # noqa: E402

rng = np.random.default_rng(0)
SOURCE, TARGET = rng.normal(size=(200, 4)), rng.normal(size=(200, 4)) @ rng.normal(size=(4, 4)) + 1
KINDS = (SOURCE[:, 0] > 0).astype(int)


def once(metric):
    """A scorer as documented: the metric of the rows that it was given, transformed by the model."""
    return lambda model, *_: -metric(*(model.transform(rows, domain=domain) for rows, domain in (
        (SOURCE, "src"), (TARGET, "tgt"))))


print("distance of source and target, by one fitted model that is asked four times")
print("model                        metric       by hand   first time   second   third   fourth")
calls = []
for name, model in (("CORAL, lambda 0.00001", CORAL(LogisticRegression(), Xt=TARGET, lambda_=1e-5, verbose=0)),
                    ("CORAL, lambda 1", CORAL(LogisticRegression(), Xt=TARGET, lambda_=1.0, verbose=0))):
    model.fit(SOURCE, KINDS)
    for label, metric in (("covariance", cov_distance), ("Frechet", normalized_frechet_distance)):
        scorer = make_uda_scorer(metric, SOURCE, TARGET)
        told = [-scorer(model, SOURCE) for _ in range(4)]
        calls.append([-once(metric)(model), *told])
        print(f"{name:29}{label:12}{calls[-1][0]:8.3f}" + "".join(f"{value:{width}.3f}" for value, width in zip(
            told, (13, 9, 8, 9))))
print("search of CORAL's lambda with GridSearchCV, training scores as the documentation asks, the least distance")
found = {}
for grid in ([1e-5, 0.1, 1.0, 10.0], [10.0, 1.0, 0.1, 1e-5], [1.0, 10.0, 1e-5, 0.1]):
    for label, scorer in (("by hand", once(cov_distance)), ("here", make_uda_scorer(cov_distance, SOURCE, TARGET))):
        search = GridSearchCV(CORAL(LogisticRegression(), Xt=TARGET, verbose=0), {"lambda_": grid}, scoring=scorer,
                              return_train_score=True, refit=False, cv=3).fit(SOURCE, KINDS)
        scores = -search.cv_results_["mean_train_score"]
        found[tuple(grid), label] = grid[int(np.nanargmin(scores))]
        print(f"{label:9}" + "".join(f"{value:9g}:{score:10.3g}" for value, score in zip(grid, scores)), "  best",
              found[tuple(grid), label])
print("adapt", importlib.metadata.version("adapt"), "and numpy", np.__version__)
print("expected: the distance of the transformed rows, the same one whenever a model is asked")
print("cause: what a model makes of the rows is written into the variables that the rows came in, so that the next")
print("call, of the same model or of another, transforms it once more. Each fit of a search is asked twice")
print("why it matters: the scorer is made for GridSearchCV, where there are no labels of the target. Scores grow from")
print("one fit to the next, and the first value of the list is the best one")
right = all(abs(line[1] - line[0]) < 1e-9 and line[4] > 2 * line[0] for line in calls)
wrong = all(found[grid, "here"] == grid[0] and found[grid, "by hand"] == 1e-5 for grid, _ in found)
sys.exit(0 if right and wrong else 1)
PYTHON
